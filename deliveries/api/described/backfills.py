"""``/backfills/`` and ``/backfill-runs/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.backfill_rows import BackfillRunSerializer, BackfillSerializer
from integrations.api.schema import operation

BACKFILL: dict[str, Any] = {
    "id": "01a21b8f-01c4-7d58-bd8e-3f1c7d5b4e55",
    "endpoint": "code",
    "connection": "github",
    "source": {"repository": "octo-org/hello", "hook": 42},
    "interval_minutes": 30,
    "lookback_minutes": 120,
    "next_at": "2026-11-27T07:00:02.412713Z",
    "asked_until": "2026-11-27T06:29:02.412713Z",
    "created_at": "2026-11-27T06:00:02.412713Z",
    "updated_at": "2026-11-27T06:00:02.412713Z",
}
NEW_BACKFILL: dict[str, Any] = {
    "endpoint": "code",
    "connection": "github",
    "source": {"repository": "octo-org/hello", "hook": 42},
    "interval_minutes": 30,
}
RUN: dict[str, Any] = {
    "id": "01a21ba0-7c11-7a05-8d13-5f0c9b2a6e41",
    "backfill": BACKFILL["id"],
    "endpoint": "code",
    "state": "finished",
    "since": "2026-11-27T04:30:02.412713Z",
    "until": "2026-11-27T06:29:02.412713Z",
    "asked": 31,
    "known": 28,
    "missing": 3,
    "stored": 3,
    "failed": 0,
    "problem": "",
    "tries": 0,
    "created_by": "ada",
    "created_at": "2026-11-27T06:30:02.412713Z",
    "finished_at": "2026-11-27T06:30:05.018311Z",
}
_COUNTS = ("asked", "known", "missing", "stored", "failed")
NEW_RUN: dict[str, Any] = {**RUN, **dict.fromkeys(_COUNTS, 0), "state": "open", "finished_at": None}


def describe_backfills(order: Any) -> Any:
    """Return the decorator of the view whose runs are ordered with ``order``."""
    return extend_schema_view(
        list=operation(
            "list_backfills",
            "List backfills",
            answers={200: ("A page of backfills, the newest first.", BackfillSerializer(many=True), BACKFILL)},
        ),
        retrieve=operation(
            "get_backfill", "Show a backfill", answers={200: ("The backfill.", BackfillSerializer, BACKFILL)}
        ),
        create=operation(
            "create_backfill",
            "Let a provider be asked what it sent",
            description="One for each endpoint. With `interval_minutes` it is asked so often, the first time now.",
            request=(BackfillSerializer, {"A hook of GitHub, every half an hour": NEW_BACKFILL}),
            answers={201: ("The backfill that was made.", BackfillSerializer, BACKFILL)},
        ),
        partial_update=operation(
            "update_backfill",
            "Change a backfill",
            description="What is left out stays.",
            request=(BackfillSerializer, {"Look further back": {"lookback_minutes": 240}}),
            answers={200: ("The backfill as it is now.", BackfillSerializer, {**BACKFILL, "lookback_minutes": 240})},
        ),
        destroy=operation(
            "delete_backfill",
            "Remove a backfill",
            description="With its runs; the events that they stored stay.",
            answers={204: ("It is removed.", None, None)},
        ),
        run=operation(
            "run_backfill",
            "Ask the provider now",
            description="A worker does it; `GET /backfill-runs/{id}/` says how far it is. 409 while one is under way.",
            request=(order, {"As far back as usual": {}, "The last two days": {"lookback_minutes": 2880}}),
            answers={202: ("The run, under way.", BackfillRunSerializer, NEW_RUN)},
        ),
    )


describe_backfill_runs = extend_schema_view(
    list=operation(
        "list_backfill_runs",
        "List runs of backfills",
        answers={200: ("A page of runs, the newest first.", BackfillRunSerializer(many=True), RUN)},
    ),
    retrieve=operation(
        "get_backfill_run",
        "Show what came of a run",
        answers={200: ("The run.", BackfillRunSerializer, RUN)},
    ),
)
