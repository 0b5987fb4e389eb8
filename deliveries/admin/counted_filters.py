"""Filters whose choices say how much there is of each: counted in the last 24 hours, no look at large tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from deliveries.admin.filters import (
    Choices,
    DeliveredTypeFilter,
    EndpointFilter,
    ErrorFilter,
    EventTypeFilter,
    ProviderFilter,
    ReasonFilter,
    RouteFilter,
    StatusFilter,
)
from deliveries.models import DeliveryStatus, NamedCount, RejectionCount, Rollup
from deliveries.models.named_count import OTHERS
from deliveries.models.rollup import Measure
from deliveries.stats.windows import window

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

#: Names that are offered, the most frequent; and names of all that are looked at.
_OFFERED, _MOST_NAMES = 12, 2000

#: What ends a delivery, by the status in which it is then.
_ENDS = {
    Measure.SUCCEEDED: DeliveryStatus.SUCCEEDED,
    Measure.DEAD: DeliveryStatus.DEAD,
    Measure.DISCARDED: DeliveryStatus.DISCARDED,
}
_Counts = Mapping[str, int]


def _with_counts(choices: Choices, counts: _Counts) -> Choices:
    """Return ``choices`` with their counts; nothing is said of what was not counted."""
    for value, text in choices:
        count = counts.get(value, 0)
        yield value, gettext("%(name)s (%(count)s in 24 h)") % {"name": text, "count": f"{count:,}"} if count else text


def _counted(request: HttpRequest, measures: tuple[Measure, ...], *by: str) -> Mapping[str, _Counts]:
    """Return what the user may see of ``measures`` by each of the columns ``by``; one statement for a page."""
    kept: dict[Any, Mapping[str, _Counts]] = request.__dict__.setdefault("_counted_of_a_day", {})
    if (measures, by) not in kept:
        day = window("24h", now=timezone.now())
        rows = Rollup.objects.visible_to(request.user).within_parts(day.parts).filter(measure__in=measures)
        found: dict[str, Counter[str]] = {column: Counter() for column in by}
        for *values, count in rows.values_list(*by).annotate(sum=Sum("count")).order_by():
            for column, value in zip(by, values, strict=True):
                found[column][str(value)] += count
        kept[measures, by] = found
    return kept[measures, by]


class _CountedRequests:
    """What came to each endpoint, and so from each provider."""

    measure: ClassVar[Measure]
    counted_by: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the choices with what was counted."""
        counts = _counted(request, (self.measure,), "endpoint_id", "endpoint__provider")
        return list(_with_counts(super().lookups(request, model_admin), counts[self.counted_by]))  # type: ignore[misc]


class AcceptingEndpointFilter(_CountedRequests, EndpointFilter):
    """By endpoint, with what was accepted there."""

    measure, counted_by = Measure.ACCEPTED, "endpoint_id"


class RefusingEndpointFilter(_CountedRequests, EndpointFilter):
    """By endpoint, with what was refused there."""

    measure, counted_by = Measure.REFUSED, "endpoint_id"


class AcceptedProviderFilter(_CountedRequests, ProviderFilter):
    """By provider, with what was accepted from it."""

    measure, counted_by = Measure.ACCEPTED, "endpoint__provider"


