"""What happened in a window of time, added up from rollup rows: three statements, however much it was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Sum

from deliveries.models import RejectionCount, Rollup
from deliveries.models.rollup import COUNTS, TIMINGS, Measure
from deliveries.stats.buckets import percentile
from deliveries.stats.windows import Window

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: Counts of durations by bucket, for each of `TIMINGS`.
Timings = defaultdict[Measure, Counter[int]]


def _timings() -> Timings:
    return defaultdict(Counter)


@dataclass
class Figures:
    """What was counted: ``counts`` by measure, ``timings`` by measure and bucket."""

    counts: Counter[Measure] = field(default_factory=Counter)
    timings: Timings = field(default_factory=_timings)

    def milliseconds(self, measure: Measure, percent: float) -> float | None:
        """Return a percentile of ``measure``; None if nothing was timed."""
        seconds = percentile(self.timings[measure], percent)
        return None if seconds is None else round(seconds * 1000, 3)


@dataclass
class EndpointFigures(Figures):
    """Those of one endpoint; ``slots`` has only the spans in which something was counted."""

    slug: str = ""
    slots: defaultdict[datetime, Counter[Measure]] = field(default_factory=lambda: defaultdict(Counter))


@dataclass
class Summary(Figures):
    """All of it together, by span (of all spans of the window) and by endpoint."""

    slots: dict[datetime, Figures] = field(default_factory=dict)
    endpoints: dict[UUID, EndpointFigures] = field(default_factory=dict)


def summary(user: Person, window: Window, *, endpoints: Iterable[UUID] | None = None) -> Summary:
    """Return what happened in ``window`` at the endpoints that ``user`` may see; at ``endpoints`` only, if given."""
    rows = Rollup.objects.visible_to(user).within(window.grain, window.since)
    if endpoints is not None:
        rows = rows.filter(endpoint__in=list(endpoints))
    found = Summary(slots={at: Figures() for at in window.slots})
    counted = rows.filter(measure__in=COUNTS).values_list("endpoint", "endpoint__slug", "starts_at", "measure")
    for pk, slug, at, name, count in counted.annotate(sum=Sum("count")).order_by():
        _count(found, (pk, slug, at), Measure(name), count)
    # Once by span and once by endpoint: both at once would be a row for every bucket of every endpoint's every hour.
    timed = rows.filter(measure__in=TIMINGS)
    by_span = timed.values_list("starts_at", "measure", "bucket").annotate(sum=Sum("count")).order_by()
    for at, name, bucket, count in by_span:
        _time((found, found.slots.get(at)), Measure(name), bucket, count)
    by_endpoint = timed.values_list("endpoint", "endpoint__slug", "measure", "bucket").annotate(sum=Sum("count"))
    for pk, slug, name, bucket, count in by_endpoint.order_by():
        _time((_of(found, pk, slug),), Measure(name), bucket, count)
    return found


def refusals(user: Person, window: Window, *, endpoints: Iterable[UUID] | None = None) -> Mapping[str, int]:
    """Return how many requests were refused for each reason, the most frequent first, in the hours of ``window``.

    They are counted by whole hours: the one in which the window begins counts as well.
    """
    hour = window.since.replace(minute=0, second=0, microsecond=0)
    rows = RejectionCount.objects.visible_to(user).filter(hour__gte=hour)
    if endpoints is not None:
        rows = rows.filter(endpoint__in=list(endpoints))
    return dict(rows.values_list("reason").annotate(sum=Sum("count")).order_by("-sum", "reason"))


def _count(found: Summary, place: tuple[UUID, str, datetime], measure: Measure, count: int) -> None:
    pk, slug, at = place
    of_endpoint = _of(found, pk, slug)
    for counts in (found.counts, of_endpoint.counts, of_endpoint.slots[at]):
        counts[measure] += count
    if at in found.slots:  # one that has begun since counts in the sums alone
        found.slots[at].counts[measure] += count


def _time(places: Iterable[Figures | None], measure: Measure, bucket: int, count: int) -> None:
    for figures in places:
        if figures is not None:
            figures.timings[measure][bucket] += count


def _of(found: Summary, pk: UUID, slug: str) -> EndpointFigures:
    if pk not in found.endpoints:
        found.endpoints[pk] = EndpointFigures(slug=slug)
    return found.endpoints[pk]
