"""The writing of the index: beside everything else, a little at a time, by one worker of all.

A segment and what it covers are committed together, on the condition that this worker still holds the index: one that
is killed at any moment has written nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q, QuerySet

from deliveries.models import Event, IndexCoverage, IndexSegment
from deliveries.paging import Place
from deliveries.payload_index import upkeep
from deliveries.payload_index.segments import MOST_EVENTS, Draft
from deliveries.payload_index.terms import TermsOfPayloads
from deliveries.payload_search import LARGEST_BYTES
from integrations.models import Endpoint

logger = structlog.get_logger(__name__)

#: Who holds the index has to say so again before this is over.
_LEASE = timedelta(seconds=60)
#: So long a worker reads before it turns to its deliveries again, and so long it rests then.
_WORK_SECONDS, _REST_SECONDS = 0.05, 0.25
#: So often a worker looks whether there is something to do.
ASK_SECONDS = 30.0
#: What was received later may still be committed behind it.
LAG = timedelta(seconds=60)
#: While no more wait than one page of a list looks through, deliveries go first.
URGENT = 20_000
#: Bodies of one segment; a page of a list looks through 64 MiB of those that are in none.
_BYTES = 16 * 1024 * 1024
#: Segments that are removed at once where all are.
_REMOVED_AT_ONCE = 20


@dataclass
class _Job:
    """A segment that is being made, and what else happens when it is there.

    One that ``is_urgent`` may not wait for leisure; the events of one that ``is_extra`` are not all of a time, so that
    nobody has to look whether any are missing.
    """

    draft: Draft
    finish: Callable[[], None]
    is_urgent: bool = False
    is_extra: bool = False


class Indexer:
    """The indexing of one worker process; of all processes one does it at a time."""

    def __init__(self) -> None:
        self._me = uuid4()
        self._at = float("-inf")
        self._held_until = float("-inf")
        self._job: _Job | None = None

    def step(self, now: datetime, *, at_leisure: bool) -> None:
        """Do a little, if it is this process' turn; ``at_leisure`` is that no delivery waits or runs in it.

        Raises Django's database errors.
        """
        if time.monotonic() < self._at:
            return
        self._at = time.monotonic() + _REST_SECONDS
        job, self._job = self._job, None  # whatever fails is begun anew
        if job is not None and not at_leisure and not job.is_urgent:
            self._job = job
        elif not self._hold(now):
            self._at = time.monotonic() + ASK_SECONDS
        elif job is None:
            self._begin(now)
        elif job.draft.read(until=time.monotonic() + _WORK_SECONDS):
            self._end(job, now)
        else:
            self._job = job

    def work_off(self, now: datetime) -> None:
        """Do all that there is to do, in this process."""
        while True:
            self._at = float("-inf")
            self.step(now, at_leisure=True)
            if self._job is None and self._at > time.monotonic() + _REST_SECONDS:
                return

    def _hold(self, now: datetime) -> bool:
        """Return whether this process holds the index; taken, or held on to, once half of the lease is over."""
        if time.monotonic() < self._held_until:
            return True
        newest = Place(now - LAG, UUID(int=0))
        begins: dict[str, object] = {
            "low_at": newest.at,
            "low_id": newest.pk,
            "high_at": newest.at,
            "high_id": newest.pk,
        }
        row = IndexCoverage.objects.filter(pk=1)
        if not row.exists():
            begins |= {"key": secrets.token_hex(32), "held_until": now}
            IndexCoverage.objects.get_or_create(pk=1, defaults=begins)
        # By a clock that was set back nobody would hold it for as long as it was ahead.
        free = Q(held_by=self._me) | Q(held_until__lte=now) | Q(held_until__gt=now + 2 * _LEASE)
        if not row.filter(free).update(held_by=self._me, held_until=now + _LEASE):
            return False
        self._held_until = time.monotonic() + _LEASE.total_seconds() / 2
        return True

    def _begin(self, now: datetime) -> None:
        """Begin what is to be done next; with nothing to do, ask again later."""
        covered = IndexCoverage.objects.get(pk=1)
        hidden = sorted(str(pk) for pk in Endpoint.objects.filter(sensitive=True).values_list("pk", flat=True))
        if _is_lost(covered) or _is_outdated(covered, hidden):
            self._start_over(covered)
            return
        if covered.hidden != hidden:
            self._move(covered, hidden=hidden)
        job = self._upwards(covered, now) or self._unread(covered) or self._downwards(covered)
        if job is None and not self._check(covered, now):
            self._at = time.monotonic() + ASK_SECONDS
        self._job = self._job or job

    def _upwards(self, covered: IndexCoverage, now: datetime) -> _Job | None:
        rows = Event.objects.filter(covered.high.newer("received_at"), received_at__lt=now - LAG)
        rows = rows.order_by("received_at", "pk")
        places, is_full = _next(rows)
        if not is_full:
            return None
        high = places[-1]
        return _Job(
            self._draft(covered, places),
            lambda: self._move(covered, high_at=high.at, high_id=high.pk),
            is_urgent=rows[URGENT : URGENT + 1].exists(),
        )

    def _downwards(self, covered: IndexCoverage) -> _Job | None:
        if covered.is_whole:
            return None
        rows = Event.objects.filter(covered.low.older("received_at")).order_by("-received_at", "-pk")
        places, is_full = _next(rows)
        if not places:
            self._move(covered, is_whole=True)
        if not places or not (is_full or IndexSegment.objects.exists()):
            return None  # so few are looked through
        low = places[-1]
        return _Job(self._draft(covered, places[::-1]), lambda: self._move(covered, low_at=low.at, low_id=low.pk))

    def _unread(self, covered: IndexCoverage) -> _Job | None:
        segments, events = upkeep.unread()
        places = upkeep.places_of(Event.objects.filter(pk__in=events))
        if not places:
            upkeep.remove(segments)
            return None
        return _Job(self._draft(covered, places), lambda: upkeep.remove(segments), is_extra=True)

    def _check(self, covered: IndexCoverage, now: datetime) -> bool:
        """Look at a segment that was made a while ago; return whether there was one."""
        segment = upkeep.to_check(now)
        if segment is None:
            return False
        late = upkeep.missed(segment, covered) if segment.checked_at is None else []
        if late:
            # And the segment is looked at again then.
            self._job = _Job(self._draft(covered, late[:MOST_EVENTS]), lambda: None, is_extra=True)
        elif segment.checked_at is None or upkeep.is_needed(segment):
            IndexSegment.objects.filter(pk=segment.pk).update(checked_at=now)
        else:
            with transaction.atomic():
                upkeep.remove([segment.pk])
        return True

    def _draft(self, covered: IndexCoverage, places: list[Place]) -> Draft:
        return Draft(places, TermsOfPayloads(covered.hash_key))

    def _end(self, job: _Job, now: datetime) -> None:
        written = job.draft.written(now=now)
        if job.is_extra:
            written.segment.checked_at = now
        with transaction.atomic():
            if not IndexCoverage.objects.select_for_update().filter(pk=1, held_by=self._me).exists():
                self._held_until = float("-inf")
                return  # another worker took it over, or something was erased meanwhile
            job.finish()
            written.save()

    def _move(self, covered: IndexCoverage, **columns: object) -> None:
        IndexCoverage.objects.filter(pk=covered.pk, held_by=self._me).update(**columns)

    def _start_over(self, covered: IndexCoverage) -> None:
        """Remove the index, some of it at a time, and then what says what is in it: it is made anew."""
        with transaction.atomic():
            self._move(covered, low_at=covered.high_at, low_id=covered.high_id)  # nothing is found by it any more
            upkeep.remove(list(IndexSegment.objects.values_list("pk", flat=True)[:_REMOVED_AT_ONCE]))
        if not IndexSegment.objects.exists():
            IndexCoverage.objects.filter(pk=1, held_by=self._me).delete()
            self._held_until = float("-inf")
            logger.info("payload_index.started_over")


def _next(rows: QuerySet[Event]) -> tuple[list[Place], bool]:
    """Return the places of the first of ``rows``, and whether there are enough for a segment."""
    places: list[Place] = []
    total = 0
    for at, pk, size in rows.values_list("received_at", "pk", "body_bytes")[:MOST_EVENTS]:
        places.append(Place(at, pk))
        total += min(size, LARGEST_BYTES)
        if total >= _BYTES:
            return places, True
    return places, len(places) == MOST_EVENTS


def _is_outdated(covered: IndexCoverage, hidden: Collection[str]) -> bool:
    """Return whether the index has what is hidden by now, or lacks what no longer is; or is being removed."""
    if covered.is_empty:
        return IndexSegment.objects.exists()
    changed = {UUID(pk) for pk in set(hidden) ^ set(covered.hidden)}
    return Event.objects.filter(endpoint__in=changed).exists()


def _is_lost(covered: IndexCoverage) -> bool:
    try:
        return not covered.hash_key
    except ImproperlyConfigured:
        return True
