"""Filters whose choices say how much there is of each: counted in the last 24 hours, no look at large tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from deliveries.admin.filters import Choices, EndpointFilter, ProviderFilter, RouteFilter, StatusFilter
from deliveries.models import DeliveryStatus, Rollup
from deliveries.models.rollup import Measure
from deliveries.stats.windows import window

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
