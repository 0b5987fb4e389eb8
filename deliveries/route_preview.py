"""What a route would take of the events that came last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from deliveries.models import Event
from integrations.models import Endpoint
from integrations.routing import matches

#: How many events are looked at, and how large one may be.
LOOKED_AT = 10
LARGEST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Trial:
    """One event, and whether the route takes it; None where that cannot be told here, and ``note`` says why."""

    event: Event
    is_taken: bool | None
    note: str = ""


def preview(endpoint: Endpoint, *, events: Sequence[str], expression: str) -> list[Trial]:
    """Return the newest events of ``endpoint``, each with whether globs and filter take it.

    Of a sensitive endpoint the filter is not tried: its answer says something of what is hidden.
    """
    rows = Event.objects.filter(endpoint=endpoint).order_by("-received_at")
    newest = rows.defer("sealed", "raw_body", "headers")[:LOOKED_AT]
    return [_tried(event, endpoint, events, expression) for event in newest]


def _tried(event: Event, endpoint: Endpoint, globs: Sequence[str], expression: str) -> Trial:
    if not matches(globs, "", event_type=event.event_type, payload=None):
        return Trial(event, is_taken=False)
    if not expression:
        return Trial(event, is_taken=True)
    if endpoint.sensitive:
        return Trial(event, None, "The filter is not tried on hidden payloads.")
    if event.body_bytes > LARGEST_BYTES:
        return Trial(event, None, "Too large to be tried here.")
    try:
        payload = event.payload
    except ImproperlyConfigured:
        return Trial(event, None, "Its body cannot be decrypted.")
    return Trial(event, is_taken=matches((), expression, event_type=event.event_type, payload=payload))
