"""The page that says in what an event differs from another one of its endpoint."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from deliveries import display
from deliveries.admin.frame import frame
from deliveries.differences import Change, Difference, Kind, difference
from deliveries.models import Event
from deliveries.paging import Place
from integrations.admin.base import HubAdmin

#: Places that a page names, and how much it shows of each value.
NAMED_PLACES = 50
_SHOWN_CHARACTERS = 500
#: Of long texts that part late, what is shown of what they have in common.
_CHARACTERS_BEFORE = 60
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
    of_endpoint = admin.get_queryset(request).filter(endpoint=event.endpoint_id).exclude(pk=event.pk)
    other = _named(of_endpoint, asked) if asked else _before(of_endpoint, event)
    context = {
        **frame(admin, request, gettext("Difference to another event"), row=event),
        "other": other,
        "asked": asked,
        "made_from": of_endpoint.filter(pk=event.derived_from_id).first() if event.derived_from_id else None,
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
    if "\0" in asked:
        return None
    with suppress(ValueError):
        if found := events.filter(pk=UUID(asked)).first():
            return found
    return events.filter(event_id=asked).order_by("-received_at").first()  # providers' ids are UUIDs, too


def _before(events: QuerySet[Event], event: Event) -> Event | None:
    earlier = events.filter(Place(event.received_at, event.pk).older("received_at")).order_by("-received_at", "-pk")
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
        return gettext("Its endpoint is sensitive: payloads are not compared.")
    if row.body_bytes > display.DECODED_BYTES:
        return gettext("A body of %(size)s is too large to be compared on a page.") % {
            "size": display.size(row.body_bytes)
        }
    try:
        return (
            "" if row.shown_payload is not None else gettext("A body that is no JSON, form or XML cannot be compared.")
        )
    except ImproperlyConfigured:
        return gettext("The key of a body is lost.")


def _shown(change: Change) -> dict[str, Any]:
    before, after = (json.dumps(value, ensure_ascii=False) for value in (change.before, change.after))
    begin = _begin(before, after) if change.kind == Kind.CHANGED else 0
    path = change.path
    return {
        "kind": change.kind.value,
        "colour": _COLOURS[change.kind],
        "path": path if len(path) <= _SHOWN_CHARACTERS else f"…{path[-_SHOWN_CHARACTERS:]}",
        "before": None if change.kind == Kind.ADDED else _cut(before, begin),
        "after": None if change.kind == Kind.REMOVED else _cut(after, begin),
    }


def _begin(before: str, after: str) -> int:
    """Return where two texts are shown from: a little before they part, if that would be cut off otherwise."""
    pairs = enumerate(zip(before, after, strict=False))
    alike = next((place for place, (one, other) in pairs if one != other), min(len(before), len(after)))
    return 0 if alike + _CHARACTERS_BEFORE <= _SHOWN_CHARACTERS else alike - _CHARACTERS_BEFORE


def _cut(text: str, begin: int) -> str:
    end = begin + _SHOWN_CHARACTERS
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"
