"""What feeds bulk replays, and what is released at a rate, into the queue: one worker at a time, whichever has time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from deliveries.models import Release, Replay, ReplayItem, ReplayState, Turn
from deliveries.models import replaying as moves
from deliveries.models.replay import UNDER_WAY

logger = structlog.get_logger(__name__)

#: Bulk deliveries that are in the queue at once, of all orders together: little to take back, and much for the lane.
WINDOW = 200
#: An order gets no fewer of them, however many there are.
_SMALLEST_WINDOW = 10
#: A worker that dies in its turn keeps the others from it for so long.
LEASE = timedelta(seconds=15)
_TURN = "feeder"
_REST = timedelta(milliseconds=100)
#: When nothing could be done, or there is nothing to do.
_IDLE_REST = timedelta(seconds=1)
#: So long a turn lists deliveries of new orders; the worker has others to look after.
_LISTING_SECONDS = 0.2


class Feeder:
    """The feeder of one worker process. Any number of them may try at once, in any number of processes."""

    def __init__(self, holder: str = "") -> None:
        self._holder = holder or f"{socket.gethostname()[:100]}:{os.getpid()}"
        self._at = float("-inf")

    def step(self, now: datetime) -> None:
        """Feed a little, if there is something to feed and nobody else does. Raises Django's database errors.

        Of an order that cannot be carried out there is a line in the log each time, and the others go on.
        """
        if time.monotonic() < self._at:
            return
        rest = _IDLE_REST
        if there_is_work() and Turn.objects.take(_TURN, holder=self._holder, now=now, lease=LEASE):
            rest = _REST if feed_all(now) else _IDLE_REST
            Turn.objects.give_back(_TURN, holder=self._holder, free_at=timezone.now() + rest)
        self._at = time.monotonic() + rest.total_seconds()


def there_is_work() -> bool:
    """Return whether an order or a release is under way."""
    return (
        Replay.objects.active().exists()
        or ReplayItem.objects.filter(state__in=UNDER_WAY).exists()
        or Release.objects.running().exists()
    )


def feed_all(now: datetime) -> int:
    """Take in what has ended, list what was ordered, and queue what may be queued now; return how much was done."""
    running = Replay.objects.filter(state=ReplayState.RUNNING).values_list("pk", flat=True)
    under_way = ReplayItem.objects.filter(state__in=UNDER_WAY).values_list("replay", flat=True).distinct()
    done = sum(_guarded(moves.settle, pk, now) for pk in {*running, *under_way})
    pending = Replay.objects.filter(state=ReplayState.PENDING).order_by("pk").values_list("pk", flat=True)
    done += sum(_guarded(_list, pk, now) for pk in list(pending))
    to_feed = list(running.order_by("pk").all())
    window = max(WINDOW // max(len(to_feed), 1), _SMALLEST_WINDOW)
    done += sum(_guarded(partial(moves.feed, window=window), pk, now) for pk in to_feed)
    releases = list(Release.objects.running().values_list("pk", flat=True))
    return done + sum(_guarded(Release.objects.let_go_some, pk, now) for pk in releases)


def _list(pk: UUID, *, now: datetime) -> bool:
    until = time.monotonic() + _LISTING_SECONDS
    while moves.list_some(pk, now=now) and time.monotonic() < until:
        pass
    return True


def _guarded(move: Callable[..., int], pk: UUID, now: datetime) -> int:
    try:
        return move(pk, now=now)
    except (OperationalError, InterfaceError):
        raise  # the database is away, which is not the order's fault
    except Exception:
        logger.exception("feeder.failed", order=str(pk))
        return 0
