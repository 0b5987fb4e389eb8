"""``/schedules/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.orders import EmptyOrder
from deliveries.api.schedule_rows import NextRunsSerializer, RunAnswerSerializer, ScheduleSerializer
from integrations.api.schema import operation

SCHEDULE: dict[str, Any] = {
    "id": "01a21c71-5c1e-7f40-9a11-0d2f6a3b7c55",
    "name": "morning-report",
    "endpoint": "inside",
    "event_type": "report.wanted",
    "payload": {"report": "orders"},
    "cron": "0 9 * * MON-FRI",
    "time_zone": "Europe/Berlin",
    "interval_seconds": None,
    "at": None,
    "starts_at": None,
    "ends_at": None,
    "missed": "once",
    "enabled": True,
    "next_at": "2026-11-30T08:00:00Z",
    "last_at": "2026-11-27T08:00:00Z",
    "created_at": "2026-11-20T12:10:02.412713Z",
    "updated_at": "2026-11-20T12:10:02.412713Z",
}
NEW_SCHEDULE: dict[str, Any] = {
    "name": "morning-report",
    "endpoint": "inside",
    "event_type": "report.wanted",
    "payload": {"report": "orders"},
    "cron": "0 9 * * MON-FRI",
    "time_zone": "Europe/Berlin",
}

describe_schedules = extend_schema_view(
    list=operation(
        "list_schedules",
        "List schedules",
        answers={200: ("A page of schedules, the newest first.", ScheduleSerializer(many=True), SCHEDULE)},
    ),
    retrieve=operation(
        "get_schedule", "Show a schedule", answers={200: ("The schedule.", ScheduleSerializer, SCHEDULE)}
    ),
    create=operation(
        "create_schedule",
        "Make a schedule",
        description="One of `cron`, `interval_seconds` and `at` says when. The endpoint is one of the provider "
        "`internal`.",
        request=(ScheduleSerializer, {"At nine on working days": NEW_SCHEDULE}),
        answers={201: ("The schedule that was made.", ScheduleSerializer, SCHEDULE)},
    ),
    partial_update=operation(
        "update_schedule",
        "Change a schedule",
        description="Another rule counts from now on.",
        request=(ScheduleSerializer, {"Off": {"enabled": False}}),
        answers={
            200: ("The schedule as it is now.", ScheduleSerializer, {**SCHEDULE, "enabled": False, "next_at": None})
        },
    ),
    destroy=operation(
        "delete_schedule",
        "Remove a schedule",
        description="The events that it made stay.",
        answers={204: ("It is removed.", None, None)},
    ),
    next=operation(
        "get_next_runs",
        "Show when a schedule runs next",
        answers={
            200: (
                "At most five moments.",
                NextRunsSerializer,
                {
                    "next": ["2026-11-30T08:00:00Z", "2026-12-01T08:00:00Z"],
                    "in_words": "At 09:00 on Monday through Friday (Europe/Berlin)",
                },
            )
        },
    ),
    run=operation(
        "run_schedule",
        "Run a schedule now",
        description="Makes an event beside the schedule's ticks. 409 while its endpoint is disabled.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={201: ("The event that was made.", RunAnswerSerializer, {"event": SCHEDULE["id"]})},
    ),
)
