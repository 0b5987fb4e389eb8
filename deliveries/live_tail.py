"""The live stream for readers that come again and again, and keep themselves how far they are: a page in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Max, QuerySet

from deliveries import tailing
from deliveries.models import Attempt, Event, Outcome, Rejection
from deliveries.tailing import Line
from integrations.models import groups_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: Lines in one answer for each of events, refusals and outcomes; of more, the newest.
AT_ONCE = 200
#: Ids are given a moment before the commit: what is as old as that is told again, and the reader knows it by its key.
_OVERLAP = timedelta(seconds=5)
_OVERLAP_ATTEMPTS = 50
#: Attempts that run are watched until they end; the newest of them.
_WATCHED = 200


@dataclass(frozen=True)
class Cursor:
    """How far a reader is: a time for what has it in its id, the newest attempt, and those that ran then."""

    at_ms: int
    attempt: int
    running: tuple[int, ...] = ()

    @classmethod
    def begin(cls, now: datetime) -> Cursor:
        """Return the cursor of a reader that wants to see what comes from ``now`` on."""
        return cls(int(now.timestamp() * 1000), Attempt.objects.aggregate(last=Max("pk"))["last"] or 0)

    @classmethod
    def from_text(cls, text: str) -> Cursor | None:
        """Return the cursor that `text` was made of; None for anything else."""
        try:
            at_ms, attempt, running = json.loads(text)
            whole = [at_ms, attempt, *running]
        except (TypeError, ValueError, RecursionError):
            return None
        if len(whole) > _WATCHED + 2 or any(type(each) is not int or not 0 <= each < 2**63 for each in whole):
            return None
        return cls(min(at_ms, 2**47), attempt, tuple(running))

    @property
    def text(self) -> str:
        """The cursor for the reader to keep."""
        return json.dumps([self.at_ms, self.attempt, self.running], separators=(",", ":"))


@dataclass(frozen=True)
class Look:
    """What is new, the earliest first; ``is_cut`` where more came than is told."""

    lines: list[Line]
    cursor: Cursor
    is_cut: bool = field(default=False)


def look(cursor: Cursor, *, user: User | AnonymousUser, endpoint: str = "", now: datetime) -> Look:
    """Return what ``user`` may see of what happened since ``cursor``, at ``endpoint`` (a slug; "": at all).

    What happened within the last seconds before it is told again.
    """

    def of(rows: Any) -> Any:
        visible = rows.visible_to(user)
        return visible.filter(endpoint__slug=endpoint) if endpoint else visible

    floor = UUID(int=max(cursor.at_ms - int(_OVERLAP.total_seconds() * 1000), 0) << 80)
    events = _newest(of(Event.objects.all()).filter(pk__gte=floor), tailing.EVENT_COLUMNS)
    refused = _newest(of(Rejection.objects.all()).filter(pk__gte=floor), tailing.REJECTION_COLUMNS)
    attempts, following = _attempts(cursor, _visible_attempts(user, endpoint), now)
    lines = [
        *(tailing.reception(*values) for values in events),
        *(tailing.refusal(*values) for values in refused),
        *(tailing.outcome(attempt) for attempt in attempts),
    ]
    is_cut = any(len(rows) == AT_ONCE for rows in (events, refused, attempts))
    return Look(sorted(lines, key=lambda line: line.at), following, is_cut)


def _newest(rows: QuerySet[Any], columns: Iterable[str]) -> list[tuple[Any, ...]]:
    return list(rows.order_by("-pk").values_list("pk", *columns)[:AT_ONCE])


def _visible_attempts(user: User | AnonymousUser, endpoint: str) -> QuerySet[Attempt]:
    rows, groups = tailing.attempts(), groups_of(user)
    if groups is not None:
        rows = rows.filter(delivery__endpoint__group__in=groups)
    return rows.filter(delivery__endpoint__slug=endpoint) if endpoint else rows


def _attempts(cursor: Cursor, rows: QuerySet[Attempt], now: datetime) -> tuple[list[Attempt], Cursor]:
    recent = list(rows.filter(pk__gt=max(cursor.attempt - _OVERLAP_ATTEMPTS, 0)).order_by("-pk")[:AT_ONCE])
    known = {attempt.pk for attempt in recent}
    recent += rows.filter(pk__in=[pk for pk in cursor.running if pk not in known])
    running = sorted((each.pk for each in recent if each.outcome == Outcome.RUNNING), reverse=True)[:_WATCHED]
    newest = max([cursor.attempt, *(each.pk for each in recent)])
    ended = [each for each in recent if each.outcome != Outcome.RUNNING]
    return ended, Cursor(int(now.timestamp() * 1000), newest, tuple(running))
