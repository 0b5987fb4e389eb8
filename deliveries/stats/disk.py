"""How large the database is, how fast it grows, and when its disk is full: from statistics, no look at events."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Min, Q, Sum

from deliveries.models import RollupTotal
from deliveries.models.rollup import Grain, Measure

#: Growth is that of the week before.
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Forecast:
    """``size`` bytes now, ``growth`` bytes a day, ``free`` bytes left; ``full_in`` None: never, or unknown."""

    size: int
    growth: int
    free: int | None
    full_in: timedelta | None


def forecast(now: datetime) -> Forecast:
    """Return what is to be expected if events come as in the last seven days, and go with the bodies' age.

    What an event takes is the size of the database by the events whose body it still has. ``free`` is that of SQLite's
    disk, or what is left of ``HUB_DATABASE_DISK_BYTES``; None for a PostgreSQL server of which that is not known.
    """
    size = _size()
    free = _free(size)
    age = min(
        timedelta(days=settings.HUB_BODY_DAYS or settings.HUB_STATS_DAYS), timedelta(days=settings.HUB_STATS_DAYS)
    )
    came = _came(now, age)
    each = size / came["kept"] if came["kept"] else 0
    growth = round(((came["coming"] or 0) - (came["going"] or 0)) / _WEEK.days * each)
    if free is None or growth <= 0:
        return Forecast(size, growth, free, None)
    # Once the first bodies of this rate are past their age, as much goes as comes.
    levels_off_in = max(came["first"] + age - now, _WEEK) if settings.HUB_BODY_DAYS else timedelta.max
    left = timedelta(days=min(free / growth, 36_500))
    return Forecast(size, growth, free, left if left < levels_off_in else None)


def _came(now: datetime, age: timedelta) -> dict[str, Any]:
    """Return how many events came: those still ``kept``, ``coming`` in the last week, ``going`` in the next; the first.

    By whole days, in one look at the statistics.
    """

    def total(since: datetime, until: datetime) -> Sum:
        return Sum("count", filter=Q(starts_at__gte=since - timedelta(days=1), starts_at__lt=until))

    days = RollupTotal.objects.filter(grain_minutes=Grain.DAY, measure=Measure.ACCEPTED)
    begin = now - age - _WEEK
    return days.filter(starts_at__gte=begin - timedelta(days=1)).aggregate(
        kept=total(now - age, now),
        coming=total(now - _WEEK, now),
        going=total(begin, now - age),
        first=Min("starts_at"),
    )


def _size() -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
        # All but the pages that SQLite will use again.
        cursor.execute(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        )
        return int(cursor.fetchone()[0])


def _free(size: int) -> int | None:
    if settings.HUB_DATABASE_DISK_BYTES:
        return max(settings.HUB_DATABASE_DISK_BYTES - size, 0)
    if connection.vendor == "postgresql":
        return None
    folder = Path(str(connection.settings_dict["NAME"])).parent
    return shutil.disk_usage(folder).free if folder.is_dir() else None
