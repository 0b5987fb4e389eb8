"""What comes in and what becomes of it, as it happens: by ids, without a query whose cost grows with the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, QuerySet
from django.utils.translation import gettext

from deliveries.models import Attempt, Delivery, DeliveryStatus, Event, Outcome, Rejection

RECEIVED, REFUSED, FAILED = "received", "refused", "failed"
#: What a line can be about. ``failed`` is an attempt after which its delivery has gone on already.
STATUSES = (RECEIVED, REFUSED, "succeeded", "waiting", "dead", FAILED)

#: Ids are given a moment before the commit: what is as old as that, and was not seen, is new.
_OVERLAP = timedelta(seconds=20)
_OVERLAP_ATTEMPTS = 500
_AT_ONCE = 1000


@dataclass(frozen=True)
class Line:
    """One thing that happened. ``route`` is "" unless it is about a delivery."""

    at: datetime
    status: str
    endpoint: str
    event_type: str
    route: str
    text: str
    id: str

    def as_json(self) -> dict[str, Any]:
        """Return the line for a program."""
        return {**vars(self), "at": self.at.isoformat()}


class Stream:
    """Yields what is new at each look. ``endpoint`` is a slug; "" for all."""

    def __init__(self, *, since: datetime, endpoint: str = "") -> None:
        self._endpoint = endpoint
        self._events = _ById(since)
        self._rejections = _ById(since)
        self._attempts = _Attempts(since)

    def new(self) -> list[Line]:
        """Return what has happened since the last look, the earliest first."""
        lines = [*self._received(), *self._refused(), *self._finished()]
        return sorted(lines, key=lambda line: line.at)

    def _received(self) -> Iterator[Line]:
        for values in self._events.new(self._of(Event.objects.all()), *EVENT_COLUMNS):
            yield reception(*values)

    def _refused(self) -> Iterator[Line]:
        for values in self._rejections.new(self._of(Rejection.objects.all()), *REJECTION_COLUMNS):
            yield refusal(*values)

    def _finished(self) -> Iterator[Line]:
        rows = attempts()
        rows = rows.filter(delivery__endpoint__slug=self._endpoint) if self._endpoint else rows
        for attempt in self._attempts.new(rows):
            yield outcome(attempt)

    def _of(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(endpoint__slug=self._endpoint) if self._endpoint else rows


class _ById:
    """Rows whose ids are UUIDv7: the time is in the id, and the primary key's index finds the new ones."""

    def __init__(self, since: datetime) -> None:
        self._newest_ms = int(since.timestamp() * 1000)
        self._first_ms = self._newest_ms
        self._seen: set[UUID] = set()

    def new(self, rows: QuerySet[Any], *columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield (id, *columns) of the rows that were not seen."""
        floor = max(self._first_ms, self._newest_ms - int(_OVERLAP.total_seconds() * 1000))
        for values in _unseen(rows.filter(pk__gte=UUID(int=floor << 80)), self._seen).values_list("pk", *columns):
            pk: UUID = values[0]
            self._newest_ms = max(self._newest_ms, pk.int >> 80)
            self._seen.add(pk)
            yield values
        horizon = self._newest_ms - 2 * int(_OVERLAP.total_seconds() * 1000)
        self._seen = {pk for pk in self._seen if pk.int >> 80 >= horizon}


class _Attempts:
    """Attempts by their growing ids; those that run are watched until they have an outcome."""

    def __init__(self, since: datetime) -> None:
        recent = Attempt.objects.filter(delivery__created_at__gte=since).aggregate(first=Min("pk"))["first"]
        newest = Attempt.objects.aggregate(last=Max("pk"))["last"] or 0
        self._first = recent if recent is not None else newest + 1
        self._since = since
        self._newest = self._first - 1
        self._seen: set[int] = set()
        self._running: set[int] = set()

    def new(self, rows: QuerySet[Attempt]) -> Iterator[Attempt]:
        """Yield those that have come to an end."""
        floor = max(self._first, self._newest - _OVERLAP_ATTEMPTS)
        found = list(_unseen(rows.filter(pk__gte=floor), self._seen | self._running))
        found += rows.filter(pk__in=self._running).exclude(outcome=Outcome.RUNNING)
        for attempt in found:
            self._newest = max(self._newest, attempt.pk)
            if attempt.outcome == Outcome.RUNNING:
                self._running.add(attempt.pk)
                continue
            self._running.discard(attempt.pk)
            self._seen.add(attempt.pk)
            yield attempt
        self._seen = {pk for pk in self._seen if pk > self._newest - 2 * _OVERLAP_ATTEMPTS}


def _unseen(rows: QuerySet[Any], seen: set[Any]) -> QuerySet[Any]:
    """Return the first of ``rows`` that were not ``seen``: their ids are compared here, they would be many there."""
    new = [pk for pk in rows.order_by("pk").values_list("pk", flat=True) if pk not in seen]
    return rows.filter(pk__in=new[:_AT_ONCE]).order_by("pk")


EVENT_COLUMNS = ("received_at", "endpoint__slug", "event_type", "event_id", "verdict")
REJECTION_COLUMNS = ("received_at", "endpoint__slug", "reason", "source")


def reception(pk: UUID, at: datetime, slug: str, event_type: str, event_id: str, verdict: str) -> Line:
    """Return the line of an event, from its id and `EVENT_COLUMNS`."""
    return Line(at, RECEIVED, slug, event_type, "", f"{verdict} {event_id}".rstrip(), str(pk))


def refusal(pk: UUID, at: datetime, slug: str, reason: str, source: str) -> Line:
    """Return the line of a rejection, from its id and `REJECTION_COLUMNS`."""
    text = gettext("%(reason)s from %(source)s") % {"reason": reason, "source": source or gettext("an unknown address")}
    return Line(at, REFUSED, slug, "", "", text, str(pk))


def attempts() -> QuerySet[Attempt]:
    """Return the attempts with what their lines say, and without what is large."""
    rows = Attempt.objects.select_related("delivery__endpoint", "delivery__route", "delivery__event")
    event, endpoint = "delivery__event", "delivery__endpoint"
    heavy = (f"{event}__raw_body", f"{event}__sealed", f"{event}__headers", f"{endpoint}__settings")
    return rows.defer("traceback", "log", "response", "calls", *heavy)


def outcome(attempt: Attempt) -> Line:
    """Return the line of an attempt that has come to an end."""
    delivery: Delivery = attempt.delivery
    if attempt.outcome == Outcome.SUCCEEDED:
        status, text = "succeeded", gettext("attempt %(number)s, %(took)s") % _run(attempt)
    else:
        is_last = attempt.number == delivery.attempt_count
        status = str(delivery.status) if is_last and delivery.status in _AFTER_FAILURE else FAILED
        text = _failed(attempt, again_at=delivery.due_at if status == DeliveryStatus.WAITING else None)
    return Line(
        attempt.finished_at or attempt.started_at,
        status,
        delivery.endpoint.slug,
        delivery.event.event_type,
        delivery.route.name,
        text,
        str(delivery.pk),
    )


def _run(attempt: Attempt) -> dict[str, Any]:
    took = f"{attempt.duration.total_seconds() * 1000:.0f} ms" if attempt.duration is not None else ""
    return {"number": attempt.number, "took": took}


def _failed(attempt: Attempt, *, again_at: datetime | None) -> str:
    error = ": ".join(part for part in (attempt.error_type, attempt.error_message.partition("\n")[0]) if part)
    values = {**_run(attempt), "outcome": Outcome(attempt.outcome).label.lower(), "error": error[:200]}
    if again_at is None:
        return gettext("attempt %(number)s %(outcome)s, %(took)s: %(error)s") % values
    text = gettext("attempt %(number)s %(outcome)s, %(took)s: %(error)s; again at %(again_at)s UTC")
    return text % {**values, "again_at": f"{again_at:%H:%M:%S}"}


_AFTER_FAILURE = (DeliveryStatus.WAITING, DeliveryStatus.DEAD)
