"""``/replays/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.answers import PreviewSerializer
from deliveries.api.orders import EmptyOrder
from integrations.api.schema import operation

REPLAY: dict[str, Any] = {
    "id": "01a21b8f-01c4-7d58-bd8e-3f1c7d5b4e55",
    "state": "running",
    "filter": {"endpoint": "orders", "status": ["dead"]},
    "from_start": False,
    "rate_per_second": 20.0,
    "total": 1204,
    "done": 310,
    "succeeded": 305,
    "failed": 4,
    "skipped": 1,
    "created_by": "ada",
    "created_at": "2026-11-27T06:30:02.412713Z",
    "started_at": "2026-11-27T06:30:02.912713Z",
    "finished_at": None,
}
PREVIEW: dict[str, Any] = {
    "dry_run": True,
    "total": 1204,
    "counts": [
        {
            "endpoint": "orders",
            "route": "01a201c4-e566-76a8-9d8b-50bf4e3b2d27",
            "route_name": "Forward to the shop",
            "status": "dead",
            "count": 1204,
        }
    ],
}


def describe_replays(order: Any, serializer: Any) -> Any:
    """Return the decorator of the view that takes ``order`` and shows replays with ``serializer``."""
    return extend_schema_view(
        list=operation(
            "list_replays",
            "List orders to replay",
            answers={200: ("A page of replays, the newest first.", serializer(many=True), REPLAY)},
        ),
        retrieve=operation(
            "get_replay", "Show how far a replay is", answers={200: ("The replay.", serializer, REPLAY)}
        ),
        create=operation(
            "create_replay",
            "Run many deliveries again",
            description="Those that `filter` finds (named as on `/deliveries/`; without `status` the dead ones), those "
            "named in `deliveries`, or `all`. An empty filter is 400 unless `all` is true.",
            request=(
                order,
                {
                    "The dead ones of an endpoint": {"filter": {"endpoint": "orders"}, "rate_per_second": 20},
                    "What that would be": {"filter": {"endpoint": "orders"}, "dry_run": True},
                },
            ),
            answers={
                202: ("The order, under way.", serializer, {**REPLAY, "state": "pending", "started_at": None}),
                200: ("With `dry_run`: what the order would be about.", PreviewSerializer, PREVIEW),
            },
        ),
        **{
            name: operation(
                f"{name}_replay",
                summary,
                description="409 where the order does not stand so.",
                request=(EmptyOrder, {"Nothing": {}}),
                answers={200: ("The replay as it is now.", serializer, {**REPLAY, "state": state})},
            )
            for name, summary, state in (
                ("pause", "Stop a replay until it is resumed", "paused"),
                ("resume", "Let a replay go on", "running"),
                ("cancel", "End a replay", "cancelled"),
            )
        },
    )
