"""Looking at stored events by a cursor, a few at a time, beside everything else: no receipt waits for it.

One worker looks at a time. What a round has learned and how far it came are committed together, on the condition that
the cursor stands where the round began: a worker killed at any moment has learned nothing, and no event counts twice.
Where more comes than can be looked at, events are left out: a shape is learned from a sample.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Min, Sum

from deliveries.models import Event, Shape, ShapeCursor
from deliveries.models.shape import ChangeKind, newest
from deliveries.shapes.learning import LEARNING_EVENTS, change_of, learn
from deliveries.shapes.paths import fields_of
from integrations.identifiers import lowest_at

logger = structlog.get_logger(__name__)

EVERY, _AGAIN = timedelta(seconds=5), timedelta(seconds=0.5)
_ASK_SECONDS = 0.5
#: What was received later may still be committed behind the cursor.
_LAG = timedelta(seconds=5)
#: What came earlier is left out: an installation begins with what comes, and a rush is not made up for.
_MOST_BEHIND = timedelta(minutes=10)
#: Rows of one round without their bodies, bodies of one round, those of one event type, and bytes of all and of one.
_ROWS, _BODIES, _OF_ONE_TYPE = 500, 100, 20
_BYTES, LARGEST_BYTES = 1024 * 1024, 256 * 1024
#: Event types of one endpoint that have a shape.
MOST_TYPES = 200
#: So long an endpoint has to be known for a type that it never sent to be a change.
TYPES_TIME = timedelta(days=7)
#: Providers whose events the hub makes itself.
_OWN = "internal"


class _Key(NamedTuple):
    endpoint: UUID
    event_type: str


@dataclass
class _Part:
    """Where a round ends, the events that it looks at, and whether more are waiting."""

    until: UUID | None = None
    ids: list[UUID] = field(default_factory=list)
    has_more: bool = False


class Learner:
    """The learning of one worker process; of all processes one looks at a time."""

    def __init__(self) -> None:
        self._at = float("-inf")

    def step(self, now: datetime) -> None:
        """Look at some events, if it is this process' turn. Raises Django's database errors."""
        if not settings.HUB_SHAPE_DAYS or time.monotonic() < self._at:
            return
        self._at = time.monotonic() + _ASK_SECONDS
        if claim(now) and look(now=now):
            ShapeCursor.objects.filter(pk=1).update(next_at=now + _AGAIN)


def claim(now: datetime) -> bool:
    """Return whether it is this process' turn: one has it each `EVERY`, however many ask."""
    ShapeCursor.objects.get_or_create(pk=1, defaults={"next_at": now})
    due = ShapeCursor.objects.filter(pk=1, next_at__lte=now)
    # By a clock that was set back nobody would look for as long as it was ahead.
    ahead = ShapeCursor.objects.filter(pk=1, next_at__gt=now + 2 * EVERY)
    return bool((due | ahead).update(next_at=now + EVERY))


def look(*, now: datetime) -> bool:
    """Learn from the next events; return whether more are waiting. Raises Django's database errors."""
    stands_at = ShapeCursor.objects.values_list("looked_until", flat=True).get(pk=1)
    part = _next(stands_at, now=now)
    if part.until is None:
        return False
    payloads = _payloads(part.ids)
    with transaction.atomic():
        if not ShapeCursor.objects.filter(pk=1, looked_until=stands_at).update(looked_until=part.until):
            return False  # another worker was quicker
        for key, events in payloads.items():
            _learn(key, events)
    return part.has_more


def _next(stands_at: UUID | None, *, now: datetime) -> _Part:
    begin = max(stands_at or UUID(int=0), lowest_at(now - _MOST_BEHIND))
    rows = list(
        Event.objects.filter(pk__gt=begin, pk__lt=lowest_at(now - _LAG))
        .order_by("pk")
        .values_list(
            *("pk", "endpoint_id", "event_type", "body_bytes", "provider", "requested_by"),
            *("body_is_encrypted", "endpoint__sensitive"),
        )[:_ROWS]
    )
    part = _Part(has_more=len(rows) == _ROWS)
    taken: Counter[_Key] = Counter()
    total = 0
    for pk, endpoint, event_type, size, provider, requested_by, is_encrypted, is_sensitive in rows:
        key = _Key(endpoint, event_type)
        hidden = is_encrypted or is_sensitive
        if not (hidden or requested_by or provider == _OWN or size > LARGEST_BYTES or taken[key] >= _OF_ONE_TYPE):
            total += size
            if part.ids and (total > _BYTES or len(part.ids) >= _BODIES):
                part.has_more = True
                break
            taken[key] += 1
            part.ids.append(pk)
        part.until = pk
    return part


def _payloads(ids: Collection[UUID]) -> Mapping[_Key, Sequence[tuple[Event, object]]]:
    """Return the events with their payloads as they are shown, by endpoint and type, the oldest first."""
    found: defaultdict[_Key, list[tuple[Event, object]]] = defaultdict(list)
    rows = Event.objects.filter(pk__in=ids).select_related("endpoint").defer("sealed", "headers", "query_string")
    for event in rows.order_by("pk"):
        if event.needs_batch_to_mask:
            continue  # a batch is large, and would be read for each of its events
        payload = event.shown_payload
        if payload is not None:
            found[_Key(event.endpoint_id, event.event_type)].append((event, payload))
    return dict(sorted(found.items()))


def _learn(key: _Key, events: Sequence[tuple[Event, object]]) -> None:
    shape = Shape.objects.select_for_update().filter(endpoint=key.endpoint, event_type=key.event_type).first()
    shape = shape or _new(key, events[0][0])
    if shape is None:
        return
    for event, payload in events:
        found = fields_of(payload, folded=shape.folded)
        learn(shape, found, at=event.received_at, event=event.pk)
    shape.save()
    for change in shape.open_changes:
        if change["event"] in {str(event.pk) for event, _ in events}:
            logger.info("shape.changed", endpoint=events[0][0].endpoint.slug, kind=change["kind"])


def _new(key: _Key, event: Event) -> Shape | None:
    """Return a shape to be learned, not saved; None where the endpoint has too many types to keep them apart."""
    at = event.received_at
    known = Shape.objects.filter(endpoint=key.endpoint)
    if known.count() >= MOST_TYPES:
        return None
    shape = Shape(endpoint_id=key.endpoint, event_type=key.event_type, first_seen_at=at, last_seen_at=at)
    shape.learns_since = at
    history = known.aggregate(since=Min("first_seen_at"), events=Sum("looked_at"))
    is_known = history["since"] is not None and at - history["since"] >= TYPES_TIME
    if is_known and history["events"] >= LEARNING_EVENTS:
        shape.changes = [change_of(ChangeKind.NEW_TYPE, at=at, event=event.pk)]
        shape.changed_at = newest(shape.changes)
    return shape
