"""The page that says in what an event differs from another one of its endpoint."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from deliveries import display
from deliveries.differences import Change, Difference, Kind, difference
from deliveries.models import Event
from integrations.admin.base import HubAdmin

#: Places that a page names, and how much it shows of each value.
NAMED_PLACES = 50
_SHOWN_CHARACTERS = 500
_COLOURS = {Kind.ADDED: "success", Kind.REMOVED: "danger", Kind.CHANGED: "warning"}
#: The event before of the same type is looked for among so many of the endpoint.
_LOOKED_AT = 1000


def show(admin: HubAdmin, request: HttpRequest, event: Event) -> HttpResponse:
    """Show what differs between ``event`` and the one that the address names; without one, the one before of its type.

    Only what the event's own page shows is compared: credentials are masked, sensitive payloads are not read. Raises
    `PermissionDenied` for those who may not see the event.
    """
    if not admin.has_view_permission(request, event):
        raise PermissionDenied
    asked = request.GET.get("with", "").strip()
    of_endpoint = Event.objects.visible_to(request.user).filter(endpoint=event.endpoint_id).exclude(pk=event.pk)
    other = _named(of_endpoint, asked) if asked else _before(of_endpoint, event)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": "Difference to another event",
        "original": event,
        "other": other,
        "asked": asked,
        "made_from": of_endpoint.filter(pk=event.derived_from_id).only("pk").first() if event.derived_from_id else None,
        "before": _before(of_endpoint, event) if asked else other,
        **(_compared(other, event) if other is not None else {}),
    }
    return TemplateResponse(request, "admin/deliveries/event/difference.html", context)


def shown(found: Difference) -> dict[str, Any]:
    """Return what the list of differences shows of ``found``."""
    return {
        "changes": [_shown(change) for change in found.changes],
        "is_cut": found.is_cut,
        "places": NAMED_PLACES,
    }


def _named(events: QuerySet[Event], asked: str) -> Event | None:
    """Return the event with an id of the hub's or the provider's; of several with the provider's, the latest."""
    try:
        wanted = Q(pk=UUID(asked))
    except ValueError:
        wanted = Q(event_id=asked)
    return events.filter(wanted).order_by("-received_at").first() if "\0" not in asked else None


def _before(events: QuerySet[Event], event: Event) -> Event | None:
    earlier = events.filter(received_at__lte=event.received_at).order_by("-received_at")
    looked_at = earlier.values_list("pk", "event_type")[:_LOOKED_AT]
    pk = next((pk for pk, event_type in looked_at if event_type == event.event_type), None)
    return None if pk is None else events.get(pk=pk)


def _compared(other: Event, event: Event) -> dict[str, Any]:
    headers = difference(other.headers, event.headers, limit=NAMED_PLACES)
    context: dict[str, Any] = {"headers": shown(headers)}
    for row in (event, other):
        if said := _obstacle(row):
            return context | {"obstacle": said}
    found = difference(other.shown_payload, event.shown_payload, limit=NAMED_PLACES)
    return context | {"payload": shown(found)}


def _obstacle(row: Event) -> str:
    """Return why the payload of an event cannot be compared; "" if it can."""
    if row.hides_body:
        return "Its endpoint is sensitive, or its body is stored encrypted: payloads are not compared."
    if row.body_bytes > display.DECODED_BYTES:
        return f"A body of {display.size(row.body_bytes)} is too large to be compared on a page."
    try:
        return "" if row.shown_payload is not None else "A body that is no JSON, form or XML cannot be compared."
    except ImproperlyConfigured:
        return "The key of a body is lost."


def _shown(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "colour": _COLOURS[change.kind],
        "path": change.path,
        "before": None if change.kind == Kind.ADDED else _text(change.before),
        "after": None if change.kind == Kind.REMOVED else _text(change.after),
    }


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
