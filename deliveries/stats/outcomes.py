"""Counting how attempts and deliveries end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from deliveries.models import Delivery, DeliveryStatus, Outcome
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting


def ended(
    delivery: Delivery,
    outcome: Outcome,
    status: DeliveryStatus,
    *,
    now: datetime,
    seconds: float | None = None,
    spent: bool = True,
    error: str = "",
) -> None:
    """Count that an attempt of ``delivery`` ended; its handler ran for ``seconds``, None where nobody knows.

    ``error`` is the class of the error that ended it, "" for none.

    A bulk replay is counted and not timed: it waits on purpose. An attempt that was not ``spent`` only waited for an
    outside system, and is no failure unless it was the end.
    """
    if not spent and status == DeliveryStatus.WAITING:
        return
    counts: list[Measure] = []
    times: dict[Measure, float] = {}
    if seconds is not None:
        times[Measure.HANDLER] = seconds
    if outcome != Outcome.SUCCEEDED:
        counts.append(Measure.FAILED)
    if status == DeliveryStatus.DEAD:
        counts.append(Measure.DEAD)
    if status == DeliveryStatus.SUCCEEDED:
        counts.append(Measure.SUCCEEDED)
        if not delivery.bulk:
            times[Measure.DONE] = (now - delivery.budget_from).total_seconds()
    counting.add_all(counts, times, delivery.endpoint_id, at=now, route=delivery.route_id, error=error)


def discarded(deliveries: Iterable[Delivery], *, now: datetime) -> None:
    """Count that somebody has ended ``deliveries``."""
    for delivery in deliveries:
        counting.add(Measure.DISCARDED, delivery.endpoint_id, at=now, route=delivery.route_id)
