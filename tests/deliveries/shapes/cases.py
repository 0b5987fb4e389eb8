"""What tests of shapes have in common: a shape that has learned what a payload looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from deliveries.models import Shape
from deliveries.shapes.learning import LEARNING_EVENTS, LEARNING_TIME, learn
from deliveries.shapes.paths import fields_of
from deliveries.shapes.telling import in_words
from integrations.identifiers import uuid7
from integrations.models import Endpoint

NOW = datetime(2026, 11, 25, 12, 30, 20, tzinfo=UTC)
USUAL: dict[str, Any] = {
    "id": "o-1",
    "total": 5,
    "customer": {"name": "Ada", "city": "London"},
    "items": [{"sku": "a"}],
}


def new_shape(endpoint: Endpoint | None = None, **values: Any) -> Shape:
    """Return a shape that has seen nothing, not saved."""
    times = dict.fromkeys(("first_seen_at", "last_seen_at", "learns_since"), NOW)
    return Shape(endpoint=endpoint, **{"event_type": "order.paid", **times, **values})


def see(shape: Shape, payload: Any, *, times: int = 1, minutes: float = 0) -> None:
    """Let ``payload`` come so many times, so many minutes after the shape was learned."""
    for _ in range(times):
        at = NOW + LEARNING_TIME + timedelta(minutes=minutes)
        learn(shape, fields_of(payload, folded=shape.folded), at=at, event=uuid7())


def learned(payload: Any = None, *, endpoint: Endpoint | None = None) -> Shape:
    """Return a shape that knows what ``payload`` looks like, not saved."""
    shape = new_shape(endpoint)
    see(shape, USUAL if payload is None else payload, times=LEARNING_EVENTS)
    return shape


def said(shape: Shape) -> list[str]:
    """Return the open changes in words."""
    return [in_words(change) for change in shape.open_changes]