class _CountedEnds:
    """How many deliveries have ended: at each endpoint, on each route, and in which status."""

    counted_by: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the choices with what was counted."""
        counts = _counted(request, tuple(_ENDS), "endpoint_id", "route", "measure")[self.counted_by]
        return list(_with_counts(super().lookups(request, model_admin), self.by_choice(counts)))  # type: ignore[misc]

    def by_choice(self, counts: _Counts) -> _Counts:
        """Return what was counted by the values of the filter."""
        return counts


class DeliveringEndpointFilter(_CountedEnds, EndpointFilter):
    """By endpoint, with how many of its deliveries ended."""

    counted_by = "endpoint_id"


class DeliveringRouteFilter(_CountedEnds, RouteFilter):
    """By route, with how many of its deliveries ended."""

    counted_by = "route"


class EndedStatusFilter(_CountedEnds, StatusFilter):
    """By status, with how many came to be in each that is an end."""

    counted_by = "measure"

    def by_choice(self, counts: _Counts) -> _Counts:
        """Return what was counted by status."""
        return {str(status): counts.get(str(measure), 0) for measure, status in _ENDS.items()}


@dataclass(frozen=True)
class _Named:
    """What was counted by name; others may have had the names, too, where ``is_cut``."""

    counts: _Counts
    is_cut: bool


def _named(request: HttpRequest, measures: tuple[Measure, ...]) -> Mapping[str, _Named]:
    """Return what the user may see of ``measures`` by name, of the last day; one statement for a page."""
    kept: dict[tuple[Measure, ...], Mapping[str, _Named]] = request.__dict__.setdefault("_named_of_a_day", {})
    if measures not in kept:
        since = window("24h", now=timezone.now()).since
        rows = NamedCount.objects.visible_to(request.user).filter(measure__in=measures, starts_at__gte=since)
        sums = rows.values_list("measure", "name").annotate(sum=Sum("count")).order_by("-sum", "name")
        found: dict[str, dict[str, int]] = {str(measure): {} for measure in measures}
        for measure, name, count in sums[:_MOST_NAMES]:
            found[measure][name] = count
        is_cut = sum(map(len, found.values())) == _MOST_NAMES
        others = {measure: counts.pop(OTHERS, 0) for measure, counts in found.items()}
        kept[measures] = {name: _Named(counts, is_cut or others[name] > 0) for name, counts in found.items()}
    return kept[measures]


class _Offering:
    """A text to enter, and the most frequent ones to choose from, with how often each was counted."""

    template = "admin/deliveries/offering_filter.html"
    measures: ClassVar[tuple[Measure, ...]]
    measure: ClassVar[Measure]
    named: _Named

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing, for the text is free; and note what is offered."""
        self.named = _named(request, self.measures)[self.measure]
        return ()

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the field, and what is offered: its text, its address, and whether it is chosen."""
        field = next(iter(super().choices(changelist)))  # type: ignore[misc]
        chosen = (self.value() or "").strip()  # type: ignore[attr-defined]
        frequent = sorted(self.named.counts.items(), key=itemgetter(1), reverse=True)[:_OFFERED]
        parameter: str = self.parameter_name  # type: ignore[attr-defined]
        offered = [
            (self._text(name, count), changelist.get_query_string({parameter: name}), name == chosen)
            for name, count in frequent
        ]
        yield {**field, "offered": offered}

    def _text(self, name: str, count: int) -> str:
        values = {"name": name, "count": f"{count:,}"}
        if self.named.is_cut:
            return gettext("%(name)s (at least %(count)s in 24 h)") % values
        return gettext("%(name)s (%(count)s in 24 h)") % values


class AcceptedTypeFilter(_Offering, EventTypeFilter):
    """By event type; the most frequent ones are offered, with how many events were accepted."""

    measures, measure = (Measure.ACCEPTED,), Measure.ACCEPTED


class OfferedTypeFilter(_Offering, DeliveredTypeFilter):
    """By the type of the event that is delivered; offered as at the events."""

    measures, measure = (Measure.ACCEPTED, Measure.FAILED), Measure.ACCEPTED


class FailedErrorFilter(_Offering, ErrorFilter):
    """By the class of the last error; the most frequent ones are offered, with how many attempts failed."""

    measures, measure = (Measure.ACCEPTED, Measure.FAILED), Measure.FAILED


class RefusedReasonFilter(_Offering, ReasonFilter):
    """By why a request was refused; the most frequent reasons are offered, with how many requests were."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing, for the text is free; and note what is offered."""
        since = window("24h", now=timezone.now()).since
        rows = RejectionCount.objects.visible_to(request.user).filter(hour__gte=since)
        counts = rows.order_by().values_list("reason").annotate(sum=Sum("count"))
        self.named = _Named(dict(counts), is_cut=False)
        return ()
