"""``/connections/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.orders import EmptyOrder
from integrations.api.connections import ConnectionSerializer, HealthSerializer, TrialSerializer
from integrations.api.schema import operation
from integrations.masking import MASK

CONNECTION: dict[str, Any] = {
    "id": "01a21c55-7a1e-7c02-9d1c-3b5a0f0c7b11",
    "name": "crm",
    "description": "Contacts of the shop",
    "group": None,
    "kind": "http",
    "base_url": "https://crm.example.com/api/v2",
    "auth": "bearer",
    "auth_settings": {},
    "credentials": {"token": MASK},
    "headers": {},
    "connect_timeout_seconds": 5.0,
    "read_timeout_seconds": 15.0,
    "timeout_seconds": 30.0,
    "retry": {"max_attempts": 3, "initial_seconds": 0.5, "max_seconds": 10},
    "rate_per_second": 10.0,
    "burst": None,
    "breaker_failures": 5,
    "breaker_seconds": 30.0,
    "egress": None,
    "proxy": "",
    "follow_redirects": False,
    "idempotency_header": "Idempotency-Key",
    "kept_response_bytes": 4096,
    "test_path": "/me",
    "state": "active",
    "created_at": "2026-11-27T12:10:02.412713Z",
    "updated_at": "2026-11-27T12:10:02.412713Z",
}
NEW_CONNECTION: dict[str, Any] = {
    "name": "crm",
    "base_url": "https://crm.example.com/api/v2",
    "auth": "bearer",
    "credentials": {"token": "env:HUB_SECRET_CRM"},
    "rate_per_second": 10,
    "idempotency_header": "Idempotency-Key",
    "test_path": "/me",
}
HEALTH: dict[str, Any] = {
    "circuit": "open",
    "open_until": "2026-11-27T12:31:00Z",
    "failures": 5,
    "remaining": None,
    "remaining_until": None,
    "closed_until": None,
    "last_error": "answered 503",
    "last_error_at": "2026-11-27T12:30:30Z",
    "last_success_at": "2026-11-27T12:24:11Z",
}


describe_connections = extend_schema_view(
    list=operation(
        "list_connections",
        "List connections",
        answers={200: ("A page of connections, the newest first.", ConnectionSerializer(many=True), CONNECTION)},
    ),
    retrieve=operation(
        "get_connection", "Show a connection", answers={200: ("The connection.", ConnectionSerializer, CONNECTION)}
    ),
    create=operation(
        "create_connection",
        "Make a connection",
        request=(ConnectionSerializer, {"An API with a token": NEW_CONNECTION}),
        answers={201: ("The connection that was made.", ConnectionSerializer, CONNECTION)},
    ),
    partial_update=operation(
        "update_connection",
        "Change a connection",
        description="What is left out stays, and so does a credential that comes back as the mask. A change of the "
        "address, the proxy or the proof takes the credentials anew: stored ones are sent nowhere else.",
        request=(ConnectionSerializer, {"Another rate": {"rate_per_second": 5}}),
        answers={
            200: ("The connection as it is now.", ConnectionSerializer, {**CONNECTION, "rate_per_second": 5.0}),
        },
    ),
    destroy=operation(
        "retire_connection",
        "Retire a connection",
        description="Its credentials are removed. 409 while a route calls it.",
        answers={204: ("It is retired.", None, None)},
    ),
    health=operation(
        "get_connection_health",
        "Show how a connection does",
        description="The circuit, what the system said of calls that are left, and the last error, as all workers "
        "know them.",
        answers={200: ("How it does.", HealthSerializer, HEALTH)},
    ),
    test=operation(
        "test_connection",
        "Call a connection once",
        description="GETs its `test_path`, whatever its circuit and rate say. A success closes the circuit.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={
            200: (
                "What came of it; a failure is no error of this call.",
                TrialSerializer,
                {"ok": True, "detail": "crm: GET /me answered 200", "status": 200, "duration_ms": 84},
            )
        },
    ),
)
