"""What the events of an endpoint have told of resources: for providers that say how things are, not what they sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from deliveries.models import Event
from integrations.errors import HubError
from integrations.history import Sent, States
from integrations.identifiers import lowest_at
from integrations.models import Endpoint

#: More events than this are not read through at once: an operator asks about a shorter time.
MOST_EVENTS = 200_000
#: A provider's clock and the hub's are so far apart at most.
_SKEW = timedelta(minutes=10)
#: So long at most it takes from the id of an event to its commit.
_COMMIT = timedelta(minutes=1)
_AT_ONCE = 200
#: Told of, in which state is not said: every state counts as told.
_EVERY_STATE = datetime.max.replace(tzinfo=UTC)


class CannotTell(HubError):
    """What arrived does not say what it was about, or is too much to look through; the message is for the operator."""


class Told:
    """Which resources ``row`` has been told of since a time, and the latest state of each.

    A state that came to be after ``since`` was told after it, so that only those events have to be read.
    """

    def __init__(self, row: Endpoint, states: States, *, since: datetime, alive: Callable[[], object]) -> None:
        self._row, self._states, self._alive = row, states, alive
        self._since = since
        self._looked_at: datetime | None = None
        self._latest: dict[str, datetime] = {}
        if row.dedupe != "id" or row.settings.get("event_id") or row.settings.get("event_type"):
            raise CannotTell("Of this provider only endpoints are backfilled that dedupe by id, in its usual places.")

    def look(self) -> None:
        """Read what arrived, or since the last look what was stored; raises `CannotTell`."""
        now = timezone.now()
        rows = Event.objects.filter(endpoint=self._row)
        if self._looked_at is None:
            rows = rows.filter(received_at__gte=self._since - _SKEW).order_by("received_at")
        else:  # by id, as what is reverified has the time of its first arrival
            rows = rows.filter(pk__gte=lowest_at(self._looked_at - _COMMIT)).order_by("pk")
        for number, event in enumerate(rows[: MOST_EVENTS + 1].iterator(chunk_size=_AT_ONCE)):
            if number == MOST_EVENTS:
                raise CannotTell(f"More than {MOST_EVENTS} events arrived since then; ask about a shorter time.")
            if number % _AT_ONCE == 0:
                self._alive()
            self._read(event)
        self._looked_at = now

    def knows(self, sent: Sent) -> bool:
        """Return whether ``sent`` is no news: anything told of what is new, this state or a later of what changed."""
        latest = self._latest.get(sent.resource)
        return latest is not None and (sent.is_new or sent.state is None or latest >= sent.state)

    def add(self, sent: Sent) -> None:
        """Count ``sent`` as told."""
        self._note(sent.resource, sent.state)

    def _read(self, event: Event) -> None:
        found = self._states(event.event_type, event.payload)
        if found is None:
            raise CannotTell("Events of that time do not say what they are about, or have no body any more.")
        if found[0]:
            self._note(*found)

    def _note(self, resource: str, state: datetime | None) -> None:
        at = state or _EVERY_STATE
        self._latest[resource] = max(at, self._latest.get(resource, at))
