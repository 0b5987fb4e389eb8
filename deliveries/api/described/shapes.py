"""``/shapes/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.orders import EmptyOrder
from deliveries.api.shape_rows import ShapeSerializer, WholeShapeSerializer
from integrations.api.schema import operation

_EVENT = "01a21d80-77aa-7c11-8b2f-4b1d2f6a3b7c"
SHAPE: dict[str, Any] = {
    "id": "01a21d71-5c1e-7f40-9a11-0d2f6a3b7c55",
    "endpoint": "orders",
    "event_type": "order.paid",
    "looked_at": 1204,
    "is_cut": False,
    "first_seen_at": "2026-11-20T12:10:02.412713Z",
    "last_seen_at": "2026-11-27T08:21:04.412713Z",
    "learned_at": "2026-11-20T13:11:40.112713Z",
    "changed_at": "2026-11-27T08:00:04.112713Z",
    "changes": [
        {
            "kind": "type",
            "path": "total",
            "types": ["string"],
            "before": ["number"],
            "below": 0,
            "at": "2026-11-27T08:00:04.112713Z",
            "event": _EVENT,
            "ended_at": None,
            "accepted_at": None,
            "accepted_by": "",
        }
    ],
}
FIELD: dict[str, Any] = {
    "path": "total",
    "types": ["number", "string"],
    "share": 1.0,
    "first_seen_at": "2026-11-20T12:10:02.412713Z",
    "first_event": "01a21d71-4a00-7b10-8c2f-1b1d2f6a3b11",
    "last_seen_at": "2026-11-27T08:21:04.412713Z",
}
WHOLE: dict[str, Any] = {**SHAPE, "known_fields": [FIELD]}
ACCEPTED: dict[str, Any] = {
    **WHOLE,
    "changed_at": None,
    "changes": [{**SHAPE["changes"][0], "accepted_at": "2026-11-27T09:00:00.112713Z", "accepted_by": "anna"}],
}

describe_shapes = extend_schema_view(
    list=operation(
        "list_shapes",
        "List shapes of payloads",
        description="Without their fields. Of endpoints that are sensitive nothing is learned.",
        answers={200: ("A page of shapes, the newest first.", ShapeSerializer(many=True), SHAPE)},
    ),
    retrieve=operation(
        "get_shape",
        "Show a shape with its fields",
        answers={200: ("The shape.", WholeShapeSerializer, WHOLE)},
    ),
    accept=operation(
        "accept_shape",
        "Accept what has changed in a shape",
        description="Every open change; a field that is gone is forgotten. Noted in the audit log.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={200: ("The shape as it is now.", WholeShapeSerializer, ACCEPTED)},
    ),
)
