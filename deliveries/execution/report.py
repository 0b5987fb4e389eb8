"""What logs and traces say of deliveries: names and fields from the rows; no payload, no header, no error text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from deliveries.execution.endings import Ending
from deliveries.log_context import lines_with
from deliveries.models import Delivery, DeliveryStatus, Outcome
from integrations import tracing

logger = structlog.get_logger(__name__)

_LOST = "Lost"
#: Where the fields of a row's lines are kept, among its attributes.
_FIELDS = "_fields_of_lines"


def fields(delivery: Delivery) -> dict[str, Any]:
    """Return the fields that every line about ``delivery`` has; its endpoint and route are loaded."""
    # Kept with the row: several lines are about one attempt, and this is made of it for each delivery there is.
    kept: tuple[int, str, dict[str, Any]] | None = delivery.__dict__.get(_FIELDS)
    if kept is not None and kept[:2] == (delivery.attempt_count, delivery.worker):
        return kept[2]
    route = delivery.route
    found = {
        **_of_origin(delivery),
        "delivery": str(delivery.id),
        "event_uuid": str(delivery.event_id),  # "event" is the line's own name, "event_id" the provider's id
        "endpoint": delivery.endpoint.slug,
        "route": str(delivery.route_id),
        "handler": route.handler,
        "attempt": delivery.attempt_count,
        "worker": delivery.worker,
    }
    delivery.__dict__[_FIELDS] = (delivery.attempt_count, delivery.worker, found)
    return found


@contextmanager
def lines_of(delivery: Delivery) -> Iterator[None]:
    """Let log lines and outgoing calls of the block, in this thread, belong to the present attempt."""
    with lines_with(**fields(delivery)), tracing.within(_work(delivery)):
        yield


def closed(delivery: Delivery, ending: Ending, *, seconds: float | None = None, ended_ns: int | None = None) -> None:
    """Say how an attempt ended, which ran for so many ``seconds`` until ``ended_ns``; None: nobody saw that."""
    outcome, error_type = str(ending.result.outcome), ending.result.error_type
    _trace(delivery, outcome, error_type=error_type, seconds=seconds, ended_ns=ended_ns)
    match ending.status:
        case DeliveryStatus.SUCCEEDED:
            logger.info("delivery.succeeded", **fields(delivery))
        case DeliveryStatus.WAITING:
            due = ending.due_at.isoformat(timespec="seconds") if ending.due_at else ""
            logger.info("delivery.retried", **fields(delivery), outcome=outcome, error_type=error_type, due_at=due)
        case _:
            logger.warning("delivery.dead", **fields(delivery), outcome=outcome, error_type=error_type)


def lease_lost(delivery: Delivery) -> None:
    """Say that another worker has taken the delivery over, so that what its handler does here is not recorded."""
    logger.warning("delivery.lost", **fields(delivery))


def taken_over(delivery: Delivery) -> None:
    """Say that a delivery's worker has ended without closing it."""
    _trace(delivery, str(Outcome.LOST), error_type=_LOST)
    logger.warning("delivery.lost", **fields(delivery), taken_over=True)
    if delivery.status == DeliveryStatus.DEAD:
        logger.warning("delivery.dead", **fields(delivery), outcome="lost", error_type=_LOST)


def given_back(delivery: Delivery, *, seconds: float | None = None) -> None:
    """Say that a worker that ends has not finished it, whose handler has run for so many ``seconds``."""
    _trace(delivery, str(Outcome.LOST), error_type=_LOST, seconds=seconds)
    logger.info("delivery.given_back", **fields(delivery))
    if delivery.status == DeliveryStatus.DEAD:
        logger.warning("delivery.dead", **fields(delivery), outcome="lost", error_type=_LOST)


def _of_origin(delivery: Delivery) -> dict[str, str]:
    origin = delivery.origin
    found = {"request_id": origin.request_id, "trace_id": tracing.trace_id_of(origin.traceparent, delivery.event_id)}
    return {name: value for name, value in found.items() if value}


def _work(delivery: Delivery) -> tracing.Work:
    return tracing.Work(delivery.origin.traceparent, delivery.event_id, delivery.pk, delivery.attempt_count)


def _trace(
    delivery: Delivery, outcome: str, *, error_type: str, seconds: float | None = None, ended_ns: int | None = None
) -> None:
    if not tracing.is_on():
        return
    until = ended_ns or time.time_ns()
    attributes = {f"hub.{name}": value for name, value in fields(delivery).items() if name != "trace_id"}
    how = tracing.Ended(
        name=delivery.route.handler,
        outcome=outcome,
        error_type=error_type,
        began_ns=until - int((seconds or 0) * 1e9),
        ended_ns=until,
        attributes=attributes,
    )
    tracing.ended(_work(delivery), how)
