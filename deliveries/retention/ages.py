"""How long an endpoint keeps what, and until when: its own ages, else those of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from deliveries.models.keeping import Part
from integrations.models import Endpoint


@dataclass(frozen=True)
class Ages:
    """How long each is kept; None is for ever."""

    body: timedelta | None
    headers: timedelta | None
    attempts: timedelta | None
    dead_letters: timedelta | None
    events: timedelta | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> Ages:
        """Return the ages of ``endpoint``."""
        return cls(
            body=_age(endpoint.keep_body_days, settings.HUB_BODY_DAYS),
            headers=_age(endpoint.keep_headers_days, settings.HUB_HEADERS_DAYS),
            attempts=_age(endpoint.keep_attempts_days, settings.HUB_ATTEMPT_DAYS),
            dead_letters=_age(endpoint.keep_dead_letters_days, settings.HUB_DEAD_LETTER_DAYS),
            events=_age(endpoint.keep_events_days, settings.HUB_EVENT_DAYS),
        )

    def of_part(self, part: Part) -> timedelta | None:
        """Return how long ``part`` of an event is kept; None is for ever."""
        return {Part.BODY: self.body, Part.HEADERS: self.headers, Part.ATTEMPTS: self.attempts}[part]

    def due(self, parts: Part, *, received_at: datetime, now: datetime) -> Part:
        """Return which of ``parts`` are past their age in an event that came at ``received_at``."""
        found = Part(0)
        for part in Part:
            age = self.of_part(part)
            if part in parts and age is not None and received_at < now - age:
                found |= part
        return found

    def first_due(self, parts: Part, *, now: datetime) -> datetime | None:
        """Return before when an event must have come for one of ``parts`` to be past its age; None: none ever is."""
        ages = [age for part in Part if part in parts and (age := self.of_part(part)) is not None]
        return now - min(ages) if ages else None


def _age(own: int | None, general: int) -> timedelta | None:
    days = general if own is None else own
    return timedelta(days=days) if days else None
