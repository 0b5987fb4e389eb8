"""Each web process stays on a core, as far as there are several."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from django.test import SimpleTestCase, override_settings

from deliveries.supervision.cores import fewest, free_core, stay_on
from tests.running_hub import RunningHub, running_hub, wait_until

CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
pytestmark = pytest.mark.any_database


class ACoreTests(SimpleTestCase):
    def test_is_the_first_of_those_that_the_fewest_have(self) -> None:
        self.assertEqual(fewest([4, 5, 6], []), 4)
        self.assertEqual(fewest([4, 5, 6], [4, 6, None]), 5)
        self.assertEqual(fewest([4, 5], [4, 5, 4]), 5)
        self.assertEqual(fewest([6, 5, 4], [None, None]), 6)

    def test_is_none_where_it_is_not_wished(self) -> None:
        with override_settings(HUB_OWN_CORES=False):
            self.assertIsNone(free_core([]))

    def test_is_none_where_there_is_one(self) -> None:
        stay_on(CORES[0] if CORES else None)
        try:
            self.assertIsNone(free_core([]))
        finally:
            if CORES:
                os.sched_setaffinity(0, CORES)

    def test_that_is_not_there_leaves_the_process_where_it_is(self) -> None:
        stay_on(1_000_000 if CORES else None)

        self.assertEqual(sorted(os.sched_getaffinity(0)) if CORES else [], CORES)


def held(hub: RunningHub) -> dict[int, int]:
    """Return which process stays on which core, with all of its threads."""
    found: dict[int, int] = {}
    for process in hub.processes():
        with suppress(psutil.Error, ProcessLookupError):  # it has just ended
            cores = {core for thread in process.threads() for core in os.sched_getaffinity(thread.id)}
            if len(cores) == 1:
                found[process.pid] = cores.pop()
    return found


@pytest.mark.journey
@pytest.mark.skipif(len(CORES) < 2, reason="of machines with several cores")
def test_each_web_process_stays_on_its_own_and_a_new_one_on_that_which_is_free(tmp_path: Path) -> None:
    with running_hub(tmp_path, HUB_OWN_CORES="true", HUB_WEB_WORKERS="2", HUB_WORKERS="2") as hub:
        hub.start()

        def placed() -> bool:
            return len(set(held(hub).values())) == len(held(hub)) == 2

        wait_until(placed, seconds=20, what="a core for each")
        killed = max(held(hub))
        assert "gunicorn" in psutil.Process(killed).cmdline()
        os.kill(killed, signal.SIGKILL)

        wait_until(lambda: killed not in held(hub) and placed(), seconds=40, what="a core for each again")
