"""How the hub stands now, as this process knows it: looked at each second, asked for by every request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from deliveries.disk import disk
from deliveries.models import AcceptOnly
from deliveries.overload.flow import flow
from deliveries.overload.judging import Facts, Limits, Room, Standing, feel, judge
from deliveries.stats import queue

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0


class Overload:
    """The standing of one process; safe between threads.

    While the database is away, queue and switch count as they were; the disk is looked at without it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._standing = Standing()
        self._due_at = float("-inf")

    @property
    def now(self) -> Standing:
        """The standing of the last look; with nothing refused if there was none."""
        return self._standing

    def refresh_if_due(self, now: datetime, *, with_queue: bool = True) -> Standing:
        """Look again if the last look is a second old; return the standing. Raises nothing.

        Without the queue it says only whether workers pause, which is what they ask for.
        """
        if self._clock() >= self._due_at and self._looking.acquire(blocking=False):
            try:
                self._due_at = self._clock() + _EVERY_SECONDS
                facts = look(now, with_queue=with_queue)
                with self._lock:
                    self._settle(judge(self._standing, facts, limits()))
            finally:
                self._looking.release()
        return self._standing

    def feel(self) -> None:
        """Take in what has passed since the last call; to be called four times a second."""
        with self._lock:
            self._settle(feel(self._standing, flow.take(), limits()))

    def forget(self) -> None:
        """Stand as in the beginning; for tests."""
        self._settle(Standing())
        self._due_at = float("-inf")

    def _settle(self, found: Standing) -> None:
        before, self._standing = self._standing, found
        if before.is_shedding != found.is_shedding:
            log.warning("overload.shedding" if found.is_shedding else "overload.shedding_ended", bar=found.bar)
        if before.room != found.room:
            log.warning("overload.disk", room=found.room.name.lower(), free_bytes=found.facts.free_bytes)
        if before.pauses_workers != found.pauses_workers:
            log.warning("overload.accept_only" if found.pauses_workers else "overload.accept_only_ended")


def limits() -> Limits:
    """Return what the settings say."""
    return Limits(
        queue_seconds=settings.HUB_SHED_QUEUE_SECONDS,
        wait_seconds=settings.HUB_SHED_WAIT_MILLISECONDS / 1000,
        free_bytes=settings.HUB_DISK_FREE_MB * 1024**2,
    )


def disk_is_full() -> bool:
    """Return whether no new event is to be stored for want of room, asked of the disk itself; no database is asked."""
    found = disk()
    facts = Facts(free_bytes=found.free_bytes if found else None)
    return judge(Standing(), facts, limits()).room == Room.NONE


def look(now: datetime, *, with_queue: bool = True) -> Facts:
    """Measure what can be measured. Raises nothing."""
    found = disk()
    free_bytes = found.free_bytes if found else None
    try:
        ages = queue.ages_by_priority(now) if with_queue and settings.HUB_SHED_QUEUE_SECONDS else {}
        return Facts(ages, free_bytes, AcceptOnly.objects.switched_on_by())
    except (DatabaseError, InterfaceError) as exc:
        log.warning("overload.not_measured", error_type=type(exc).__name__)
        return Facts(None, free_bytes, None)


overload = Overload()
