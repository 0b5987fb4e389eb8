"""What has happened since the hub was set up, from rows that only grow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from prometheus_client.core import Metric

from deliveries.metrics.described import family
from deliveries.models import RefusalTotal, Rollup
from deliveries.models.rollup import MICROSECONDS, Measure
from deliveries.stats.buckets import LAST, upper
from integrations.models import Endpoint, Route

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: Of the buckets that are kept, those at which Prometheus' begin: three for each factor of ten, from 0.5 ms to 1000 s.
_BOUNDS = tuple(bucket for bucket in range(7, 71) if bucket % 10 in {0, 3, 7})

#: The names behind a count: an endpoint's slug, and the route's name where it is one of a route.
Labels = tuple[str, ...]


class Counted(NamedTuple):
    """All that was counted, by measure and labels; of durations by bucket, too."""

    counts: Mapping[Measure, Counter[Labels]]
    timings: Mapping[Measure, Mapping[Labels, Counter[int]]]


_OUTCOMES = ((Measure.SUCCEEDED, "succeeded"), (Measure.DEAD, "dead"), (Measure.DISCARDED, "discarded"))
_OF_ENDPOINTS = ((Measure.ACCEPTED, "hub_events_accepted"), (Measure.DUPLICATE, "hub_requests_duplicate"))
_TIMED = (
    (Measure.ACK, "hub_ack_seconds"),
    (Measure.DONE, "hub_delivery_seconds"),
    (Measure.HANDLER, "hub_handler_seconds"),
)


def families(user: Person | None) -> Iterator[Metric]:
    """Yield the counters and histograms of the endpoints that ``user`` may see; None may see all."""
    counted = _counted(user)
    for measure, name in _OF_ENDPOINTS:
        yield _counter(name, counted.counts[measure])
    yield _counter("hub_requests_refused", _refused(user))
    finished: Counter[Labels] = Counter()
    for measure, outcome in _OUTCOMES:
        finished.update({(*labels, outcome): count for labels, count in counted.counts[measure].items()})
    yield _counter("hub_deliveries", finished)
    attempts: Counter[Labels] = Counter()
    for measure, outcome in ((Measure.SUCCEEDED, "succeeded"), (Measure.FAILED, "failed")):
        attempts.update({(*labels, outcome): count for labels, count in counted.counts[measure].items()})
    yield _counter("hub_attempts", attempts)
    for measure, name in _TIMED:
        yield _histogram(name, counted.timings[measure])


def _counted(user: Person | None) -> Counted:
    """Return what is in the rows, under the names that things have now.

    Names that are used a second time, after what had them was retired, go on from where the first left off: a counter
    that falls back would be read as a restart.
    """
    rows = Rollup.objects.all() if user is None else Rollup.objects.visible_to(user)
    slugs = dict(Endpoint.objects.values_list("pk", "slug"))
    routes = dict(Route.objects.values_list("pk", "name"))
    found = Counted(defaultdict(Counter), defaultdict(lambda: defaultdict(Counter)))
    columns = ("measure", "endpoint_id", "route", "bucket", "count")
    for name, endpoint, route, bucket, count in rows.ever().values_list(*columns):
        measure = Measure(name)
        labels = _labels(slugs.get(endpoint, ""), route, routes)
        if measure in found.timings or measure in {timed for timed, _ in _TIMED}:
            found.timings[measure][labels][bucket] += count
        else:
            found.counts[measure][labels] += count
    return found


def _labels(slug: str, route: UUID, routes: Mapping[UUID, str]) -> Labels:
    return (slug,) if route.int == 0 else (slug, routes.get(route, ""))


def _refused(user: Person | None) -> Counter[Labels]:
    rows = RefusalTotal.objects.all() if user is None else RefusalTotal.objects.visible_to(user)
    found: Counter[Labels] = Counter()
    for slug, reason, count in rows.values_list("endpoint__slug", "reason", "count"):
        found[slug, reason] += count
    return found


def _counter(name: str, counts: Mapping[Labels, int]) -> Metric:
    found: Any = family(name)
    for values in sorted(counts):
        found.add_metric(values, counts[values])
    return cast(Metric, found)


def _histogram(name: str, timings: Mapping[Labels, Mapping[int, int]]) -> Metric:
    found: Any = family(name)
    for values in sorted(timings):
        counts = timings[values]
        buckets = [(f"{upper(bound):.4g}", float(_up_to(counts, bound))) for bound in _BOUNDS]
        buckets.append(("+Inf", float(_up_to(counts, LAST))))
        found.add_metric(values, buckets, sum_value=counts.get(MICROSECONDS, 0) / 1_000_000)
    return cast(Metric, found)


def _up_to(counts: Mapping[int, int], bound: int) -> int:
    return sum(count for bucket, count in counts.items() if bucket <= bound)
