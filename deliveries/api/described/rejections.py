"""``/rejections/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.answers import AcceptanceSerializer
from deliveries.api.orders import EmptyOrder
from deliveries.api.serializers import RejectionDetailSerializer, RejectionSerializer
from integrations.api.schema import operation

REJECTION: dict[str, Any] = {
    "id": "01a201c4-f5ef-75a3-ac1e-ce570873b7e3",
    "endpoint": "orders",
    "received_at": "2026-11-22T05:40:14.954346Z",
    "reason": "signature_undecodable",
    "explanation": "The signature is cut, or not written in the way this provider writes it.",
    "detail": {"header": "X-Shop-Signature", "expected": "<32 bytes as hex>"},
    "source": "192.0.2.7",
    "request_id": "455053b473da41558a79d27340233037",
    "content_type": "application/json",
    "headers": {"X-Shop-Signature": "••••••", "Content-Length": "16", "Accept": "*/*"},
    "query_string": "",
    "body_bytes": 16,
}
DETAIL: dict[str, Any] = {
    **REJECTION,
    "diagnosis": {
        "findings": [{"code": "signature_undecodable", "text": "The signature is cut."}],
        "secrets_tried": ["2026-11"],
        "trials": 12,
        "complete": True,
    },
    "not_reverifiable_because": None,
}
_EVENT = "01a201c4-e5a9-7708-ab00-931c67611643"

describe_rejections = extend_schema_view(
    list=operation(
        "list_rejections",
        "List rejections",
        description="Refused requests, a bounded number of them for a bounded time.",
        answers={200: ("A page of rejections, the newest first.", RejectionSerializer(many=True), REJECTION)},
    ),
    retrieve=operation(
        "get_rejection",
        "Show a rejection and what would have made it pass",
        description="The diagnosis is made when it is asked for, within two seconds; `complete` is false if there "
        "was more to try.",
        answers={200: ("The rejection with its diagnosis.", RejectionDetailSerializer, DETAIL)},
    ),
    reverify=operation(
        "reverify_rejection",
        "Check a refused request again",
        description="With today's secrets; timestamps are judged at the original arrival. 409, with the reason, if it "
        "fails or cannot be checked.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={
            201: (
                "It passes: the event that it made.",
                AcceptanceSerializer,
                {"status": "accepted", "event": _EVENT, "deliveries": 1},
            ),
            200: (
                "It passes, and the event was known.",
                AcceptanceSerializer,
                {"status": "duplicate", "event": _EVENT},
            ),
        },
    ),
)
