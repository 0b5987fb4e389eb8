"""What keeps events from coming in: endpoints that only refuse, and endpoints that have gone quiet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext

from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import Sight
from deliveries.models import Rejection, RejectionCount, Rollup
from deliveries.models.rollup import Grain, Measure
from deliveries.stats.own_traffic import SELF_CHECK
from integrations.models import Endpoint, EndpointState

#: Fewer refusals may be a stranger's who found the address.
_FEWEST_REFUSED = 3
_TAKEN = (Measure.ACCEPTED, Measure.DUPLICATE)
_HEARD = (*_TAKEN, Measure.REFUSED)

#: The windows that are compared with the same hours of weeks before, the longest first.
_HOURS = (24, 6, 1)
#: Rows of an hour are kept for five weeks.
_WEEKS = 4
#: So much came in each of those weeks, and now no more than a tenth of the least of them: what comes by chance does so
#: in one of 23,000 windows at worst. Where less comes, nothing is said.
_FEWEST_BEFORE = 10
_QUIET = 0.1


def only_refuse(sight: Sight) -> Iterator[Concern]:
    """Tell of endpoints that have refused all that came in the last hour, or in the last day."""
    found = {
        pk: traffic for pk, traffic in _traffic(sight).items() if traffic.only_refuses and receives(sight.endpoints[pk])
    }
    reasons = _reasons(found, since=sight.now - timedelta(hours=24)) if found else {}
    for pk, traffic in found.items():
        refused = traffic.refused_in_hour or traffic.refused_in_day
        reason = reasons.get(pk, "")
        text = _refused_text(in_hour=bool(traffic.refused_in_hour), has_reason=bool(reason)) % {
            "refused": f"{refused:,}",
            "reason": reason,
        }
        explained = Rejection(reason=reason).explanation if reason else ""
        look = gettext("Open a refusal: its page says what would have matched.")
        mend = f"{explained} {look}".strip()
        # What came through on the same day may come again; else nothing gets in at all.
        level = Level.WARNING if traffic.taken_in_day else Level.PROBLEM
        place = Place(Page.REJECTIONS, filters={"endpoint": str(pk)})
        yield Concern(Kind.ONLY_REFUSES, level, sight.endpoints[pk].slug, text, mend, place, refused)


def silence(sight: Sight) -> Iterator[Concern]:
    """Tell of endpoints that hear much less than in the same hours of each of the four weeks before."""
    for pk, windows in _heard(sight).items():
        if not receives(sight.endpoints[pk]):
            continue
        for hours, (current, *before) in windows.items():
            least = min(before)
            if least < _FEWEST_BEFORE or current > least * _QUIET:
                continue
            text = _silence_text(hours, heard_any=bool(current)) % {
                "current": f"{current:,}",
                "hours": hours,
                "before": _span(before),
            }
            mend = gettext(
                "See at the provider whether the webhook is still switched on, and what its deliveries say. "
                "What never arrived can be fetched with a backfill where the provider has one."
            )
            row = sight.endpoints[pk]
            yield Concern(Kind.SILENCE, Level.WARNING, row.slug, text, mend, Place(Page.ENDPOINT, pk), least)
            break


@dataclass
class _Traffic:
    """What an endpoint took and refused in the last hour, by minutes, and in the last day, by hours."""

    counts: Counter[tuple[int, bool]] = field(default_factory=Counter)

    @property
    def refused_in_hour(self) -> int:
        refused, taken = self.counts[Grain.MINUTE, False], self.counts[Grain.MINUTE, True]
        return refused if refused >= _FEWEST_REFUSED and not taken else 0

    @property
    def refused_in_day(self) -> int:
        return self.counts[Grain.HOUR, False]

    @property
    def taken_in_day(self) -> int:
        return self.counts[Grain.HOUR, True]

    @property
    def only_refuses(self) -> bool:
        return bool(self.refused_in_hour) or (self.refused_in_day >= _FEWEST_REFUSED and not self.taken_in_day)


def _traffic(sight: Sight) -> Mapping[UUID, _Traffic]:
    recent = Q(grain_minutes=Grain.MINUTE, starts_at__gt=sight.now - timedelta(hours=1)) | Q(
        grain_minutes=Grain.HOUR, starts_at__gt=sight.now - timedelta(hours=24)
    )
    rows = Rollup.objects.filter(recent, measure__in=_HEARD).values_list("endpoint_id", "grain_minutes", "measure")
    found: defaultdict[UUID, _Traffic] = defaultdict(_Traffic)
    for pk, grain, measure, count in rows.annotate(sum=Sum("count")).order_by():
        if pk in sight.endpoints:
            found[pk].counts[grain, measure in _TAKEN] += count
    return found


def _reasons(endpoints: Collection[UUID], *, since: datetime) -> Mapping[UUID, str]:
    """Return the reason that each endpoint refused most requests for."""
    rows = RejectionCount.objects.filter(endpoint__in=endpoints, hour__gte=since).values_list("endpoint_id", "reason")
    return {pk: reason for pk, reason, _ in rows.annotate(sum=Sum("count")).order_by("sum", "reason")}


def _heard(sight: Sight) -> Mapping[UUID, Mapping[int, list[int]]]:
    """Return, by endpoint and length of window in hours, what it heard until now and in each of the weeks before.

    The window ends with the last full hour; what has come since counts as well for now, so that what is over is not
    told.
    """
    end = sight.now.replace(minute=0, second=0, microsecond=0)
    weeks = range(_WEEKS + 1)
    spans = [(hours, week, *_window(end, hours, week)) for hours in _HOURS for week in weeks]
    compared = Q()
    for hours, _, since, until in spans:
        if hours == max(_HOURS):
            compared |= Q(starts_at__gte=since, starts_at__lt=until)
    # One statement: a sum for each window of each week.
    sums = {
        f"h{hours}w{week}": Sum("count", filter=Q(starts_at__gte=since, starts_at__lt=until), default=0)
        for hours, week, since, until in spans
    }
    rows = Rollup.objects.filter(compared, grain_minutes=Grain.HOUR, measure__in=_HEARD).values_list("endpoint_id")
    found: dict[UUID, Mapping[int, list[int]]] = {}
    for pk, *counts in rows.annotate(**sums).order_by():
        if pk in sight.endpoints:
            found[pk] = {
                hours: counts[number * len(weeks) : (number + 1) * len(weeks)] for number, hours in enumerate(_HOURS)
            }
    return found


def _window(end: datetime, hours: int, week: int) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the window ``week`` weeks ago by the clock on the wall."""
    zone = timezone.get_default_timezone()
    shifted = (end.astimezone(zone).replace(tzinfo=None) - timedelta(weeks=week)).replace(tzinfo=zone)
    until = shifted.astimezone(end.tzinfo)
    return until - timedelta(hours=hours), until if week else until + timedelta(hours=1)


