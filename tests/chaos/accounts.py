"""The books after a run: what was acknowledged, what the database holds, and what the handlers wrote down."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.own_postgres import Rows

DELIVERIES = """
    SELECT d.id, e.event_id, d.status, d.attempt_count, d.ordering_key, d.ordinal
    FROM deliveries_delivery d JOIN deliveries_event e ON e.id = d.event_id
"""
UNFINISHED = "SELECT COUNT(*) FROM deliveries_delivery WHERE status NOT IN ('succeeded', 'dead', 'discarded')"


@dataclass(frozen=True)
class Row:
    """A delivery, as it ended."""

    id: str
    event: str
    status: str
    attempts: int
    key: str
    ordinal: int | None


@dataclass(frozen=True)
class Line:
    """What a handler wrote down."""

    place: int
    delivery: str
    attempt: int
    what: str
    token: str
    at: float


def read_ledger(path: Path) -> list[Line]:
    """Return the lines in the order in which they were written."""
    lines = (json.loads(text) for text in path.read_text().splitlines())
    return [
        Line(place, _plain(line["delivery"]), line["attempt"], line["what"], line.get("token", ""), line["at"])
        for place, line in enumerate(lines)
    ]


def read_deliveries(rows: Rows) -> list[Row]:
    """Return all deliveries."""
    return [Row(_plain(found[0]), *found[1:]) for found in rows(DELIVERIES)]


def longest_silence(lines: list[Line]) -> float:
    """Return the most seconds between one start of a handler and the next."""
    starts = sorted(line.at for line in lines if line.what == "start")
    return max((after - before for before, after in pairwise(starts)), default=0.0)


def faults(rows: Rows, lines: list[Line], acknowledged: Collection[str], *, routes: int) -> list[str]:
    """Return every broken promise in a sentence; none is what a run is for."""
    deliveries = read_deliveries(rows)
    return [
        *_of_events(rows, deliveries, acknowledged, routes),
        *_of_attempts(rows, deliveries),
        *_of_runs(deliveries, lines),
        *_of_steps(lines),
        *_of_order(deliveries, lines),
    ]


def _of_events(rows: Rows, deliveries: list[Row], acknowledged: Collection[str], routes: int) -> Iterable[str]:
    stored = Counter(name for (name,) in rows("SELECT event_id FROM deliveries_event"))
    yield from (f"acknowledged and not stored: {name}" for name in acknowledged if name not in stored)
    yield from (f"stored {count} times: {name}" for name, count in stored.items() if count != 1)
    made = Counter(row.event for row in deliveries)
    yield from (f"{made[name]} deliveries: {name}" for name in stored if made[name] != routes)


def _of_attempts(rows: Rows, deliveries: list[Row]) -> Iterable[str]:
    yield from (f"ended {row.status}: {row}" for row in deliveries if row.status != "succeeded")
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    for pk, number, outcome in rows("SELECT delivery_id, number, outcome FROM deliveries_attempt ORDER BY number"):
        numbers[_plain(pk)].append(number)
        outcomes[_plain(pk)].append(outcome)
    for row in deliveries:
        if numbers[row.id] != list(range(1, row.attempts + 1)):
            yield f"attempts {numbers[row.id]}: {row}"
        ended = outcomes[row.id]
        if ended.count("succeeded") != 1 or ended[-1] != "succeeded" or "running" in ended:
            yield f"outcomes {outcomes[row.id]}: {row}"


def _of_runs(deliveries: list[Row], lines: list[Line]) -> Iterable[str]:
    ended = {line.delivery for line in lines if line.what == "end"}
    succeeded = (row for row in deliveries if row.status == "succeeded")
    yield from (f"succeeded and never ran to its end: {row}" for row in succeeded if row.id not in ended)


def _of_steps(lines: list[Line]) -> Iterable[str]:
    """A step may run again only in an attempt that began before its result was known to be kept."""
    kept: dict[str, Line] = {}
    started: dict[tuple[str, int], int] = {}
    for line in lines:
        if line.what == "start":
            started[line.delivery, line.attempt] = line.place
        first = kept.get(line.delivery)
        if line.what == "kept":
            first = kept.setdefault(line.delivery, line)
            if line.token != first.token:
                yield f"two results of one step: {line}"
        elif line.what == "step" and first and started[line.delivery, line.attempt] > first.place:
            yield f"a step that had been kept ran again: {line}"


def _of_order(deliveries: list[Row], lines: list[Line]) -> Iterable[str]:
    """A delivery starts only after the one before it has run to its end, and events have the order of their receipt."""
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    for line in lines:
        if line.what in {"start", "end"}:
            (starts if line.what == "start" else ends).setdefault(line.delivery, line.place)
    keys: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted((row for row in deliveries if row.key), key=lambda row: row.ordinal or 0):
        keys[row.key].append(row)
    for queue in keys.values():
        if [row.event for row in queue] != sorted(row.event for row in queue):
            yield f"not in the order of receipt: {[row.event for row in queue]}"
        for before, after in pairwise(queue):
            if before.id in ends and after.id in starts and starts[after.id] < ends[before.id]:
                yield f"out of order: {after} before {before}"


def _plain(pk: Any) -> str:
    return str(pk).replace("-", "")
