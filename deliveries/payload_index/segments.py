"""Segments of the index as they are written and read."""

from __future__ import annotations

import struct
import time
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from deliveries.models import Event, IndexSegment, Postings
from deliveries.paging import Place
from deliveries.payload_index.terms import TermsOfPayloads
from integrations.models import Endpoint

#: Events of one segment; their numbers have to have 16 bits.
MOST_EVENTS = 4_096
#: Entries of one row of postings, about: small enough to stand in the row itself.
_ENTRIES = 400
_TERM_BITS, _KEPT_BITS, _MOST_BITS = 32, 16, 12
_READ_AT_ONCE = 50
_ROWS_AT_ONCE = 500


class Draft:
    """A segment that is being made of stored events, a few at a time."""

    def __init__(self, places: Sequence[Place], terms: TermsOfPayloads) -> None:
        self._places = list(places)
        self._terms = terms
        #: Each a term and, in the lowest bits, the number of its event: numbers are sorted sooner than pairs.
        self._entries: list[int] = []
        self._always: list[int] = []
        self._read = 0

    def read(self, *, until: float) -> bool:
        """Read events until ``time.monotonic()`` is ``until``, some in any case; return whether all are read."""
        while self._read < len(self._places):
            part = self._places[self._read : self._read + _READ_AT_ONCE]
            events = _events([place.pk for place in part])
            for number, place in enumerate(part, self._read):
                if place.pk in events:
                    self._take(number, events[place.pk])
            self._read += len(part)
            if time.monotonic() >= until:
                break
        return self._read == len(self._places)

    def _take(self, number: int, event: Event) -> None:
        terms = self._terms.of_event(event)
        if terms is None:
            self._always.append(number)
        else:
            self._entries += [term << _KEPT_BITS | number for term in terms]

    def written(self, *, now: datetime) -> Written:
        """Return what is to be saved once all is read; that takes a moment, for which nobody should wait."""
        segment = IndexSegment.of(self._places, now=now, is_read=True)
        segment.always = struct.pack(f"<{len(self._always)}H", *self._always)
        while len(self._entries) >> segment.bits > _ENTRIES and segment.bits < _MOST_BITS:
            segment.bits += 1
        return Written(segment, dict(_shares(sorted(self._entries), segment.bits)))


@dataclass(frozen=True)
class Written:
    """A segment that is not saved yet, with the entries of its postings by their number."""

    segment: IndexSegment
    entries: Mapping[int, bytes]

    def save(self) -> None:
        """Save it; the caller has a transaction."""
        self.segment.save()
        rows = [Postings(segment=self.segment, number=number, entries=kept) for number, kept in self.entries.items()]
        Postings.objects.bulk_create(rows, batch_size=_ROWS_AT_ONCE)


def _events(ids: Collection[UUID]) -> dict[UUID, Event]:
    """Return events by id with all that tells their terms; an endpoint has many of them, and is read once."""
    rows = Event.objects.select_related("batch").defer(
        "sealed", "headers", "query_string", "batch__sealed", "batch__headers", "batch__query_string"
    )
    events = rows.in_bulk(ids)
    endpoints = Endpoint.objects.in_bulk({event.endpoint_id for event in events.values()})
    for event in events.values():
        event.endpoint = endpoints[event.endpoint_id]
    return events


def share(term: int, bits: int) -> int:
    """Return the number of the postings of a segment with ``bits`` that ``term`` is in: its highest bits."""
    return term >> (_TERM_BITS - bits)


def _kept(term: int, bits: int) -> int:
    """Return what the postings keep of ``term``: the bits that follow those."""
    return term >> (_TERM_BITS - _KEPT_BITS - bits) & ((1 << _KEPT_BITS) - 1)


def _shares(entries: Sequence[int], bits: int) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each share with its entries as they are kept; ``entries`` are in order."""
    begin = 0
    while begin < len(entries):
        number = share(entries[begin] >> _KEPT_BITS, bits)
        end = bisect_left(entries, (number + 1) << (_TERM_BITS - bits + _KEPT_BITS), begin)
        part = entries[begin:end]
        lows = [_kept(entry >> _KEPT_BITS, bits) for entry in part]
        yield number, pack(lows, [entry & ((1 << _KEPT_BITS) - 1) for entry in part])
        begin = end


def pack(lows: Sequence[int], events: Sequence[int]) -> bytes:
    """Return what is kept of terms, in order, and the numbers of their events as `Postings` keep them."""
    return struct.pack(f"<{2 * len(lows)}H", *lows, *events)


def unpack(kept: bytes) -> tuple[Sequence[int], Sequence[int]]:
    """Return what `pack` was given."""
    columns = struct.unpack(f"<{len(kept) // 2}H", kept)
    half = len(columns) // 2
    return columns[:half], columns[half:]


def events_of(term: int, kept: bytes, bits: int) -> Collection[int]:
    """Return the numbers of the events that ``term`` leads to in the postings that it is in."""
    lows, events = unpack(kept)
    low = _kept(term, bits)
    begin = bisect_left(lows, low)
    return events[begin : bisect_left(lows, low + 1, begin)]


def numbers_in(kept: bytes) -> Collection[int]:
    """Return the numbers of events that stand in the column ``always`` of a segment."""
    return struct.unpack(f"<{len(kept) // 2}H", kept)


def next_of(pk: UUID) -> UUID:
    """Return the lowest id above ``pk``."""
    return UUID(int=min(pk.int + 1, (1 << 128) - 1))


def previous_of(pk: UUID) -> UUID:
    """Return the highest id below ``pk``."""
    return UUID(int=max(pk.int - 1, 0))
