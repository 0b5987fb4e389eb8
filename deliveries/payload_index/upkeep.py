"""What the index is told beside the rounds: events that come late, payloads that go, what nobody needs any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from deliveries.models import Event, IndexCoverage, IndexSegment, Postings
from deliveries.models.payload_index import events_in
from deliveries.paging import Place
from deliveries.payload_index.segments import MOST_EVENTS, pack, unpack

#: A segment is looked at for events that were committed late once no receipt of its time can be under way ...
SETTLED = timedelta(minutes=15)
#: ... and so often for whether any of its payloads is left.
LOOK_EVERY = timedelta(days=1)


def take_in(events: Collection[UUID]) -> None:
    """Let ``events``, which are stored, be found though their time is in the index already.

    The caller has a transaction. They are read at leisure; until then each is looked at by every search.
    """
    covered = IndexCoverage.objects.filter(pk=1).first()
    if covered is None or covered.is_empty:
        return
    late = places_of(Event.objects.filter(pk__in=events).exclude(covered.high.newer("received_at")))
    for begin in range(0, len(late), MOST_EVENTS):
        IndexSegment.of(late[begin : begin + MOST_EVENTS], now=timezone.now(), is_read=False).save()


def forget(events: Collection[UUID]) -> None:
    """Remove what the index keeps of the payloads of ``events``. The caller has a transaction.

    A worker that has read them already, for a segment that it has not saved yet, has to begin anew.
    """
    IndexCoverage.objects.filter(pk=1).update(held_by=None)
    moments = Event.objects.filter(pk__in=events).values_list("pk", "received_at")
    within = Q()
    for at in {at for _, at in moments}:
        within |= Q(first_at__lte=at, last_at__gte=at)
    if not within:
        return
    gone = set(events)
    for pk, ids in IndexSegment.objects.filter(within, is_read=True).values_list("pk", "ids").iterator(chunk_size=8):
        numbers = {number for number, event in enumerate(events_in(ids)) if event in gone}
        if numbers:
            _forget(Postings.objects.filter(segment=pk), numbers)


def _forget(rows: QuerySet[Postings], numbers: Collection[int]) -> None:
    changed = []
    for row in rows:
        lows, events = unpack(bytes(row.entries))
        left = [(low, event) for low, event in zip(lows, events, strict=True) if event not in numbers]
        if len(left) < len(lows):
            row.entries = pack([low for low, _ in left], [event for _, event in left])
            changed.append(row)
    Postings.objects.bulk_update(changed, ["entries"], batch_size=100)


def unread() -> tuple[list[int], list[UUID]]:
    """Return the segments that nobody has read yet, as many as one segment has room for, and their events."""
    segments: list[int] = []
    events: list[UUID] = []
    rows = IndexSegment.objects.filter(is_read=False).order_by("pk")
    for pk, ids in rows.values_list("pk", "ids")[:MOST_EVENTS]:
        own = events_in(ids)
        if segments and len(events) + len(own) > MOST_EVENTS:
            break
        segments.append(pk)
        events += own
    return segments, events


def to_check(now: datetime) -> IndexSegment | None:
    """Return a segment that is to be looked at, if there is one."""
    rows = IndexSegment.objects.filter(is_read=True)
    new = rows.filter(checked_at=None, made_at__lt=now - SETTLED).order_by("made_at").first()
    return new or rows.filter(checked_at__lt=now - LOOK_EVERY).order_by("checked_at").first()


def missed(segment: IndexSegment, covered: IndexCoverage) -> list[Place]:
    """Return the events of the segment's time that are in no segment: they were committed after it was made."""
    within = Event.objects.filter(received_at__range=(segment.first_at, segment.last_at))
    within = within.exclude(covered.high.newer("received_at")).exclude(covered.low.older("received_at"))
    if within.count() <= len(segment.events):
        return []
    overlapping = IndexSegment.objects.filter(first_at__lte=segment.last_at, last_at__gte=segment.first_at)
    known = {pk for ids in overlapping.values_list("ids", flat=True) for pk in events_in(ids)}
    return [place for place in places_of(within) if place.pk not in known]


def is_needed(segment: IndexSegment) -> bool:
    """Return whether any of the segment's events has its body still."""
    return Event.objects.filter(pk__in=segment.events, raw_body__isnull=False).exists()


def remove(segments: Collection[int]) -> None:
    """Remove segments with their postings."""
    Postings.objects.filter(segment__in=segments).delete()
    IndexSegment.objects.filter(pk__in=segments).delete()


def places_of(rows: QuerySet[Event]) -> list[Place]:
    """Return the places of events, the oldest first."""
    return [Place(at, pk) for at, pk in rows.order_by("received_at", "pk").values_list("received_at", "pk")]
