"""What was taken of a limit on other machines: each tells it after the fact, and takes off what the others tell.

So no request waits for another machine, or for the database. Twice a second a process writes what it let through, one
row for all its limits; and one process of each machine reads what the others wrote. A limit holds on average; until the
machines have heard of each other, each lets through as much as one alone.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import chain
from uuid import uuid4

import structlog
from django.db import DatabaseError, InterfaceError

from deliveries.models import TokensTaken
from deliveries.receiving.buckets import Taken, TokenBuckets, memory_file

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 0.5
#: So many limits of a kind are told of at a time: those that have the largest part of theirs taken.
_MOST = 500
#: So many rows are read at a time, and so many looked back at: a row can show later than one with a higher id.
_MOST_ROWS, _LOOK_BACK = 1000, 200
#: What was told so long ago was refilled meanwhile; and rows are deleted once they are as old.
_OLD = timedelta(seconds=30)


class Exchange:
    """What one machine tells and hears of ``buckets``, which have the same names everywhere.

    To be made before the server forks.
    """

    def __init__(self, buckets: Mapping[str, TokenBuckets], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets, self._clock = buckets, clock
        self._machine = uuid4()
        self._reader = memory_file(1)
        self._due_at = self._forget_at = float("-inf")
        self._heard_at: datetime | None = None
        self._last = 0
        self._seen: set[int] = set()

    def go_on_if_due(self, now: datetime) -> None:
        """Tell and hear if half a second is over. Raises nothing: without the database each machine is alone."""
        if self._clock() < self._due_at:
            return
        self._due_at = self._clock() + _EVERY_SECONDS
        try:
            self.tell(now)
            if self._is_reader():
                self.hear(now)
                self._forget(now)
        except (DatabaseError, InterfaceError) as exc:
            log.warning("limits.not_exchanged", error_type=type(exc).__name__)

    def tell(self, now: datetime) -> None:
        """Write what this process has taken since the last time, if anything."""
        taken = {name: _as_json(buckets.taken()) for name, buckets in self._buckets.items()}
        if any(taken.values()):
            TokensTaken.objects.create(machine=self._machine, at=now, taken=taken)

    def hear(self, now: datetime) -> None:
        """Take off what other machines have told since the last time; the first time it is known already."""
        found = self._rows()
        is_news = self._heard_at is not None and now - self._heard_at < _OLD
        self._heard_at = now
        for pk, told in found:
            if is_news and pk not in self._seen:
                self._charge(told)
        self._seen = {pk for pk in chain(self._seen, (pk for pk, _ in found)) if pk > self._last - _LOOK_BACK}

    def _rows(self) -> list[tuple[int, Mapping[str, Mapping[str, tuple[int, float]]]]]:
        if self._heard_at is None:
            self._last = TokensTaken.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        rows = TokensTaken.objects.told_elsewhere(self._machine, after=self._last - _LOOK_BACK)
        found = list(rows.values_list("pk", "taken")[:_MOST_ROWS])
        self._last = max(self._last, found[-1][0] if found else 0)
        return found

    def _charge(self, told: Mapping[str, Mapping[str, tuple[int, float]]]) -> None:
        for name, taken in told.items():
            if buckets := self._buckets.get(name):
                for digest, (count, full) in taken.items():
                    buckets.charge(bytes.fromhex(digest), Taken(count, full))

    def _is_reader(self) -> bool:
        """Return whether this process is the one of its machine that hears; the kernel ends that with the process."""
        try:
            fcntl.lockf(self._reader, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _forget(self, now: datetime) -> None:
        if self._clock() >= self._forget_at:
            self._forget_at = self._clock() + _OLD.total_seconds()
            TokensTaken.objects.forget(before=now - _OLD)


def _as_json(taken: Mapping[bytes, Taken]) -> dict[str, tuple[int, float]]:
    most = nlargest(_MOST, taken.items(), key=lambda item: item[1].count / item[1].full)
    return {digest.hex(): (of.count, of.full) for digest, of in most}
