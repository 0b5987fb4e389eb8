"""PostgreSQL is stopped in the middle of everything, and started again; nobody restarts the hub."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx
import pytest

from tests.chaos.rounds import QUICK, Chaos, chaos
from tests.chaos.traffic import TOKEN

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="SQLite cannot be away"),
]

#: Longer than a lease (5 s here), so that nothing can be renewed; HUB_OUTAGE_SECONDS=30 for the long form.
OUTAGE_SECONDS = float(os.environ.get("HUB_OUTAGE_SECONDS", "8"))
#: Workers look again after 5 s at the latest.
BACK_SECONDS = 12


class TestADatabaseThatIsAway:
    def test_is_answered_by_503_and_costs_neither_an_event_nor_a_restart(self, tmp_path: Path) -> None:
        with chaos(tmp_path, database="postgres", seed=5, settings=QUICK) as run:
            report = run.during(lambda: self.outage(run))

        assert report.faults == []
        assert report.acknowledged > 10

    def outage(self, run: Chaos) -> None:
        assert run.postgres is not None
        time.sleep(2)
        before = {process.pid for process in run.hub.processes()}

        run.postgres.stop()
        until = time.monotonic() + OUTAGE_SECONDS
        answers = []
        while time.monotonic() < until:
            answers.append(self.answer(run))
            assert httpx.get(f"{run.hub.url}/health/live", timeout=5).status_code == 200
            time.sleep(0.5)
        run.postgres.start()

        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.json() == {"error": "unavailable"} for answer in answers)
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        run.wait_until_it_works("after-outage", seconds=BACK_SECONDS, what="the return of the hub")
        time.sleep(1)
        assert {process.pid for process in run.hub.processes()} == before, "something was restarted"

    def answer(self, run: Chaos) -> httpx.Response:
        payload = {"id": "while-away", "customer": "x", "failures": 0, "seconds": 0}
        return httpx.post(f"{run.hub.url}/hooks/orders", json=payload, headers={"X-Webhook-Token": TOKEN}, timeout=10)
