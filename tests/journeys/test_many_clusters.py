"""Several hosts on one PostgreSQL, each with its own settings: workers are killed, are stopped, and nobody notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.chaos import traffic
from tests.chaos.rounds import QUICK, Chaos, chaos
from tests.running_hub import ROOT, RunningHub, wait_until, web_server

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="several machines need PostgreSQL"),
]

ATTEMPTS = "SELECT worker, outcome, COUNT(*) FROM deliveries_attempt GROUP BY worker, outcome"
RECEIVED_ELSEWHERE = """
    SELECT d.status, COUNT(*) FROM deliveries_delivery d JOIN deliveries_event e ON e.id = d.event_id
    WHERE e.event_id = 'elsewhere' GROUP BY d.status
"""


class Tree:
    """`manage.py worker` on the database of a hub, as if on another machine."""

    def __init__(self, run: Chaos, **settings: str) -> None:
        self._run = run
        with run.hub.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT,
                env={**run.hub.environment, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pids(self) -> set[int]:
        main = psutil.Process(self.process.pid)
        return {main.pid, *(child.pid for child in main.children(recursive=True))}

    def outcomes(self, pids: set[int]) -> Counter[str]:
        """Count how the attempts of these processes ended."""
        found: Counter[str] = Counter()
        for worker, outcome, count in self._run.rows(ATTEMPTS):
            if int(worker.split(":")[1]) in pids:
                found[outcome] += count
        return found


class TestTreesOfWorkers:
    def test_come_and_go_without_loss_and_without_doubles(self, tmp_path: Path) -> None:
        with chaos(tmp_path, database="postgres", seed=6, settings=QUICK) as run:
            report = run.during(lambda: self.come_and_go(run, tmp_path))
            lost = dict(
                run.rows("SELECT delivery_id, COUNT(*) FROM deliveries_attempt WHERE outcome = 'lost' GROUP BY 1")
            )

        assert report.faults == []
        twice = {pk: count for pk, count in run.ended().items() if count > 1 + lost.get(pk, 0)}
        assert twice == {}, "handlers that ran to their end more often than a lost attempt explains"

    def come_and_go(self, run: Chaos, folder: Path) -> None:
        killed = Tree(run, HUB_DATA_DIR=str(folder / "killed"), HUB_WORKERS="1", HUB_WORKER_THREADS="4")
        stopped = Tree(run, HUB_DATA_DIR=str(folder / "stopped"), HUB_WORKERS="1", HUB_LEASE_SECONDS="8")
        try:
            for tree in (killed, stopped):
                wait_until(
                    lambda tree=tree: tree.outcomes(tree.pids())["succeeded"] > 3,  # type: ignore[misc]
                    seconds=30,
                    what="the work of another tree",
                )
            pids = stopped.pids()
            self.receive_elsewhere(run, folder)

            os.killpg(killed.process.pid, signal.SIGKILL)
            stopped.process.send_signal(signal.SIGTERM)

            assert stopped.process.wait(20) == 0
            killed.process.wait(5)
            assert stopped.outcomes(pids)["running"] == 0, "stopped, and did not finish or give back"
            assert stopped.outcomes(pids)["lost"] == 0, "a handler of less than a second was not waited for"
            assert run.rows(RECEIVED_ELSEWHERE) == [("succeeded", traffic.ROUTES)]
            run.wait_until_it_works("after-trees", seconds=15, what="the work of the hub alone")
            time.sleep(1)
        finally:
            for tree in (killed, stopped):
                if tree.process.poll() is None:
                    os.killpg(tree.process.pid, signal.SIGKILL)

    def receive_elsewhere(self, run: Chaos, folder: Path) -> None:
        """Take one event in on a host that has a web server only, with another size and another public name."""
        keys = {name: run.hub.environment[name] for name in ("SECRET_KEY", "HUB_ENCRYPTION_KEYS")}
        settings = {"HUB_WEB_WORKERS": "1", "HUB_WEB_THREADS": "2", "DJANGO_SETTINGS_MODULE": "tests.chaos.settings"}
        (folder / "elsewhere").mkdir()
        host = RunningHub(run.hub.environment["DATABASE_URL"], folder / "elsewhere", **keys, **settings)
        with web_server(host, answers=lambda: traffic.send_probe(host, "elsewhere")):
            assert host.url != run.hub.url
            time.sleep(2)  # what both let through before a host's first look at the others stays with each
            self.share_a_limit(run.hub, host)

    def share_a_limit(self, *hosts: RunningHub) -> None:
        """Take of a limit at each of ``hosts``; in the end each owes what all of them let through."""
        let_in = sum(not traffic.ask_limited(host) for host in hosts)

        def owed() -> list[int]:
            return [round(traffic.ask_limited(host) / traffic.TOKEN_SECONDS) for host in hosts]

        wait_until(lambda: owed() == [let_in] * len(hosts), seconds=10, what=f"a limit of {let_in} in all")
