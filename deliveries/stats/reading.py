"""What happened in a window of time, added up from rollup rows: a few statements, however much it was."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Sum

from deliveries.models import RejectionCount, Rollup, RollupTotal
from deliveries.models.rollup import COUNTS, TIMINGS, Grain, Measure, RollupQuerySet
from deliveries.stats.buckets import percentile
from deliveries.stats.windows import Window
from integrations.models import Endpoint, groups_of

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: What comes in: the busiest endpoints have most of it.
REQUESTS = (Measure.ACCEPTED, Measure.REFUSED)
#: By their names, as rows have them: to look one up a thousand times takes as long as to read them.
_MEASURES = {str(measure): measure for measure in Measure}
_TIMED = frozenset(TIMINGS)

#: Counts of durations by bucket, for each of `TIMINGS`.
Timings = defaultdict[Measure, Counter[int]]


def _timings() -> Timings:
    return defaultdict(Counter)


@dataclass
class Figures:
    """What was counted: ``counts`` by measure, ``timings`` by measure and bucket."""

    counts: Counter[Measure] = field(default_factory=Counter)
    timings: Timings = field(default_factory=_timings)

    def add(self, other: Figures) -> None:
        """Add what was counted in ``other``."""
        self.counts.update(other.counts)
        for measure, buckets in other.timings.items():
            self.timings[measure].update(buckets)

    def milliseconds(self, measure: Measure, percent: float) -> float | None:
        """Return a percentile of ``measure``; None if nothing was timed."""
        seconds = percentile(self.timings[measure], percent)
        return None if seconds is None else round(seconds * 1000, 3)


@dataclass
class EndpointFigures(Figures):
    """Those of one endpoint; ``slots`` has only the spans in which something was counted."""

    slots: defaultdict[datetime, Counter[Measure]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def requests(self) -> int:
        """How many were accepted or refused."""
        return self.counts[Measure.ACCEPTED] + self.counts[Measure.REFUSED]


@dataclass
class Summary(Figures):
    """All of it together, by span (of all spans of the window) and by endpoint."""

    slots: dict[datetime, Figures] = field(default_factory=dict)
    endpoints: dict[UUID, EndpointFigures] = field(default_factory=dict)


@dataclass(frozen=True)
class Detail:
    """What is read of single endpoints: the ``most`` busiest (None: all), and which measures of them.

    ``measures`` are counted by span, of ``spans`` if they are not to be those of the window; ``timings`` over the
    whole window. The endpoints' sums are always read.
    """

    most: int | None = None
    measures: Collection[Measure] = COUNTS
    timings: Collection[Measure] = TIMINGS
    spans: Window | None = None


def overall(user: Person, window: Window, *, endpoints: Iterable[UUID] | None = None) -> Summary:
    """Return what happened in ``window`` at all the endpoints together that ``user`` may see, by span: one statement.

    With ``endpoints``: at those only.
    """
    found = Summary(slots={at: Figures() for at in window.slots})
    columns = ("starts_at", "measure", "bucket")
    counted: Iterable[tuple[datetime, str, int, int]]
    if endpoints is None and groups_of(user) is None:
        rows = RollupTotal.objects.within(window.grain, window.since)
        counted = rows.values_list(*columns, "count")  # each is in one row
    else:
        own = _of(user, endpoints).within(window.grain, window.since)
        counted = own.values_list(*columns).annotate(sum=Sum("count")).order_by()
    for at, name, bucket, count in counted:
        measure = _MEASURES[name]
        # One that has begun since counts in the sums alone.
        for figures in (found, found.slots[at]) if at in found.slots else (found,):
            if measure in _TIMED:
                figures.timings[measure][bucket] += count
            else:
                figures.counts[measure] += count
    return found


def summary(
    user: Person, window: Window, *, endpoints: Iterable[UUID] | None = None, detail: Detail | None = None
) -> Summary:
    """Return `overall`, and what happened at each endpoint: five statements, however much it was.

    Of endpoints that are not among the busiest, where only those are asked for, requests alone are counted.
    """
    endpoints = None if endpoints is None else list(endpoints)
    found = overall(user, window, endpoints=endpoints)
    detail = detail or Detail()
    rows = _of(user, endpoints)
    # By the longest spans: a week of hours would be seven times as many rows.
    sums = rows.within_parts(window.parts)
    drawn = detail.spans or window
    spans = rows.within(drawn.grain, drawn.since)
    if detail.most is None:
        _add_sums(found, sums.filter(measure__in=COUNTS))
    else:
        _add_sums(found, sums.filter(measure__in=REQUESTS))
        shown = busiest(found.endpoints, detail.most)
        if len(shown) == detail.most:  # else there are few, and one without requests may have had deliveries
            if drawn.grain == Grain.DAY:
                # Few rows, for which PostgreSQL reads the whole table if they are named: it reckons a scan for each.
                sums = sums.filter(endpoint__in=Endpoint.objects.filter(pk__in=shown))
            else:
                sums, spans = sums.filter(endpoint__in=shown), spans.filter(endpoint__in=shown)
        _add_sums(found, sums.filter(measure__in=[measure for measure in COUNTS if measure not in REQUESTS]))
    _add_detail(found, spans, sums, detail)
    return found


def _add_sums(found: Summary, sums: RollupQuerySet) -> None:
    counted = sums.values_list("endpoint_id", "measure").annotate(sum=Sum("count")).order_by()
    for pk, name, count in counted:
        found.endpoints.setdefault(pk, EndpointFigures()).counts[_MEASURES[name]] += count


def _add_detail(found: Summary, spans: RollupQuerySet, sums: RollupQuerySet, detail: Detail) -> None:
    by_span = spans.filter(measure__in=detail.measures).values_list("endpoint_id", "starts_at", "measure")
    for pk, at, name, count in by_span.annotate(sum=Sum("count")).order_by():
        if pk in found.endpoints:  # else it is the first of its endpoint, and has come since
            found.endpoints[pk].slots[at][_MEASURES[name]] += count
    timed = sums.filter(measure__in=detail.timings).values_list("endpoint_id", "measure", "bucket")
    for pk, name, bucket, count in timed.annotate(sum=Sum("count")).order_by():
        if pk in found.endpoints:
            found.endpoints[pk].timings[_MEASURES[name]][bucket] += count


def merged(slots: Mapping[datetime, Figures], *, most: int) -> dict[datetime, Figures]:
    """Return ``slots`` in at most ``most`` of equal length, by the beginning of each; the last may be shorter."""
    length = math.ceil(len(slots) / most)
    found: dict[datetime, Figures] = {}
    for number, (at, figures) in enumerate(slots.items()):
        if number % length == 0:
            first = found[at] = Figures()
        first.add(figures)
    return found


def busiest(endpoints: Mapping[UUID, EndpointFigures], most: int) -> list[UUID]:
    """Return up to ``most`` endpoints, those first to which most requests came; of equals, the older ones."""
    return sorted(endpoints, key=lambda pk: (-endpoints[pk].requests, pk))[:most]


def refusals(user: Person, window: Window, *, endpoints: Iterable[UUID] | None = None) -> Mapping[str, int]:
    """Return how many requests were refused for each reason, the most frequent first, in the hours of ``window``.

    They are counted by whole hours: the one in which the window begins counts as well.
    """
    hour = window.since.replace(minute=0, second=0, microsecond=0)
    rows = RejectionCount.objects.visible_to(user).filter(hour__gte=hour)
    if endpoints is not None:
        rows = rows.filter(endpoint__in=list(endpoints))
    return dict(rows.values_list("reason").annotate(sum=Sum("count")).order_by("-sum", "reason"))


def _of(user: Person, endpoints: Iterable[UUID] | None) -> RollupQuerySet:
    rows = Rollup.objects.visible_to(user)
    return rows if endpoints is None else rows.filter(endpoint__in=list(endpoints))
