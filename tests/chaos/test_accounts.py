"""The books find what they are there for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.chaos.accounts import Line, faults
from tests.own_postgres import Rows

SOUND = """
    CREATE TABLE deliveries_event (id, event_id);
    CREATE TABLE deliveries_delivery (id, event_id, status, attempt_count, ordering_key, ordinal);
    CREATE TABLE deliveries_attempt (delivery_id, number, outcome);
    INSERT INTO deliveries_event VALUES (1, 'c-1'), (2, 'c-2');
    INSERT INTO deliveries_delivery VALUES ('d1', 1, 'succeeded', 2, 'c', 10), ('d2', 2, 'succeeded', 1, 'c', 11);
    INSERT INTO deliveries_attempt VALUES ('d1', 1, 'lost'), ('d1', 2, 'succeeded'), ('d2', 1, 'succeeded');
"""
LEDGER = ["d1 1 start", "d1 1 step x", "d1 2 start", "d1 2 step y", "d1 2 kept y", "d1 2 end"]
LEDGER += ["d2 1 start", "d2 1 step z", "d2 1 kept z", "d2 1 end"]


def books(folder: Path, *, change: str = "", ledger: list[str] = LEDGER) -> list[str]:
    file = folder / "rows.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.executescript(SOUND + change)
    connection.close()
    lines = []
    for place, text in enumerate(ledger):
        delivery, attempt, what, *token = text.split()
        lines.append(Line(place, delivery, int(attempt), what, "".join(token), float(place)))
    return faults(Rows(f"sqlite:///{file}"), lines, ["c-1", "c-2"], routes=1)


def test_sound_books_have_no_fault(tmp_path: Path) -> None:
    assert books(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("DELETE FROM deliveries_event WHERE id = 2", "acknowledged and not stored: c-2"),
        ("INSERT INTO deliveries_event VALUES (3, 'c-1')", "stored 2 times: c-1"),
        ("INSERT INTO deliveries_event VALUES (3, 'c-3')", "0 deliveries: c-3"),
        ("UPDATE deliveries_delivery SET status = 'dead' WHERE id = 'd2'", "ended dead"),
        ("DELETE FROM deliveries_attempt WHERE number = 1 AND delivery_id = 'd1'", "attempts [2]"),
        ("UPDATE deliveries_attempt SET outcome = 'running' WHERE number = 1", "outcomes ['running', 'succeeded']"),
        ("UPDATE deliveries_delivery SET ordinal = 9 WHERE id = 'd2'", "not in the order of receipt"),
    ],
)
def test_rows_that_break_a_promise_are_found(tmp_path: Path, change: str, fault: str) -> None:
    assert any(fault in found for found in books(tmp_path, change=change))


@pytest.mark.parametrize(
    ("ledger", "fault"),
    [
        (LEDGER[:5] + LEDGER[6:], "succeeded and never ran to its end"),
        ([*LEDGER, "d1 3 start", "d1 3 step w"], "a step that had been kept ran again"),
        ([*LEDGER, "d1 3 start", "d1 3 kept w"], "two results of one step"),
        (LEDGER[6:] + LEDGER[:6], "out of order"),
        (LEDGER[:5] + LEDGER[6:7] + LEDGER[5:6] + LEDGER[7:], "out of order"),
    ],
)
def test_handlers_that_break_a_promise_are_found(tmp_path: Path, ledger: list[str], fault: str) -> None:
    assert any(fault in found for found in books(tmp_path, ledger=ledger))


def test_a_step_may_run_again_in_an_attempt_that_began_before_its_result_was_kept(tmp_path: Path) -> None:
    overlapping = ["d1 1 start", "d1 2 start", "d1 1 step x", "d1 1 kept x", "d1 2 step y", "d1 2 kept x", "d1 2 end"]

    assert books(tmp_path, ledger=overlapping + LEDGER[6:]) == []
