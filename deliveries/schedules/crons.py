"""When a cron line's time comes in a time zone, through changes of the clocks. Nothing here asks a database.

The line is matched with what a clock on the wall shows, which knows no changes; what it shows is then looked up in real
time. So the answer does not depend on where one begins to look, not even within an hour that comes twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim

#: Longer than an hour that comes twice lasts, in any zone.
_NEAR = timedelta(hours=6)


def ticks(line: str, zone: tzinfo, moment: datetime) -> Iterator[datetime]:
    """Yield the times of ``line`` after ``moment``, in UTC and in order.

    A time of day that is left out comes when the gap ends, one that comes twice counts the first time. Lines whose
    minute or hour begins with ``*`` go on by real time, as in cron(8).
    """
    by_real_time = any(field.startswith("*") for field in line.split()[:2])
    start = moment.astimezone(zone).replace(tzinfo=None) - _turned(zone, moment)
    last = moment.astimezone(UTC)
    waiting: list[datetime] = []
    for shown in CronSim(line, start):
        first, *others = _moments(shown, zone)
        exists = first.astimezone(zone).replace(tzinfo=None) == shown
        if by_real_time and exists:
            for tick in (first, *others):
                heapq.heappush(waiting, tick)
        elif not by_real_time:
            heapq.heappush(waiting, first if exists else _end_of_gap(others[0], first, zone))
        # What the wall's clock shows later comes no earlier than this.
        while waiting and waiting[0] <= first:
            tick = heapq.heappop(waiting)
            if tick > last:
                yield tick
                last = tick


def _turned(zone: tzinfo, moment: datetime) -> timedelta:
    """Return by how much clocks are changed around ``moment``, usually 0: so far back what they show may come again."""
    offsets = [(moment.astimezone(UTC) + near).astimezone(zone).utcoffset() for near in (-_NEAR, timedelta(0), _NEAR)]
    known = [offset for offset in offsets if offset is not None]
    return max(known) - min(known)


def _moments(shown: datetime, zone: tzinfo) -> list[datetime]:
    """Return when a clock shows that, by the rules before and after a change; one if there is none."""
    first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return [first] if first == second else [first, second]


def _end_of_gap(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the moment between the two at which the clock is changed, to the second."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
