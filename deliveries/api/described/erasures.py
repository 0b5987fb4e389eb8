"""``/erasures/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.orders import EmptyOrder
from integrations.api.schema import operation

SUMMARY: dict[str, Any] = {
    "id": "01a21b8f-01c4-7d58-bd8e-3f1c7d5b4e66",
    "state": "counted",
    "path": "",
    "value_hmac": "b2f1a6c38d0f4f9b6a7c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f708",
    "looked_at": 51204,
    "counts": {"events": 1},
    "left": 0,
    "created_by": "ada",
    "created_at": "2026-11-27T06:30:02.412713Z",
    "confirmed_by": "",
    "finished_at": None,
}
ERASURE: dict[str, Any] = {**SUMMARY, "found": {"events": ["01a201c4-e5a9-7708-ab00-931c67611643"]}}
NEW = {**ERASURE, "state": "counting", "looked_at": 0, "counts": {}, "found": {}}
CONFIRMED = {**ERASURE, "state": "erasing", "confirmed_by": "ada"}


def describe_erasures(order: Any, serializer: Any, summary: Any) -> Any:
    """Return the decorator of the view that takes ``order`` and shows erasures with ``serializer``."""
    return extend_schema_view(
        list=operation(
            "list_erasures",
            "List erasures",
            description="Orders and proofs, without the ids of what they found. For who sees all endpoints.",
            answers={200: ("A page of erasures, the newest first.", summary(many=True), SUMMARY)},
        ),
        retrieve=operation(
            "get_erasure",
            "Show an erasure",
            description="The proof: who, when, of which rows, and a keyed hash of the value.",
            answers={200: ("The erasure.", serializer, ERASURE)},
        ),
        create=operation(
            "create_erasure",
            "Count what holds a value",
            description="Workers look through all that is stored; nothing is erased before the order is confirmed. "
            "Needs the permission `erase`, and the sight of all endpoints.",
            request=(
                order,
                {
                    "Wherever it is": {"value": "ada@example.com"},
                    "Where a path finds it": {"value": "cus_123", "path": "customer.id"},
                },
            ),
            answers={202: ("The order, under way.", serializer, NEW)},
        ),
        confirm=operation(
            "confirm_erasure",
            "Erase what was counted",
            description="What holds the value by then is erased. 409 unless it is `counted`.",
            request=(EmptyOrder, {"Nothing": {}}),
            answers={
                202: ("The order, under way.", serializer, {**ERASURE, "state": "erasing", "confirmed_by": "ada"})
            },
        ),
        cancel=operation(
            "cancel_erasure",
            "End an erasure",
            description="What was erased stays erased. 409 where it had ended.",
            request=(EmptyOrder, {"Nothing": {}}),
            answers={200: ("The erasure as it is now.", serializer, {**ERASURE, "state": "cancelled"})},
        ),
    )
