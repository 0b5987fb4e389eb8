"""The queue as django-q2 sees it: a broker that keeps no messages and looks at the deliveries themselves."""

from __future__ import annotations

import time
import uuid
from collections import deque
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
from deliveries.wakeup import EVERY_SECONDS

logger = structlog.get_logger(__name__)

DRAIN = "deliveries.execution.drain.drain"
#: How long a delivery waits, at most, when the hint of its commit is lost.
POLL_SECONDS = 0.1
#: The next look after one that found something: the workers may not have taken all of it.
AGAIN_SECONDS = 0.01
_LONGEST_REST_SECONDS = 5.0
#: After a hint the bell is rung once more, for what was committed while its process could not notify again.
ECHO_SECONDS = EVERY_SECONDS + 0.005
#: Orders that no worker has begun: no more, or the queue is full, and who hands them out stands still.
_MOST_ORDERS = 2
#: One that is not begun by then was lost with its worker, or all of them are busy, and look by themselves.
_ORDER_SECONDS = 30.0


class DueDeliveries(Broker):  # type: ignore[misc]
    """Hands out the order to drain: when a delivery is due, and every other second when none is.

    The idle order is how a worker proves that it still gets work, and how abandoned deliveries are found; every worker
    gets one well within `deliveries.models.worker.SILENT_AFTER`. An order lost with its worker is no loss: the rows
    are still due.

    While a worker listens with free threads it is called by the bell and gets no order: that is a tenth of the work.
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
        self._trust_until, self._echoes = 0.0, False
        self._orders: deque[float] = deque()

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Wait up to `POLL_SECONDS` for something that is due; return an order, or None.

        A database that is away raises nothing: the caller, django-q2's pusher, would sleep ten seconds and die of an
        exception; and it looks only between two calls whether it has to stop.
        """
        hinted = wait(self._hints, self._wait_seconds)
        if hinted:
            doorbell.ring()
        if stop_ordered.is_set():
            return None
        idle = time.monotonic() >= self._idle_order_at
        if idle:
            close_old_connections()
        heard = doorbell.is_heard
        if heard and (hinted or self._echoes) and time.monotonic() < self._trust_until:
            if not hinted:
                doorbell.ring()
            found, self._echoes = False, hinted
            self._wait_seconds = ECHO_SECONDS if hinted else POLL_SECONDS
        else:
            found = self._look(hinted=hinted)
            self._trust_until = time.monotonic() + POLL_SECONDS
            self._echoes = heard and hinted
            if self._echoes:
                self._wait_seconds = ECHO_SECONDS
        return self._order() if ((found and not heard) or idle) and self._has_room() else None

    def _look(self, *, hinted: bool) -> bool:
        """Return whether something is due, and ring if so."""
        found = self._there_is_work()
        if found and (hinted or not self._found):
            self._wait_seconds = AGAIN_SECONDS
        elif found:  # it may be more than the workers can take
            self._wait_seconds = min(POLL_SECONDS, 2 * self._wait_seconds)
        else:
            self._wait_seconds = AGAIN_SECONDS if hinted else POLL_SECONDS
        self._found = found
        if found:
            doorbell.ring()
        return found

    def _has_room(self) -> bool:
        """Return whether another order may be handed out."""
        for _ in range(min(doorbell.take_begun(), len(self._orders))):
            self._orders.popleft()
        if self._orders and time.monotonic() >= self._orders[0] + _ORDER_SECONDS:
            self._orders.popleft()
        return len(self._orders) < _MOST_ORDERS

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
        self._orders.append(time.monotonic())
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
