"""What keeps events from being stored: a disk that is going to be full."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext, ngettext

from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import Sight
from deliveries.stats.disk import Forecast, forecast

#: Time enough to order a larger disk, and time enough to do something at once.
_SOON, _VERY_SOON = timedelta(days=30), timedelta(days=7)


def disk(sight: Sight) -> Iterator[Concern]:
    """Tell when the database's disk is full if events go on to come as they do."""
    if not sight.sees_all:
        return
    found = forecast(sight.now)
    if found.full_in is None or found.full_in > _SOON:
        return
    mend = gettext(
        "Keep bodies for a shorter time (HUB_BODY_DAYS, or the endpoint's own), or give the database a larger disk."
    )
    level = Level.PROBLEM if found.full_in < _VERY_SOON else Level.WARNING
    yield Concern(Kind.DISK, level, "", in_words(found), mend, Place(Page.ENDPOINTS))


def in_words(found: Forecast) -> str:
    """Return a forecast as a sentence."""
    values = {"size": gib(found.size), "growth": gib(found.growth)}
    if found.free is None:
        return gettext("The database takes %(size)s and grows by %(growth)s a day.") % values
    values["free"] = gib(found.free)
    if found.full_in is None:
        return (
            gettext(
                "The database takes %(size)s and grows by %(growth)s a day; %(free)s are free, which is enough at this "
                "rate."
            )
            % values
        )
    days = max(found.full_in.days, 0)
    text = ngettext(
        "The database takes %(size)s and grows by %(growth)s a day; %(free)s are free: full in about %(days)s day.",
        "The database takes %(size)s and grows by %(growth)s a day; %(free)s are free: full in about %(days)s days.",
        days,
    )
    return text % {**values, "days": days}


def gib(count: int) -> str:
    """Return bytes in GiB, or MiB where there are few."""
    return f"{count / 1024**3:.1f} GiB" if abs(count) >= 1024**3 else f"{count / 1024**2:.0f} MiB"
