"""``/routes/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.dry_runs import DryRunOrder, DryRunSerializer
from deliveries.api.orders import EmptyOrder
from deliveries.api.releases import ResumeOrder, RouteWithRelease
from integrations.api.schema import operation

ROUTE: dict[str, Any] = {
    "id": "01a201c4-e566-76a8-9d8b-50bf4e3b2d27",
    "endpoint": "orders",
    "name": "Forward to the shop",
    "events": ["order.*"],
    "filter": "total > `100`",
    "handler": "http.forward",
    "config": {"url": "https://shop.example.com/orders"},
    "retry": {
        "max_attempts": 6,
        "initial_seconds": 5,
        "factor": 3,
        "max_seconds": 3600,
        "jitter": True,
        "max_age_seconds": None,
        "errors": {},
    },
    "timeout_seconds": 30.0,
    "priority": 5,
    "concurrency": None,
    "ordering_key": "",
    "ordering_failure": "block",
    "enabled": True,
    "paused": False,
    "release": None,
    "created_at": "2026-11-22T05:40:10.726113Z",
    "updated_at": "2026-11-22T05:40:10.726113Z",
}
NEW_ROUTE: dict[str, Any] = {
    "endpoint": "orders",
    "name": "Forward to the shop",
    "events": ["order.*"],
    "filter": "total > `100`",
    "handler": "http.forward",
    "config": {"url": "https://shop.example.com/orders"},
}
DRY_RUN: dict[str, Any] = {
    "results": [
        {
            "event": "01a201c4-e566-76a8-9d8b-50bf4e3b2d28",
            "event_type": "order.paid",
            "received_at": "2026-11-22T05:41:10.726113Z",
            "is_taken": True,
            "would": {
                "method": "POST",
                "url": "https://shop.example.com/orders",
                "headers": ["Content-Type"],
                "body_bytes": 42,
            },
            "would_send": [
                {
                    "at": "2026-11-22T05:42:10.827+00:00",
                    "method": "POST",
                    "url": "https://shop.example.com/orders",
                    "headers": {"Content-Type": "application/json"},
                    "body": {"id": 7},
                    "body_encoding": "text",
                    "body_is_whole": True,
                    "body_bytes": 9,
                }
            ],
            "note": "",
            "then": [],
            "differs": True,
        }
    ]
}

describe_routes = extend_schema_view(
    list=operation(
        "list_routes",
        "List routes",
        answers={200: ("A page of routes, the newest first.", RouteWithRelease(many=True), ROUTE)},
    ),
    retrieve=operation("get_route", "Show a route", answers={200: ("The route.", RouteWithRelease, ROUTE)}),
    create=operation(
        "create_route",
        "Make a route",
        description="What is left out comes from the handler, else from the hub.",
        request=(RouteWithRelease, {"Some events to another address": NEW_ROUTE}),
        answers={201: ("The route that was made.", RouteWithRelease, ROUTE)},
    ),
    partial_update=operation(
        "update_route",
        "Change a route",
        description="What is left out stays; `retry` is merged into the policy that the route has.",
        request=(RouteWithRelease, {"A shorter wait before the second attempt": {"retry": {"initial_seconds": 1}}}),
        answers={
            200: (
                "The route as it is now.",
                RouteWithRelease,
                {**ROUTE, "retry": {**ROUTE["retry"], "initial_seconds": 1}},
            )
        },
    ),
    destroy=operation(
        "retire_route",
        "Retire a route",
        description="It makes no more deliveries; those that it made stay.",
        answers={204: ("It is retired.", None, None)},
    ),
    pause=operation(
        "pause_route",
        "Hold the deliveries of a route",
        description="Those that have not started, and those to come.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={200: ("The route, paused.", RouteWithRelease, {**ROUTE, "paused": True})},
    ),
    resume=operation(
        "resume_route",
        "Release the deliveries of a route",
        description="At once, or one after the other at a rate. While its endpoint is paused they stay held.",
        request=(ResumeOrder, {"At once": {}, "Twenty a second": {"rate_per_second": 20}}),
        answers={200: ("The route, no longer paused.", RouteWithRelease, ROUTE)},
    ),
    dry_run=operation(
        "dry_run_route",
        "Try a route on past events",
        description="The newest events of its endpoint, with what the handler would do beside the deliveries "
        "that there were. Nothing is sent: a handler's preview is asked, and one that allows it is run with all that "
        "its context leads to blocked (`would_send`). Wants the right to see events, too.",
        request=(DryRunOrder, {"The last ten": {}, "Those of a morning": {"received_after": "2026-11-22T06:00:00Z"}}),
        answers={200: ("What the route would do with each.", DryRunSerializer, DRY_RUN)},
    ),
)
