"""Closing many attempts in one go: what a worker does with all that finished since it last looked."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connections, transaction

from deliveries.models.fingerprints import fingerprint
from deliveries.models.ordering import Key
from deliveries.models.raw import raw_cursor
from deliveries.models.states import FINISHED, DeliveryStatus, Outcome


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt ended, in the attempt row's own columns; ``calls`` is encrypted already, "" for none."""

    outcome: Outcome
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    response: dict[str, Any] | None = None
    calls: str = ""

    @property
    def headline(self) -> str:
        """The error in one line, for lists."""
        first_line = self.error_message.partition("\n")[0]
        return ": ".join(part for part in (self.error_type, first_line) if part)[:300]

    @property
    def fingerprint(self) -> str:
        """What failures of one kind have in common; "" where nothing failed."""
        return fingerprint(self.headline)


class FollowUps(Protocol):
    """Events that an attempt leaves behind when it succeeds, ready to be stored (`deliveries.receiving.emitting`)."""

    @property
    def endpoints(self) -> Collection[UUID]:
        """The endpoints at which they are stored, of which nobody may be resuming one: to be locked first of all."""

    @property
    def keys(self) -> Collection[Key]:
        """The ordering keys of their deliveries, to be locked before."""

    def store(self, *, now: datetime) -> None:
        """Store them with their deliveries, due at ``now``, in the transaction that closes the attempt."""


@dataclass(frozen=True)
class Closing:
    """The end of attempt ``number`` of a delivery, which moves to ``status``; ``due_at`` is for one that waits.

    An attempt that is not ``spent`` is on record and does not count among those that the route's policy allows.
    """

    delivery_id: UUID
    number: int
    result: AttemptResult
    status: DeliveryStatus
    due_at: datetime | None = None
    spent: bool = True


def close_all(closings: Sequence[Closing], *, now: datetime, using: str) -> set[UUID]:
    """Close the attempts of deliveries that have no ordering key; return the ids of those that were still held.

    Another worker has taken the others over: nothing of them is stored. All or nothing if the database refuses a value.
    """
    if not closings:
        return set()
    if connections[using].vendor == "postgresql":
        return _close_at_once(closings, now, using)
    with transaction.atomic(using=using):  # which holds SQLite's only lock for writing from here on
        return _close_in_turn(_held(closings, using), now, using)


def _close_at_once(closings: Sequence[Closing], now: datetime, using: str) -> set[UUID]:
    ended = json.dumps([_as_json(closing) for closing in closings])
    with raw_cursor(using) as cursor:
        cursor.execute(_CLOSE, {"ended": ended, "now": now})
        return {row[0] for row in cursor.fetchall()}


def _as_json(closing: Closing) -> dict[str, Any]:
    result = closing.result
    return {
        "id": str(closing.delivery_id),
        "number": closing.number,
        "status": str(closing.status),
        "due_at": closing.due_at and closing.due_at.isoformat(),
        "finished": closing.status in FINISHED,
        "unspent": 0 if closing.spent else 1,
        "headline": result.headline,
        "fingerprint": result.fingerprint,
        "outcome": str(result.outcome),
        "type": result.error_type,
        "message": result.error_message,
        "traceback": result.traceback,
        "log": result.log,
        "response": result.response,
        "calls": result.calls or None,
    }


def _held(closings: Sequence[Closing], using: str) -> list[Closing]:
    """Return those whose attempt still holds its delivery."""
    marks = ", ".join(["%s"] * len(closings))
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT id, attempt_count FROM deliveries_delivery WHERE status = 'running' AND id IN ({marks})",  # noqa: S608 - marks
            [closing.delivery_id.hex for closing in closings],
        )
        held = set(cursor.fetchall())
    return [closing for closing in closings if (closing.delivery_id.hex, closing.number) in held]


def _close_in_turn(closings: Sequence[Closing], now: datetime, using: str) -> set[UUID]:
    stored = connections[using].ops.adapt_datetimefield_value
    ended = stored(now)
    with connections[using].cursor() as cursor:
        cursor.executemany(
            "UPDATE deliveries_delivery SET status = %s, lease_until = NULL, worker = '', "
            "due_at = COALESCE(%s, due_at), finished_at = %s, next_trigger = 'retry', requested_by = '', "
            "last_error = %s, fingerprint = %s, budget_start = budget_start + %s WHERE id = %s",
            [
                (
                    str(closing.status),
                    stored(closing.due_at),
                    ended if closing.status in FINISHED else None,
                    closing.result.headline,
                    closing.result.fingerprint,
                    0 if closing.spent else 1,
                    closing.delivery_id.hex,
                )
                for closing in closings
            ],
        )
        cursor.executemany(
            "UPDATE deliveries_attempt SET finished_at = %s, outcome = %s, error_type = %s, error_message = %s, "
            "traceback = %s, log = %s, response = %s, calls = %s WHERE delivery_id = %s AND number = %s",
            [(ended, *_attempt(closing.result), closing.delivery_id.hex, closing.number) for closing in closings],
        )
    return {closing.delivery_id for closing in closings}


def _attempt(result: AttemptResult) -> tuple[Any, ...]:
    """Return how it ended as the columns of an attempt, from ``outcome`` on."""
    outcome = (str(result.outcome), result.error_type, result.error_message, result.traceback)
    return (*outcome, json.dumps(result.log), _json(result.response), result.calls or None)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


_CLOSE = """
    WITH ended AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(ended)s::jsonb) AS e(
            id uuid, number int, status text, due_at timestamptz, finished bool, unspent int, headline text,
            fingerprint text, outcome text, type text, message text, traceback text, log jsonb, response jsonb,
            calls text)
    ), moved AS (
        UPDATE deliveries_delivery d
        SET status = e.status, lease_until = NULL, worker = '', due_at = COALESCE(e.due_at, d.due_at),
            finished_at = CASE WHEN e.finished THEN %(now)s::timestamptz END, next_trigger = 'retry', requested_by = '',
            last_error = e.headline, fingerprint = e.fingerprint, budget_start = d.budget_start + e.unspent
        FROM ended e WHERE d.id = e.id AND d.attempt_count = e.number AND d.status = 'running'
        RETURNING d.id
    )
    UPDATE deliveries_attempt a
    SET finished_at = %(now)s, outcome = e.outcome, error_type = e.type, error_message = e.message,
        traceback = e.traceback, log = e.log, response = e.response, calls = e.calls
    FROM ended e JOIN moved m ON m.id = e.id
    WHERE a.delivery_id = e.id AND a.number = e.number
    RETURNING a.delivery_id
"""
