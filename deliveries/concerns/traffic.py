"""What endpoints took and refused of late, and in the same hours of weeks before: from rows of hours.

Of an endpoint at which all is well only this week and the one before are read; the minutes of the last hour and the
weeks before that only where a concern may come of them. With hundreds of endpoints that is a fifth of the rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, Sum
from django.utils import timezone

from deliveries.models import Rollup
from deliveries.models.rollup import Grain, Measure, RollupQuerySet

TAKEN = (Measure.ACCEPTED, Measure.DUPLICATE)
_HEARD = (*TAKEN, Measure.REFUSED)
#: Fewer refusals may be a stranger's who found the address.
FEWEST_REFUSED = 3

#: The windows that are compared with the same hours of weeks before, the longest first.
HOURS = (24, 6, 1)
#: Rows of an hour are kept for five weeks.
_WEEKS = 4
#: So much came in each of those weeks, and now no more than a tenth of the least of them: what comes by chance does so
#: in one of 23,000 windows at worst. Where less comes, nothing is said.
_FEWEST_BEFORE = 10
_QUIET = 0.1

#: Endpoints that a statement names.
_MOST_NAMED = 5

#: What was heard in each of `HOURS`, by the number of weeks ago.
_Weeks = Mapping[int, Mapping[int, int]]


@dataclass(frozen=True)
class Traffic:
    """What one endpoint took and refused in the last day, by whole hours, and in the hour of the clock.

    ``refused_lately`` are those of that hour and the one before it: no fewer than in the last sixty minutes. ``heard``
    has what came in each of `HOURS` now and a week ago.
    """

    taken_in_day: int
    refused_in_day: int
    taken_this_hour: int
    refused_lately: int
    heard: _Weeks

    @property
    def may_only_refuse(self) -> bool:
        """Whether the minutes of the last hour are worth a look."""
        lately = self.refused_lately >= FEWEST_REFUSED and not self.taken_this_hour
        return lately or self.only_refuses_in_day

    @property
    def only_refuses_in_day(self) -> bool:
        """Whether it refused all that came in the last day."""
        return self.refused_in_day >= FEWEST_REFUSED and not self.taken_in_day

    @property
    def may_be_silent(self) -> bool:
        """Whether much less came than a week ago."""
        return any(is_quiet(weeks[0], weeks[1]) for weeks in self.heard.values())


def is_quiet(current: int, before: int) -> bool:
    """Return whether ``current`` is so much less than ``before`` that it is no chance."""
    return before >= _FEWEST_BEFORE and current <= before * _QUIET


def traffic(now: datetime) -> dict[UUID, Traffic]:
    """Return what is known of each endpoint that heard anything, now or a week ago."""
    end = _hour(now)
    hours = _in_hours(end, weeks=(0, 1))
    sums = {
        "taken_in_day": Sum("count", filter=Q(measure__in=TAKEN, starts_at__gt=now - timedelta(hours=24)), default=0),
        "refused_in_day": _refused(Q(starts_at__gt=now - timedelta(hours=24))),
        "taken_this_hour": Sum("count", filter=Q(measure__in=TAKEN, starts_at__gte=end), default=0),
        "refused_lately": _refused(Q(starts_at__gte=end - timedelta(hours=1))),
    }
    rows = Rollup.objects.filter(_compared(end, (0, 1)), grain_minutes=Grain.HOUR, measure__in=_HEARD)
    found = {}
    for pk, *counts in rows.values_list("endpoint_id").annotate(**sums, **hours).order_by():
        taken, refused, this_hour, lately, *heard = counts
        found[pk] = Traffic(taken, refused, this_hour, lately, _by_hours(heard, (0, 1)))
    return found


def in_last_hour(endpoints: Collection[UUID], now: datetime) -> Mapping[UUID, Counter[bool]]:
    """Return how many requests each of ``endpoints`` took (True) and refused (False) in the last sixty minutes."""
    found: defaultdict[UUID, Counter[bool]] = defaultdict(Counter)
    if not endpoints:
        return found
    recent = Rollup.objects.filter(
        grain_minutes=Grain.MINUTE, starts_at__gt=now - timedelta(hours=1), measure__in=_HEARD
    )
    rows = _of(recent, endpoints).values_list("endpoint_id", "measure")
    for pk, measure, count in rows.annotate(sum=Sum("count")).order_by():
        found[pk][measure in TAKEN] += count
    return found


def silences(known: Mapping[UUID, Traffic], now: datetime) -> Iterator[tuple[UUID, int, int, list[int]]]:
    """Yield (endpoint, hours, heard now, heard in each week before) for those that hear much less than in all weeks.

    The window ends with the last full hour; what has come since counts as well for now, so that what is over is not
    told. Of several windows, the longest is told.
    """
    suspects = {pk for pk, found in known.items() if found.may_be_silent}
    if not suspects:
        return
    end, weeks = _hour(now), tuple(range(2, _WEEKS + 1))
    rows = _of(Rollup.objects.filter(_compared(end, weeks), grain_minutes=Grain.HOUR, measure__in=_HEARD), suspects)
    sums = rows.values_list("endpoint_id").annotate(**_in_hours(end, weeks=weeks)).order_by()
    for pk, *counts in sums:
        if pk not in suspects:
            continue
        earlier = _by_hours(counts, weeks)
        for hours in HOURS:
            recent = known[pk].heard[hours]
            before = [recent[1], *earlier[hours].values()]
            if is_quiet(recent[0], min(before)):
                yield pk, hours, recent[0], before
                break


def _of(rows: RollupQuerySet, endpoints: Collection[UUID]) -> RollupQuerySet:
    """Return those of ``endpoints`` if they are few; else all: for many names PostgreSQL reads the whole table."""
    return rows.filter(endpoint__in=endpoints) if len(endpoints) <= _MOST_NAMED else rows


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _refused(when: Q) -> Sum:
    return Sum("count", filter=when & Q(measure=Measure.REFUSED), default=0)


def _compared(end: datetime, weeks: Collection[int]) -> Q:
    """Return the hours of the longest window in each of ``weeks``."""
    compared = Q()
    for week in weeks:
        since, until = _window(end, max(HOURS), week)
        compared |= Q(starts_at__gte=since, starts_at__lt=until)
    return compared


def _in_hours(end: datetime, *, weeks: Collection[int]) -> dict[str, Sum]:
    """Return a sum for each window of each week, in one statement."""
    found = {}
    for hours in HOURS:
        for week in weeks:
            since, until = _window(end, hours, week)
            when = Q(starts_at__gte=since, starts_at__lt=until)
            found[f"h{hours}w{week}"] = Sum("count", filter=when, default=0)
    return found


def _by_hours(counts: list[int], weeks: Collection[int]) -> _Weeks:
    each = iter(counts)
    return {hours: {week: next(each) for week in weeks} for hours in HOURS}


def _window(end: datetime, hours: int, week: int) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the window ``week`` weeks ago by the clock on the wall."""
    zone = timezone.get_default_timezone()
    shifted = (end.astimezone(zone).replace(tzinfo=None) - timedelta(weeks=week)).replace(tzinfo=zone)
    until = shifted.astimezone(end.tzinfo)
    return until - timedelta(hours=hours), until if week else until + timedelta(hours=1)
