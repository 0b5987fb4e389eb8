"""``/deliveries/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.orders import DiscardOrder, ReplayOrder
from deliveries.api.serializers import DeliverySerializer, DeliverySummarySerializer
from integrations.api.schema import operation

ATTEMPT_SUMMARY: dict[str, Any] = {
    "number": 1,
    "trigger": "first",
    "requested_by": "",
    "started_at": "2026-11-22T05:40:10.825683Z",
    "finished_at": "2026-11-22T05:40:10.878675Z",
    "duration_ms": 52.992,
    "outcome": "failed",
    "error_type": "AnswerNotSuccessful",
    "error_message": "answered 503",
}
ATTEMPT: dict[str, Any] = {
    **ATTEMPT_SUMMARY,
    "traceback": "",
    "log": [{"at": "2026-11-22T05:40:10.826+00:00", "message": "sending", "fields": {"bytes": 52}}],
    "response": {"status": 503, "body": "try again later"},
    "calls": [
        {
            "at": "2026-11-22T05:40:10.827+00:00",
            "method": "POST",
            "url": "https://shop.example.com/orders",
            "headers": {"Content-Type": "application/json"},
            "body": {"id": 7},
            "body_encoding": "text",
            "body_is_whole": True,
            "body_bytes": 9,
            "status": 503,
        }
    ],
}
SUMMARY: dict[str, Any] = {
    "id": "01a201c4-e5ab-7789-8168-142fb51cb3c7",
    "event": "01a201c4-e5a9-7708-ab00-931c67611643",
    "event_type": "order.paid",
    "endpoint": "orders",
    "route": "01a201c4-e566-76a8-9d8b-50bf4e3b2d27",
    "route_name": "Forward to the shop",
    "handler": "http.forward",
    "status": "dead",
    "ordering_key": "",
    "attempt_count": 1,
    "created_at": "2026-11-22T05:40:10.790587Z",
    "due_at": "2026-11-22T05:40:10.790587Z",
    "finished_at": "2026-11-22T05:40:10.878675Z",
    "reason": "Gave up after attempt 1 of 1: AnswerNotSuccessful: answered 503",
    "attempts": [ATTEMPT_SUMMARY],
}
DELIVERY: dict[str, Any] = {**SUMMARY, "attempts": [ATTEMPT], "steps": []}

describe_deliveries = extend_schema_view(
    list=operation(
        "list_deliveries",
        "List deliveries",
        description="Attempts come without `traceback`, `log`, `response` and `calls`, which the delivery itself has.",
        answers={200: ("A page of deliveries, the newest first.", DeliverySummarySerializer(many=True), SUMMARY)},
    ),
    retrieve=operation(
        "get_delivery",
        "Show a delivery",
        description="`reason` says in a sentence why it is not running now.",
        answers={200: ("The delivery with its attempts.", DeliverySerializer, DELIVERY)},
    ),
    replay=operation(
        "replay_delivery",
        "Run a finished delivery again",
        description="Attempt numbers go on, the retry budget starts anew. 409 unless it is `succeeded`, `dead` or "
        "`discarded`.",
        request=(ReplayOrder, {"Again": {}, "Every step of it again": {"from_start": True}}),
        answers={
            202: (
                "The delivery, due.",
                DeliverySerializer,
                {
                    **DELIVERY,
                    "status": "pending",
                    "finished_at": None,
                    "reason": "Due: the next free worker takes it.",
                },
            )
        },
    ),
    discard=operation(
        "discard_delivery",
        "End a delivery that waits to run",
        description="It can be replayed later. 409 unless it is `pending`, `held` or `waiting`.",
        request=(DiscardOrder, {"With a reason": {"reason": "the shop has closed"}}),
        answers={
            200: (
                "The delivery, discarded.",
                DeliverySerializer,
                {
                    **DELIVERY,
                    "status": "discarded",
                    "attempt_count": 0,
                    "reason": "Discarded: the shop has closed (by ada)",
                    "attempts": [],
                    "steps": [],
                },
            )
        },
    ),
)
