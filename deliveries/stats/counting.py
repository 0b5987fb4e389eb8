"""Counting what happens: in this process at once, in the database within a second or so."""

from __future__ import annotations

import atexit
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import connection, transaction

from deliveries.models import NamedCount, Rollup
from deliveries.models.named_count import NamedCell
from deliveries.models.rollup import EPOCH, MICROSECONDS, NO_ROUTE, Cell, Grain, Measure
from deliveries.stats.buckets import bucket_of
from deliveries.stats.names import KnownNames
from deliveries.stats.own_traffic import OwnTraffic

logger = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0
#: Writing takes no larger part of the time, however many endpoints and routes there are.
_LARGEST_PART = 0.01
#: What is kept of a database that is away: then counts are dropped, as nothing is accepted either.
_MOST_KEPT = 50_000

#: Endpoint, route, measure, bucket or, of what is counted by name too, the name, and minutes since the epoch.
_Key = tuple[UUID, UUID, Measure, int | str, int]
#: The same in two parts: Python reckons the hash of a UUID anew each time, so all of an attempt asks for it once.
_Place = tuple[UUID, UUID, int]
_Kind = tuple[Measure, int | str]


class Counting:
    """What this process has counted and not yet written; safe between threads.

    What a killed process had not written is lost: a second of statistics, no event and no delivery.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: defaultdict[_Place, Counter[_Kind]] = defaultdict(Counter)
        self._due_at = 0.0
        self._own_traffic = OwnTraffic()
        self._names = KnownNames()

    def add(
        self,
        measure: Measure,
        endpoint: UUID,
        *,
        at: datetime,
        route: UUID | None = None,
        count: int = 1,
        names: Mapping[str, int] | None = None,
    ) -> None:
        """Count ``count`` of ``measure``, and how many of them had which of ``names`` ("" is no name)."""
        counts: list[tuple[_Kind, int]] = [((measure, 0), count)]
        for name, named in (names or {}).items():
            counts.append(((measure, name), named))
        self._add((endpoint, route or NO_ROUTE, _minute(at)), counts)

    def time(
        self, measure: Measure, endpoint: UUID, *, at: datetime, seconds: float, route: UUID | None = None
    ) -> None:
        """Count one duration."""
        self._add((endpoint, route or NO_ROUTE, _minute(at)), _timed(measure, seconds))

    def add_all(
        self,
        measures: Iterable[Measure],
        times: Mapping[Measure, float],
        endpoint: UUID,
        *,
        at: datetime,
        route: UUID | None = None,
        error: str = "",
    ) -> None:
        """Count one of each of ``measures``, the durations ``times`` (seconds), and a failure by its class."""
        counts: list[tuple[_Kind, int]] = [((measure, 0), 1) for measure in measures]
        if error:
            counts.append(((Measure.FAILED, error), 1))
        for measure, seconds in times.items():
            counts += _timed(measure, seconds)
        self._add((endpoint, route or NO_ROUTE, _minute(at)), counts)

    def take(self) -> Counter[_Key]:
        """Return what has been counted, and forget it here."""
        with self._lock:
            taken, self._counts = self._counts, defaultdict(Counter)
        return Counter(
            {
                (endpoint, route, measure, bucket, minute): count
                for (endpoint, route, minute), counts in taken.items()
                for (measure, bucket), count in counts.items()
            }
        )

    def flush(self) -> None:
        """Write everything but what is the hub's own traffic; what goes wrong is logged, and tried again later."""
        counts = self.take()
        if not counts:
            return
        began = self._clock()
        try:
            own = self._own_traffic.of({endpoint for endpoint, *_ in counts})
            self._write(Counter({key: count for key, count in counts.items() if key[0] not in own}))
        except Exception as exc:
            self._give_back(counts)
            logger.warning("stats.not_written", error_type=type(exc).__name__, cells=len(counts))
        self._due_at = self._clock() + max(_EVERY_SECONDS, (self._clock() - began) / _LARGEST_PART)

    def _write(self, counts: Counter[_Key]) -> None:
        cells, named = _cells(counts), self._names.bounded(_named(counts).items())
        if cells:
            with transaction.atomic():
                Rollup.objects.add(cells)
                NamedCount.objects.add(named)

    def lag(self) -> float:
        """Return for how many seconds longer than meant something has waited to be written; 0.0 if nothing has."""
        return max(0.0, self._clock() - self._due_at) if self._counts else 0.0

    def flush_if_due(self) -> None:
        """Write what has waited for long enough."""
        if self._counts and self._clock() >= self._due_at and not connection.in_atomic_block:
            self.flush()

    def _add(self, place: _Place, counts: Iterable[tuple[_Kind, int]]) -> None:
        with self._lock:
            if not self._counts:
                self._due_at = max(self._due_at, self._clock() + _EVERY_SECONDS)
            here = self._counts[place]
            for kind, count in counts:
                here[kind] += count

    def _give_back(self, counts: Counter[_Key]) -> None:
        with self._lock:
            if sum(map(len, self._counts.values())) + len(counts) <= _MOST_KEPT:
                for (endpoint, route, measure, bucket, minute), count in counts.items():
                    self._counts[endpoint, route, minute][measure, bucket] += count


def _timed(measure: Measure, seconds: float) -> list[tuple[_Kind, int]]:
    return [((measure, bucket_of(seconds)), 1), ((measure, MICROSECONDS), max(0, round(seconds * 1_000_000)))]


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _cells(counts: Counter[_Key]) -> Counter[Cell]:
    """Return ``counts`` by row: each is in one of every grain."""
    cells: Counter[Cell] = Counter()
    for (endpoint, route, measure, bucket, minute), count in counts.items():
        if isinstance(bucket, str):
            continue
        cells[Cell(int(Grain.EVER), str(measure), EPOCH, endpoint, route, bucket)] += count
        if bucket == MICROSECONDS:
            continue
        for grain in (Grain.MINUTE, Grain.HOUR, Grain.DAY):
            starts_at = EPOCH + timedelta(minutes=minute - minute % grain)
            cells[Cell(int(grain), str(measure), starts_at, endpoint, route, bucket)] += count
    return cells


def _named(counts: Counter[_Key]) -> Counter[NamedCell]:
    """Return those of ``counts`` that have a name, by row."""
    cells: Counter[NamedCell] = Counter()
    for (endpoint, _, measure, name, minute), count in counts.items():
        if isinstance(name, str) and name:
            starts_at = EPOCH + timedelta(minutes=minute - minute % Grain.HOUR)
            cells[NamedCell(str(measure), starts_at, endpoint, name)] += count
    return cells


counting = Counting()
atexit.register(counting.flush)
