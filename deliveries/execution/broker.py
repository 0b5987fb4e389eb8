"""The queue as django-q2 sees it: a broker that keeps no messages and looks at the deliveries themselves."""

from __future__ import annotations

import time
import uuid
from functools import cached_property

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from deliveries.execution.doorbell import doorbell
from deliveries.execution.hints import hints, wait
from deliveries.execution.stopping import stop_ordered
from deliveries.models import Delivery
from deliveries.overload.standing import overload

logger = structlog.get_logger(__name__)

DRAIN = "deliveries.execution.drain.drain"
#: How long a delivery waits, at most, when the hint of its commit is lost.
POLL_SECONDS = 0.1
#: The next look after one that found something: the workers may not have taken all of it.
AGAIN_SECONDS = 0.01
_LONGEST_REST_SECONDS = 5.0


class DueDeliveries(Broker):  # type: ignore[misc]
    """Hands out the order to drain: when a delivery is due, and every other second when none is.

    The idle order is how a worker proves that it still gets work, and how abandoned deliveries are found; every worker
    gets one well within `deliveries.models.worker.SILENT_AFTER`. An order lost with its worker is no loss: the rows
    are still due.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        # Workers take turns at the queue, so each gets one order of so many.
        self._idle_seconds = min(2.0, 10.0 / settings.HUB_WORKERS)
        self._idle_order_at = 0.0
        self._look_at = 0.0
        self._failures = 0
        self._hints = hints()
        self._found, self._wait_seconds = False, POLL_SECONDS

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Wait up to `POLL_SECONDS` for something that is due; return an order, or None.

        A database that is away raises nothing: the caller, django-q2's pusher, would sleep ten seconds and die of an
        exception; and it looks only between two calls whether it has to stop.
        """
        if wait(self._hints, self._wait_seconds):
            self._wait_seconds = AGAIN_SECONDS
            doorbell.ring()
        if stop_ordered.is_set():
            return None
        idle = time.monotonic() >= self._idle_order_at
        if idle:
            close_old_connections()
        found = self._there_is_work()
        if found and not self._found:
            self._wait_seconds = AGAIN_SECONDS
        elif found:  # it may be more than the workers can take
            self._wait_seconds = min(POLL_SECONDS, 2 * self._wait_seconds)
        else:
            self._wait_seconds = POLL_SECONDS
        self._found = found
        if found:
            doorbell.ring()
        return self._order() if found or idle else None

    def enqueue(self, task: str) -> int:
        """Refuse: what runs here is the drain alone, so that nobody can queue a function of his choice."""
        raise RuntimeError("The hub's queue is its deliveries; functions cannot be queued.")

    def acknowledge(self, task_id: int) -> None:
        """Do nothing: a delivery that is done is not due any more."""

    delete = fail = acknowledge

    def ping(self) -> bool:
        """Return True, so that the workers also start while the database is away."""
        return True

    def info(self) -> str:
        """Return what django-q2 shows as the kind of queue."""
        return "the due deliveries"

    def _there_is_work(self) -> bool:
        if time.monotonic() < self._look_at:
            return False
        now = timezone.now()
        try:
            # In accept-only mode nothing is begun; the idle orders go on, and with them what tidies up.
            found = not overload.refresh_if_due(now, with_queue=False).pauses_workers and Delivery.objects.any_due(now)
        except Error as exc:
            self._rest(exc)
            return False
        self._failures = 0
        return found

    def _rest(self, exc: Error) -> None:
        seconds = min(_LONGEST_REST_SECONDS, POLL_SECONDS * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._look_at = time.monotonic() + seconds
        connection.close()
        logger.warning("queue.database_unavailable", error_type=type(exc).__name__, again_in_seconds=seconds)

    def _order(self) -> list[tuple[int, str]]:
        self._idle_order_at = time.monotonic() + self._idle_seconds
        return [(0, self._package)]

    @cached_property
    def _package(self) -> str:
        """The order: always the same, so it is signed once.

        ``timeout`` -1: django-q2's alarm would cut off every handler of a drain at once; each has a limit of its own.
        """
        package: str = SignedPackage.dumps(
            {
                "id": uuid.uuid4().hex,
                "name": "drain",
                "func": DRAIN,
                "args": (),
                "kwargs": {},
                "started": timezone.now(),
                "timeout": -1,
                "save": False,
            }
        )
        return package
