"""Search by id: one look at an index for each kind of id, never a condition over several tables."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from deliveries.models import Event

#: Events that one text may name: ids are the providers' own, and several endpoints may share one.
_MOST = 200
#: Events among which a request id is looked for, the newest: no index has it, as receiving would have to write it.
REQUESTS_LOOKED_THROUGH = 100_000


def event_ids(term: str) -> list[UUID]:
    """Return the ids of the events whose own id, or whose provider's or request's id, is ``term``; a request's is new.

    Of everybody's events: whoever asks narrows them down to what the user may see.
    """
    found = set(Event.objects.filter(event_id=term).order_by("-received_at").values_list("pk", flat=True)[:_MOST])
    with suppress(ValueError):
        found.add(UUID(term))
    return list(found | set(_of_request(term)))


def _of_request(term: str) -> list[UUID]:
    arrivals = Event.objects.order_by("-received_at").values_list("received_at", flat=True)
    oldest = next(iter(arrivals[REQUESTS_LOOKED_THROUGH - 1 : REQUESTS_LOOKED_THROUGH]), None)
    rows = Event.objects.filter(request_id=term)
    if oldest is not None:
        rows = rows.filter(received_at__gte=oldest)
    return list(rows.values_list("pk", flat=True)[:_MOST])
