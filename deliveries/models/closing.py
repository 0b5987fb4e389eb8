"""Closing many attempts in one go: what a worker does with all that finished since it last looked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from deliveries.models.states import FINISHED, DeliveryStatus, Outcome


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt ended, in the attempt row's own columns."""

    outcome: Outcome
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    response: dict[str, Any] | None = None

    @property
    def headline(self) -> str:
        """The error in one line, for lists."""
        first_line = self.error_message.partition("\n")[0]
        return ": ".join(part for part in (self.error_type, first_line) if part)[:300]


@dataclass(frozen=True)
class Closing:
    """The end of attempt ``number`` of a delivery, which moves to ``status``; ``due_at`` is for one that waits."""

    delivery_id: UUID
    number: int
    result: AttemptResult
    status: DeliveryStatus
    due_at: datetime | None = None


def close_all(closings: Sequence[Closing], *, now: datetime, using: str) -> set[UUID]:
    """Close the attempts of deliveries that have no ordering key; return the ids of those that were still held.

    Another worker has taken the others over: nothing of them is stored. All or nothing if the database refuses a value.
    """
    if not closings:
        return set()
    if connections[using].vendor == "postgresql":
        return _close_at_once(closings, now, using)
    with transaction.atomic(using=using):
        return {closing.delivery_id for closing in closings if _close_one(closing, now, using)}


def _close_at_once(closings: Sequence[Closing], now: datetime, using: str) -> set[UUID]:
    columns: dict[str, list[Any]] = {
        "ids": [closing.delivery_id for closing in closings],
        "numbers": [closing.number for closing in closings],
        "statuses": [str(closing.status) for closing in closings],
        "dues": [closing.due_at for closing in closings],
        "ends": [now if closing.status in FINISHED else None for closing in closings],
        "headlines": [closing.result.headline for closing in closings],
        "outcomes": [str(closing.result.outcome) for closing in closings],
        "types": [closing.result.error_type for closing in closings],
        "messages": [closing.result.error_message for closing in closings],
        "tracebacks": [closing.result.traceback for closing in closings],
        "logs": [json.dumps(closing.result.log) for closing in closings],
        "responses": [_json(closing.result.response) for closing in closings],
    }
    with connections[using].cursor() as cursor:
        cursor.execute(_CLOSE, {**columns, "now": now})
        return {row[0] for row in cursor.fetchall()}


def _close_one(closing: Closing, now: datetime, using: str) -> bool:
    connection = connections[using]
    stored = connection.ops.adapt_datetimefield_value
    result = closing.result
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deliveries_delivery SET status = %s, lease_until = NULL, worker = '', "
            "due_at = COALESCE(%s, due_at), finished_at = %s, next_trigger = 'retry', requested_by = '', "
            "last_error = %s WHERE id = %s AND attempt_count = %s AND status = 'running'",
            [
                str(closing.status),
                stored(closing.due_at),
                stored(now) if closing.status in FINISHED else None,
                result.headline,
                closing.delivery_id.hex,
                closing.number,
            ],
        )
        if not cursor.rowcount:
            return False
        cursor.execute(
            "UPDATE deliveries_attempt SET finished_at = %s, outcome = %s, error_type = %s, error_message = %s, "
            "traceback = %s, log = %s, response = %s WHERE delivery_id = %s AND number = %s",
            [
                stored(now),
                str(result.outcome),
                result.error_type,
                result.error_message,
                result.traceback,
                json.dumps(result.log),
                _json(result.response),
                closing.delivery_id.hex,
                closing.number,
            ],
        )
    return True


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


_CLOSE = """
    WITH ended AS (
        SELECT * FROM unnest(
            %(ids)s::uuid[], %(numbers)s::int[], %(statuses)s::text[], %(dues)s::timestamptz[],
            %(ends)s::timestamptz[], %(headlines)s::text[], %(outcomes)s::text[], %(types)s::text[],
            %(messages)s::text[], %(tracebacks)s::text[], %(logs)s::text[], %(responses)s::text[]
        ) AS e(id, number, status, due_at, finished_at, headline, outcome, type, message, traceback, log, response)
    ), moved AS (
        UPDATE deliveries_delivery d
        SET status = e.status, lease_until = NULL, worker = '', due_at = COALESCE(e.due_at, d.due_at),
            finished_at = e.finished_at, next_trigger = 'retry', requested_by = '', last_error = e.headline
        FROM ended e WHERE d.id = e.id AND d.attempt_count = e.number AND d.status = 'running'
        RETURNING d.id
    )
    UPDATE deliveries_attempt a
    SET finished_at = %(now)s, outcome = e.outcome, error_type = e.type, error_message = e.message,
        traceback = e.traceback, log = e.log::jsonb, response = e.response::jsonb
    FROM ended e JOIN moved m ON m.id = e.id
    WHERE a.delivery_id = e.id AND a.number = e.number
    RETURNING a.delivery_id
"""
