"""What is kept of an event and until when, in words for its page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries.models import Event
from deliveries.models.keeping import Part
from deliveries.retention.ages import Ages
from deliveries.retention.standing import Standing, standings

_NAMES = {
    Part.BODY: gettext_lazy("body"),
    Part.HEADERS: gettext_lazy("headers"),
    Part.ATTEMPTS: gettext_lazy("what attempts said"),
}


def outlook(event: Event, *, now: datetime) -> list[str]:
    """Return a line for each part of ``event`` that was removed or will be, and for what keeps it whole.

    Days are UTC. A dead letter and what is not finished are named, for they outlive the ages.
    """
    ages = Ages.of(event.endpoint)
    if event.legal_hold or event.endpoint.legal_hold:
        return [*_gone(event), gettext("Everything that is left stays: it is under a legal hold.")]
    lines = [*_gone(event), *_ends(event, ages)]
    if standings([event.pk], ages, now=now).get(event.pk, Standing()).holds:
        lines.append(_kept_whole(ages))
    return lines


def _gone(event: Event) -> Iterator[str]:
    if event.erased_at:
        text = gettext("%(part)s: removed on %(day)s at somebody's request")
    else:
        text = gettext("%(part)s: removed on %(day)s by retention")
    for part, removed_at in ((Part.BODY, event.body_removed_at), (Part.HEADERS, event.headers_removed_at)):
        if removed_at:
            yield text % {"part": _NAMES[part], "day": f"{removed_at:%Y-%m-%d}"}
    if Part.ATTEMPTS not in event.parts:
        yield gettext("what attempts said: removed")


def _ends(event: Event, ages: Ages) -> Iterator[str]:
    whole = ages.events
    for part in event.parts:
        own = ages.of_part(part)
        age = min((each for each in (own, whole) if each is not None), default=None)
        yield _until(_NAMES[part], event, age)
    yield _until(gettext("the event itself"), event, whole)


def _until(part: str | Promise, event: Event, age: timedelta | None) -> str:
    if age is None:
        return gettext("%(part)s: for ever") % {"part": part}
    return gettext("%(part)s: until %(day)s") % {"part": part, "day": f"{event.received_at + age:%Y-%m-%d}"}


def _kept_whole(ages: Ages) -> str:
    if ages.dead_letters is None:
        return gettext("All of it stays while a delivery is not finished; dead letters stay for ever after their end.")
    text = ngettext(
        "All of it stays while a delivery is not finished; dead letters stay for %(days)d day after their end.",
        "All of it stays while a delivery is not finished; dead letters stay for %(days)d days after their end.",
        ages.dead_letters.days,
    )
    return text % {"days": ages.dead_letters.days}
