"""Every refusal counts: in this process at once, in the database within a second or so."""

from __future__ import annotations

import atexit
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.core.signals import request_finished
from django.db import connection, transaction
from django.db.models import F

from deliveries.models import RefusalTotal, RejectionCount
from integrations.models import Endpoint

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0
UID = "deliveries.receiving.tally"

#: Endpoint, reason, and the beginning of the hour.
Cell = tuple[UUID, str, datetime]


class Tally:
    """What this process has counted and not yet written; safe between threads.

    A flood costs one write a second for each endpoint and reason. What a killed process had not written is lost.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[Cell] = Counter()
        self._due_at = 0.0

    def add(self, endpoint: UUID, reason: str, at: datetime) -> None:
        """Count one refusal."""
        with self._lock:
            if not self._counts:
                self._due_at = self._clock() + _EVERY_SECONDS
            self._counts[endpoint, reason, at.replace(minute=0, second=0, microsecond=0)] += 1

    def take(self, endpoint: UUID | None = None) -> Counter[Cell]:
        """Return what has been counted, of one endpoint or of all, and forget it here."""
        with self._lock:
            cells = [cell for cell in self._counts if endpoint is None or cell[0] == endpoint]
            return Counter({cell: self._counts.pop(cell) for cell in cells})

    def give_back(self, counts: Counter[Cell]) -> None:
        """Keep what could not be written."""
        with self._lock:
            self._counts.update(counts)
            self._due_at = self._clock() + _EVERY_SECONDS

    def flush(self) -> None:
        """Write everything; what goes wrong is logged, and tried again a second later."""
        counts = self.take()
        if not counts:
            return
        try:
            with transaction.atomic():
                locked = lock_endpoints(*{endpoint for endpoint, _, _ in counts})
                write(Counter({cell: count for cell, count in counts.items() if cell[0] in locked}))
        except Exception as exc:
            self.give_back(counts)
            log.exception("rejections.not_counted", error_type=type(exc).__name__)
        else:
            log.info("requests.refused", count=counts.total())

    def flush_if_due(self, **_: Any) -> None:
        """Write what has waited for a second. Sent with every answer that has gone out, so it delays none."""
        if self._counts and self._clock() >= self._due_at and not connection.in_atomic_block:
            self.flush()


def lock_endpoints(*ids: UUID) -> set[UUID]:
    """Lock the endpoints, and return those that are there: one writer of each one's rejections and counts.

    Events go on being stored beside it.
    """
    rows = Endpoint.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    return set(rows.values_list("pk", flat=True))


def write(counts: Counter[Cell]) -> None:
    """Add ``counts`` to the rows; the caller holds `lock_endpoints`."""
    for (endpoint, reason, hour), count in counts.items():
        row = RejectionCount.objects.filter(endpoint=endpoint, reason=reason, hour=hour)
        if not row.update(count=F("count") + count):
            RejectionCount.objects.create(endpoint_id=endpoint, reason=reason, hour=hour, count=count)
        total = RefusalTotal.objects.filter(endpoint=endpoint, reason=reason)
        if not total.update(count=F("count") + count):
            RefusalTotal.objects.create(endpoint_id=endpoint, reason=reason, count=count)


tally = Tally()
request_finished.connect(tally.flush_if_due, dispatch_uid=UID)
atexit.register(tally.flush)
