"""Deliveries in any status, and the moves that workers make with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from deliveries.models import Attempt, Delivery, DeliveryStatus, Outcome, Trigger
from deliveries.models.closing import AttemptResult
from deliveries.models.states import FINISHED
from tests.factories import make_delivery, make_endpoint, make_route

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=15)
LATER = NOW + 2 * LEASE


def claim(now: datetime = NOW, *, limit: int = 10, worker: str = "one:1") -> list[Delivery]:
    return Delivery.objects.claim(limit=limit, now=now, lease=LEASE, worker=worker)


def close(row: Delivery, status: DeliveryStatus = DeliveryStatus.SUCCEEDED, now: datetime = NOW) -> bool:
    outcome = Outcome.SUCCEEDED if status == DeliveryStatus.SUCCEEDED else Outcome.FAILED
    due_at = now + timedelta(minutes=1) if status == DeliveryStatus.WAITING else None
    result = AttemptResult(outcome=outcome)
    return Delivery.objects.close(row.pk, row.attempt_count, result, status=status, now=now, due_at=due_at)


def standing(status: DeliveryStatus, **values: Any) -> Delivery:
    """Return a delivery that stands in ``status``, as the constraints want it."""
    if status in FINISHED:
        values.setdefault("finished_at", NOW)
    if status == DeliveryStatus.RUNNING:
        values = {"lease_until": NOW + LEASE, "worker": "one:1", "attempt_count": 1, **values}
    delivery = make_delivery(make_route(make_endpoint()), now=NOW, status=status, **values)
    if status == DeliveryStatus.RUNNING:
        Attempt.objects.create(
            delivery=delivery, number=delivery.attempt_count, trigger=Trigger.FIRST, started_at=NOW, worker="one:1"
        )
    return delivery
