"""What the log says of deliveries: an event name and fields from the rows; no payload, no header, no error text."""

from __future__ import annotations

from typing import Any

import structlog

from deliveries.execution.endings import Ending
from deliveries.models import Delivery, DeliveryStatus

logger = structlog.get_logger(__name__)


def fields(delivery: Delivery) -> dict[str, Any]:
    """Return the fields that every line about ``delivery`` has; its endpoint and route are loaded."""
    return {
        "delivery": str(delivery.pk),
        "event_uuid": str(delivery.event_id),  # "event" is the line's own name, "event_id" the provider's id
        "endpoint": delivery.endpoint.slug,
        "route": str(delivery.route_id),
        "handler": delivery.route.handler,
        "attempt": delivery.attempt_count,
        "worker": delivery.worker,
    }


def closed(delivery: Delivery, ending: Ending) -> None:
    """Say how an attempt ended."""
    error = {"outcome": str(ending.result.outcome), "error": ending.result.error_type}
    match ending.status:
        case DeliveryStatus.SUCCEEDED:
            logger.info("delivery.succeeded", **fields(delivery))
        case DeliveryStatus.WAITING:
            due = ending.due_at.isoformat(timespec="seconds") if ending.due_at else ""
            logger.info("delivery.retried", **fields(delivery), **error, due_at=due)
        case _:
            logger.warning("delivery.dead", **fields(delivery), **error)


def lease_lost(delivery: Delivery) -> None:
    """Say that another worker has taken the delivery over, so that what its handler does here is not recorded."""
    logger.warning("delivery.lost", **fields(delivery))


def taken_over(delivery: Delivery) -> None:
    """Say that a delivery's worker has ended without closing it."""
    logger.warning("delivery.lost", **fields(delivery), taken_over=True)
    if delivery.status == DeliveryStatus.DEAD:
        logger.warning("delivery.dead", **fields(delivery), outcome="lost", error="Lost")
