"""``/audit/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from integrations.api.schema import operation

ENTRY: dict[str, Any] = {
    "id": "01a21bb1-7d0c-7b0e-a1f5-0c9b4b1f8c55",
    "at": "2026-11-27T06:31:02.412713Z",
    "who": "ada",
    "via": "api",
    "source": "192.0.2.7",
    "request_id": "5d0b3a0f9a1c4a7b8b9f6d1e2c3a4b5c",
    "action": "changed",
    "object_type": "endpoint",
    "object_id": "01a201c4-e4fd-76da-8e90-a4f9cfe8d34a",
    "object_name": "Orders",
    "endpoint": "orders",
    "message": "changed name.",
    "before": {"name": "Orders"},
    "after": {"name": "The orders"},
}


def describe_audit_log(serializer: Any) -> Any:
    """Return the decorator of the view whose entries ``serializer`` shows."""
    return extend_schema_view(
        list=operation(
            "list_audit_entries",
            "List what was done",
            description="Changes, orders and logins, through whatever they came.",
            answers={200: ("A page of entries, the newest first.", serializer(many=True), ENTRY)},
        ),
        retrieve=operation(
            "get_audit_entry", "Show one thing that was done", answers={200: ("The entry.", serializer, ENTRY)}
        ),
    )
