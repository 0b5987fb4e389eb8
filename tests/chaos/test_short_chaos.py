"""The short form of the crash suite: a few rounds on the database of this test run."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.chaos.rounds import QUICK, chaos

pytestmark = pytest.mark.journey

#: Each part once, on PostgreSQL the server too; or fewer, if the machine is slow.
ROUNDS = 9
SECONDS = 60


def test_the_hub_keeps_its_promises_while_its_processes_are_killed(tmp_path: Path) -> None:
    database = "postgres" if os.environ.get("TEST_DATABASE_URL") else "sqlite"
    with chaos(tmp_path, database=database, seed=7, settings=QUICK) as run:
        report = run.run(ROUNDS, until=time.monotonic() + SECONDS, tell=print)

    assert report.faults == [], "\n".join([*report.table(), *report.faults])
    assert len(report.rounds) >= 3
    assert report.acknowledged > 10