def receives(row: Endpoint) -> bool:
    """Return whether the endpoint takes requests of others."""
    return row.retired_at is None and row.state != EndpointState.DISABLED and row.slug != SELF_CHECK


def _span(counts: list[int]) -> str:
    least, most = min(counts), max(counts)
    if least == most:
        return f"{least:,}"
    return gettext("%(least)s to %(most)s") % {"least": f"{least:,}", "most": f"{most:,}"}


def _refused_text(*, in_hour: bool, has_reason: bool) -> str:
    if in_hour and has_reason:
        return gettext("It refused every request of the last hour: %(refused)s, most of them for %(reason)s.")
    if in_hour:
        return gettext("It refused every request of the last hour: %(refused)s.")
    if has_reason:
        return gettext("It refused every request of the last 24 hours: %(refused)s, most of them for %(reason)s.")
    return gettext("It refused every request of the last 24 hours: %(refused)s.")


def _silence_text(hours: int, *, heard_any: bool) -> str:
    if hours == 1 and heard_any:
        return gettext(
            "Only %(current)s came in the last full hour; at the same time of the four weeks before it was %(before)s."
        )
    if hours == 1:
        return gettext(
            "Nothing came in the last full hour; at the same time of the four weeks before it was %(before)s."
        )
    if heard_any:
        return gettext(
            "Only %(current)s came in the last %(hours)s hours; at the same time of the four weeks before it was "
            "%(before)s."
        )
    return gettext(
        "Nothing came in the last %(hours)s hours; at the same time of the four weeks before it was %(before)s."
    )
