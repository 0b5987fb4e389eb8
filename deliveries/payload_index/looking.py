"""Looking in the index: which events may have a value, from a place on, the newest or the oldest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from deliveries.models import IndexCoverage, IndexSegment, Postings
from deliveries.models.payload_index import events_in
from deliveries.paging import Place
from deliveries.payload_index.segments import events_of, next_of, numbers_in, previous_of, share
from deliveries.payload_index.terms import TermsOfPayloads
from deliveries.payload_search import Wanted

#: Events that one look finds, about, and segments that it looks at.
MOST_FOUND, MOST_SEGMENTS = 500, 4_096
#: Segments that are asked for at once: few at first, as a value that is common is in each.
_FIRST, _THEN = 4, 128


@dataclass(frozen=True)
class Found:
    """The events that may have the value, and the place up to which all of them are found; None for all there are."""

    events: Collection[UUID]
    until: Place | None


@dataclass(frozen=True)
class _Part:
    pk: int
    bits: int
    end: Place
    always: bytes
    is_read: bool


def coverage() -> IndexCoverage | None:
    """Return what the index covers; None if nothing, or if its key is lost."""
    row = IndexCoverage.objects.filter(pk=1).first()
    try:
        return row if row is not None and not row.is_empty and row.hash_key else None
    except ImproperlyConfigured:
        return None


def look(wanted: Wanted, covered: IndexCoverage, *, start: Place | None, backwards: bool = False) -> Found:
    """Return which events may have the value.

    They are at most those of the segments that have something older than ``start`` (None for the newest of all), or if
    ``backwards`` something newer: who asks leaves the others out, and what is beyond ``until``.
    """
    term = TermsOfPayloads(covered.hash_key).of_wanted(wanted)
    parts = list(_parts(start, backwards=backwards))
    events: list[UUID] = []
    begin, size, end = 0, _FIRST, min(len(parts), MOST_SEGMENTS)
    while begin < end and len(events) < MOST_FOUND:
        for found in _in_parts(term, parts[begin : min(begin + size, end)]):
            events += found
            begin += 1
            if len(events) >= MOST_FOUND:
                break
        size = _THEN
    return Found(events, parts[begin].end if begin < len(parts) else None)


def _parts(start: Place | None, *, backwards: bool) -> Iterator[_Part]:
    """Yield the segments in the order in which the list comes to them, and one more than are looked at."""
    rows = IndexSegment.objects.all()
    order = ("first_at", "first_id") if backwards else ("-last_at", "-last_id")
    if start is not None:
        reaches = Q(last_at__gt=start.at) | Q(last_at=start.at, last_id__gt=start.pk)
        begins = Q(first_at__lt=start.at) | Q(first_at=start.at, first_id__lt=start.pk)
        rows = rows.filter(reaches if backwards else begins)
    ends = [name.removeprefix("-") for name in order]
    found = rows.order_by(*order, "pk").values_list("pk", "bits", "always", "is_read", *ends)
    for pk, bits, always, is_read, at, event in found[: MOST_SEGMENTS + 1]:
        yield _Part(pk, bits, _just_before(at, event, backwards=backwards), bytes(always), is_read)


def _just_before(at: datetime, event: UUID, *, backwards: bool) -> Place:
    """Return the last place that is looked at before this event is."""
    return Place(at, previous_of(event) if backwards else next_of(event))


def _in_parts(term: int, parts: Sequence[_Part]) -> Iterator[list[UUID]]:
    """Yield, for each of ``parts``, the events that ``term`` leads to."""
    by_bits: defaultdict[int, list[int]] = defaultdict(list)
    for part in parts:
        by_bits[part.bits].append(part.pk)
    within = reduce(or_, (Q(segment__in=pks, number=share(term, bits)) for bits, pks in by_bits.items()))
    rows = Postings.objects.filter(within).values_list("segment", "segment__bits", "entries")
    numbers = {segment: set(events_of(term, bytes(entries), bits)) for segment, bits, entries in rows}
    for part in parts:
        numbers[part.pk] = numbers.get(part.pk, set()) | set(numbers_in(part.always))
    ids = _ids([part.pk for part in parts if numbers[part.pk] or not part.is_read])
    for part in parts:
        events = events_in(ids[part.pk]) if part.pk in ids else []
        yield events if not part.is_read else [events[number] for number in sorted(numbers[part.pk])]


def _ids(segments: Collection[int]) -> Mapping[int, bytes]:
    if not segments:
        return {}
    rows = IndexSegment.objects.filter(pk__in=segments).values_list("pk", "ids")
    return {pk: bytes(ids) for pk, ids in rows}
