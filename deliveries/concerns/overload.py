"""That there is more than the hub can take, as the asked process knows it."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import Sight
from deliveries.overload.judging import Room
from deliveries.overload.standing import overload

_PLACE = Place(Page.OVERLOAD)


def no_room(sight: Sight) -> Iterator[Concern]:  # noqa: ARG001 - as all looks
    """Tell that so little is left of the disk that something has stopped."""
    room = overload.now.room
    if room == Room.ENOUGH:
        return
    text = gettext(
        "The database's disk is all but full: workers pause and rejections are only counted, so that events fit."
    )
    if room == Room.NONE:
        text = gettext("The database's disk is full: every event is refused with 503, and no handler is begun.")
    mend = gettext(
        "Free some, or give it a larger one; `manage.py prune` removes what is past its age. All goes on by itself."
    )
    yield Concern(Kind.NO_ROOM, Level.PROBLEM, gettext("Disk"), text, mend, _PLACE)


def shedding(sight: Sight) -> Iterator[Concern]:  # noqa: ARG001 - as all looks
    """Tell that endpoints of low priority are refused for the sake of others."""
    standing = overload.now
    if not standing.is_shedding:
        return
    text = gettext("There is more than the hub can take: requests for endpoints of low priority are refused with 503.")
    mend = gettext(
        "More web workers (HUB_WEB_WORKERS) or a larger machine; which endpoints matter most is their priority."
    )
    if standing.queue_bar >= standing.pressure:
        mend = gettext(
            "What is due waits for longer than HUB_SHED_QUEUE_SECONDS: more workers, or shorter timeouts of routes."
        )
    yield Concern(Kind.SHEDDING, Level.PROBLEM, gettext("Load"), text, mend, _PLACE)


def accept_only(sight: Sight) -> Iterator[Concern]:  # noqa: ARG001 - as all looks
    """Tell that somebody has switched accept-only mode on."""
    who = overload.now.accept_only_by
    if who:
        text = gettext("Accept-only mode: events are stored, and no handler is begun. %(who)s switched it on.")
        mend = gettext("Switch it off when it is not needed.")
        yield Concern(Kind.ACCEPT_ONLY, Level.WARNING, gettext("Workers"), text % {"who": who}, mend, _PLACE)
