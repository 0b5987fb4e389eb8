"""A route on past events with nothing done: what it would do, beside what was done then, or what another route would.

A handler is asked for its ``preview``, which describes. It is run only if it says that it may be in a dry run, with
all that its context leads to blocked (`deliveries.rehearsal`); one with neither is not tried. Nothing is written, and
what is hidden stays so: a preview sees the payload as pages show it, and credentials in what would be sent are masked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deliveries.differences import same
from deliveries.handler_preview import MOST_CHARACTERS, HandlerPreview, preview
from deliveries.models import Attempt, Delivery, Event
from deliveries.rehearsal import rehearse
from deliveries.sent_calls import Call, same_calls, shown_calls
from integrations.connectors.client import shown_path
from integrations.handlers import Handler, handlers
from integrations.models import Route
from integrations.routing import matches

MOST = 50
#: So long a dry run goes on; what is left then is named.
SECONDS = 10.0
NO_PREVIEW = (
    "The handler has no preview, and does not say that it may be run for this: what it would do cannot be told."
)
OUT_OF_TIME = "Not tried: the time for a dry run was over."


@dataclass(frozen=True)
class Told:
    """What a route would do with an event: ``does`` is JSON, None where there is nothing; ``note`` says why.

    ``text`` is ``does`` as a page shows it, bounded. ``calls`` is what it would send, as attempts keep what was sent;
    None where the handler was not run.
    """

    is_taken: bool | None = None
    does: Any = None
    note: str = ""
    text: str = ""
    calls: list[Call] | None = None

    @property
    def call(self) -> str:
        """The call by a connection as attempts name it, "" where there is none."""
        found = self.does if isinstance(self.does, Mapping) else {}
        if "connection" not in found or "method" not in found:
            return ""
        return f"{found['connection']}: {found['method']} {shown_path(str(found.get('path', '')))}"


@dataclass(frozen=True)
class Then:
    """What was done with the event: the delivery's last attempt, and what the outside system answered, if kept.

    ``calls`` is what all its attempts sent since it was made, as far as that is kept.
    """

    delivery: Delivery
    attempt: Attempt | None
    calls: list[Call] = field(default_factory=list)

    @property
    def call(self) -> str:
        """The call that the answer was to, as far as it was kept."""
        return str((self._response or {}).get("call", ""))

    @property
    def status(self) -> int | None:
        """The status of the answer, None where none was kept."""
        return (self._response or {}).get("status")

    @property
    def _response(self) -> dict[str, Any] | None:
        found = self.attempt.response if self.attempt else None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class Tried:
    """One event; ``other`` is what the route that it is compared with would do, None where there is none."""

    event: Event
    told: Told
    then: list[Then] = field(default_factory=list)
    other: Told | None = None

    @property
    def differs(self) -> bool:
        """Whether the route would do something else than the other one would, or than was done then."""
        if self.other is not None:
            return (self.told.is_taken, self.told.note) != (self.other.is_taken, self.other.note) or not (
                same(self.told.does, self.other.does) and same_calls(self.told.calls or (), self.other.calls or ())
            )
        if self.told.is_taken is not None and self.told.is_taken != bool(self.then):
            return True
        kept = [each.calls for each in self.then if each.calls]
        if self.told.calls is not None and kept:
            return not all(same_calls(self.told.calls, calls) for calls in kept)
        return bool(self.told.call) and any(each.call and each.call != self.told.call for each in self.then)


def past_events(
    route: Route, *, last: int, after: datetime | None = None, before: datetime | None = None
) -> list[Event]:
    """Return the newest events of the route's endpoint within the range, at most ``last`` and never above `MOST`."""
    rows = Event.objects.filter(endpoint=route.endpoint_id).select_related("endpoint", "batch")
    if after is not None:
        rows = rows.filter(received_at__gte=after)
    if before is not None:
        rows = rows.filter(received_at__lt=before)
    return list(rows.order_by("-received_at")[: max(1, min(last, MOST))])


