"""What is kept of an event and until when, in words for its page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from deliveries.models import Event
from deliveries.models.keeping import Part
from deliveries.retention.ages import Ages
from deliveries.retention.standing import Standing, standings

_NAMES = {Part.BODY: "body", Part.HEADERS: "headers", Part.ATTEMPTS: "what attempts said"}


def outlook(event: Event, *, now: datetime) -> list[str]:
    """Return a line for each part of ``event`` that was removed or will be, and for what keeps it whole.

    Days are UTC. A dead letter and what is not finished are named, for they outlive the ages.
    """
    ages = Ages.of(event.endpoint)
    if event.legal_hold or event.endpoint.legal_hold:
        return [*_gone(event), "Everything that is left stays: it is under a legal hold."]
    lines = [*_gone(event), *_ends(event, ages)]
    if standings([event.pk], ages, now=now).get(event.pk, Standing()).holds:
        lines.append(_kept_whole(ages))
    return lines


def _gone(event: Event) -> Iterator[str]:
    by = "at somebody's request" if event.erased_at else "by retention"
    if event.body_removed_at:
        yield f"body: removed on {event.body_removed_at:%Y-%m-%d} {by}"
    if event.headers_removed_at:
        yield f"headers: removed on {event.headers_removed_at:%Y-%m-%d} {by}"
    if Part.ATTEMPTS not in event.parts:
        yield "what attempts said: removed"


def _ends(event: Event, ages: Ages) -> Iterator[str]:
    whole = ages.events
    for part in event.parts:
        own = ages.of_part(part)
        age = min((each for each in (own, whole) if each is not None), default=None)
        yield f"{_NAMES[part]}: {_until(event, age)}"
    yield f"the event itself: {_until(event, whole)}"


def _until(event: Event, age: timedelta | None) -> str:
    return "for ever" if age is None else f"until {event.received_at + age:%Y-%m-%d}"


def _kept_whole(ages: Ages) -> str:
    letters = "for ever" if ages.dead_letters is None else f"for {ages.dead_letters.days} days"
    return f"All of it stays while a delivery is not finished; dead letters stay {letters} after their end."
