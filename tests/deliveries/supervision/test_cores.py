"""Each process of the hub stays on a core, as far as there are several."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from django.test import SimpleTestCase, override_settings

from deliveries.supervision.cores import fewest, free_core, started_on
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
        with started_on(CORES[0] if CORES else None):
            self.assertIsNone(free_core([]))

    def test_of_what_is_started_is_not_that_of_who_starts_it(self) -> None:
        if len(CORES) > 1:
            with started_on(CORES[-1]):
                seen = subprocess.check_output([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"])

            self.assertEqual(seen.decode().strip(), str({CORES[-1]}))
        self.assertEqual(sorted(os.sched_getaffinity(0)), CORES)


def held(hub: RunningHub) -> dict[str, dict[int, int]]:
    """Return for web servers and workers which process stays on which core, all of its threads."""
    found: dict[str, dict[int, int]] = {"gunicorn": {}, "worker": {}}
    for process in hub.processes():
        with suppress(psutil.Error, ProcessLookupError):  # it has just ended
            cores = {core for thread in process.threads() for core in os.sched_getaffinity(thread.id)}
            kind = "gunicorn" if "gunicorn" in process.cmdline() else "worker"
            if len(cores) == 1:
                found[kind][process.pid] = cores.pop()
    return found


@pytest.mark.journey
@pytest.mark.skipif(len(CORES) < 2, reason="of machines with several cores")
def test_each_web_server_and_each_worker_stays_on_its_own_and_a_new_one_on_that_which_is_free(tmp_path: Path) -> None:
    with running_hub(tmp_path, HUB_OWN_CORES="true", HUB_WEB_WORKERS="2", HUB_WORKERS="2") as hub:
        hub.start()

        def all_placed() -> bool:
            return all(len(set(of.values())) == len(of) == 2 for of in held(hub).values())

        wait_until(all_placed, seconds=20, what="a core for each")
        killed = {max(of) for of in held(hub).values()}
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        def replaced() -> bool:
            return all_placed() and not killed & {pid for of in held(hub).values() for pid in of}

        wait_until(replaced, seconds=40, what="a core for each again")