def dry_run(route: Route, events: Iterable[Event], *, stored: Route | None = None) -> list[Tried]:
    """Return what ``route`` would do with each event; with ``stored`` also what that one would, else what was done."""
    events = list(events)
    then = {} if stored else _then(route, events)
    until = time.monotonic() + SECONDS
    return [
        Tried(
            event,
            _told(route, event, until, then.get(event.pk, [])),
            then.get(event.pk, []),
            None if stored is None else _told(stored, event, until),
        )
        for event in events
    ]


def _told(route: Route, event: Event, until: float, then: Sequence[Then] = ()) -> Told:
    if time.monotonic() > until:
        return Told(note=OUT_OF_TIME)
    if not matches(route.events, "", event_type=event.event_type, payload=None):
        return Told(is_taken=False)
    made = preview(
        event, expression=route.filter, handler=route.handler, config=json.dumps(route.config), route=route.pk
    )
    if made.note:
        return Told(note=made.note)
    problems = [f"{name}: {text}" for name, texts in made.problems.items() for text in texts]
    if made.is_taken is False:
        return Told(is_taken=False)
    entry = handlers.get(route.handler)
    if entry is not None and entry.dry_run and not problems:
        return _rehearsed(route, entry, event, made, past=then[-1].delivery if then else None, until=until)
    if entry is None or entry.preview is None:
        problems.append(NO_PREVIEW)
    return Told(made.is_taken, made.outcome, " ".join(problems), made.does or "")


def _rehearsed(
    route: Route, entry: Handler, event: Event, made: HandlerPreview, *, past: Delivery | None, until: float
) -> Told:
    seconds = max(0.1, until - time.monotonic())
    run = rehearse(route, entry, event, past=past, seconds=seconds)
    does = made.outcome if entry.preview is not None else {"emits": run.emitted} if run.emitted else None
    text = "" if does is None or run.calls else json.dumps(does, indent=2, ensure_ascii=False, default=str)
    return Told(made.is_taken, does, run.note, text[:MOST_CHARACTERS], run.calls)


def _then(route: Route, events: list[Event]) -> dict[Any, list[Then]]:
    """Return the route's deliveries of ``events``, each with its last attempt, by event."""
    deliveries = list(Delivery.objects.filter(route=route, event__in=[event.pk for event in events]).order_by("pk"))
    rows = Attempt.objects.filter(delivery__in=[row.pk for row in deliveries]).order_by("number")
    attempts: dict[Any, list[Attempt]] = {}
    for attempt in rows.defer("log", "traceback"):
        attempts.setdefault(attempt.delivery_id, []).append(attempt)
    known = {event.pk: event for event in events}
    found: dict[Any, list[Then]] = {}
    for row in deliveries:
        made = attempts.get(row.pk, [])
        then = Then(row, made[-1] if made else None, _calls_of(made, known[row.event_id]))
        found.setdefault(row.event_id, []).append(then)
    return found


def _calls_of(attempts: Iterable[Attempt], event: Event) -> list[Call]:
    """Return what all of ``attempts`` sent: what one keeps as a step, the next does not send again."""
    if event.hides_body:
        return []
    return [call for attempt in attempts if attempt.has_calls for call in shown_calls(attempt, event) or ()]


def as_json(tried: Tried) -> dict[str, Any]:
    """Return one event's result for programs."""
    return {
        "event": str(tried.event.pk),
        "event_type": tried.event.event_type,
        "received_at": tried.event.received_at,
        "is_taken": tried.told.is_taken,
        "would": tried.told.does,
        "would_send": tried.told.calls,
        "note": tried.told.note,
        "then": [
            {
                "delivery": str(each.delivery.pk),
                "status": each.delivery.status,
                "call": each.call,
                "answered": each.status,
                "sent": each.calls,
            }
            for each in tried.then
        ],
        "differs": tried.differs,
    }
