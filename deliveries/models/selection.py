"""Which deliveries an order is about, as it is kept with the order: JSON, so that any worker can look again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext

from deliveries.models.states import FINISHED, DeliveryStatus
from deliveries.models.transitions import DeliveryQuerySet
from integrations.models import Endpoint, Route, groups_of

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: The name under which a selection has the endpoints that whoever made it may see.
SIGHT = "endpoint_ids"

#: Names and values of a selection. What the admin's lists can filter by and the API cannot comes last.
_CONDITIONS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "deliveries": ("pk__in", lambda ids: [UUID(text) for text in ids]),
    "status": ("status__in", list),
    "endpoint": ("endpoint__slug", str),
    "route": ("route", UUID),
    "handler": ("route__handler", str),
    "event": ("event", UUID),
    "event_type": ("event__event_type", str),
    "created_after": ("created_at__gte", lambda text: _moment(text)),
    "created_before": ("created_at__lt", lambda text: _moment(text)),
    "endpoint_id": ("endpoint", UUID),
    "provider": ("event__provider", str),
    "event_type_prefix": ("event__event_type__startswith", str),
    "fingerprint": ("fingerprint", str),
    SIGHT: ("endpoint__in", lambda ids: [UUID(text) for text in ids]),
}


#: Characters of a fingerprint that tell two errors apart for people.
_TOLD_APART = 8

#: Those whose deliveries are of the same endpoints for ever.
_OF_ONE = ("deliveries", "route", "event")


def selected(selection: Mapping[str, Any], *, using: str = DEFAULT_DB_ALIAS) -> DeliveryQuerySet:
    """Return the deliveries that ``selection`` names; raises `KeyError` or `ValueError` for what is none.

    A name that is not there does not narrow it down: the empty selection is all deliveries.
    """
    rows: DeliveryQuerySet = apps.get_model("deliveries", "Delivery").objects.using(using)
    for name, value in selection.items():
        lookup, read = _CONDITIONS[name]
        rows = rows.filter(**{lookup: read(value)})
    return rows


def in_sight(selection: Mapping[str, Any], user: Person) -> dict[str, Any]:
    """Return ``selection`` narrowed down to what ``user`` may see now; as it is for who is not restricted to groups."""
    if groups_of(user) is None:
        return dict(selection)
    seen = Endpoint.objects.visible_to(user).order_by("pk").values_list("pk", flat=True)
    return {**selection, SIGHT: [str(pk) for pk in seen]}


def reach(selection: Mapping[str, Any]) -> set[UUID] | None:
    """Return endpoints that ``selection`` reaches no further than, whatever comes; None if it may reach any.

    A slug says nothing here: it can be another endpoint's tomorrow.
    """
    named = {name: value for name, value in selection.items() if name in _OF_ONE}
    found = set(selected(named).order_by().values_list("endpoint", flat=True).distinct()) if named else None
    if "endpoint_id" in selection:
        found = {UUID(selection["endpoint_id"])}
    if SIGHT not in selection:
        return found
    sight = {UUID(text) for text in selection[SIGHT]}
    return (found & sight if found is not None else None) or sight


def described(selection: Mapping[str, Any], *, viewer: Person | None = None) -> str:
    """Return ``selection`` in words, with the names that endpoints and routes have now.

    What ``viewer`` may not see is not named; None may see all.
    """
    return ", ".join(_words(name, value, viewer) for name, value in selection.items()) or gettext("all deliveries")


def _words(name: str, value: Any, viewer: Person | None) -> str:
    endpoints, routes = Endpoint.objects.all(), Route.objects.all()
    if viewer is not None:
        endpoints, routes = endpoints.visible_to(viewer), routes.visible_to(viewer)
    match name:
        case "deliveries":
            text = ngettext("%(count)s named delivery", "%(count)s named deliveries", len(value))
            return text % {"count": f"{len(value):,}"}
        case "endpoint_ids":  # SIGHT
            text = ngettext("%(count)s endpoint in sight", "%(count)s endpoints in sight", len(value))
            return text % {"count": f"{len(value):,}"}
        case "status":
            return _statuses(value)
        case "event_type_prefix":
            return gettext("event type %(type)s") % {"type": f"{value}*"}
        case "fingerprint":
            return gettext("the same error (%(fingerprint)s)") % {"fingerprint": value[:_TOLD_APART]}
        case "created_after" | "created_before":
            since, until = gettext("created from %(moment)s on"), gettext("created before %(moment)s")
            shown = timezone.localtime(_moment(value)).strftime("%Y-%m-%d %H:%M:%S %Z")
            return (since if name == "created_after" else until) % {"moment": shown}
        case "endpoint_id":
            slug = endpoints.filter(pk=value).values_list("slug", flat=True).first()
            return gettext("endpoint %(endpoint)s") % {"endpoint": slug or value}
        case "route":
            names = routes.filter(pk=value).values_list("endpoint__slug", "name").first()
            return gettext("route %(route)s") % {"route": " → ".join(names) if names else value}
        case _:
            return f"{name.replace('_', ' ')} {value}"


def _statuses(values: Collection[str]) -> str:
    if set(values) == {status.value for status in FINISHED}:
        return gettext("all that have finished")
    words = {
        DeliveryStatus.DEAD.value: gettext("dead letters"),
        DeliveryStatus.SUCCEEDED.value: gettext("those that succeeded"),
        DeliveryStatus.DISCARDED.value: gettext("discarded ones"),
    }
    named = [words.get(value, value) for value in values]
    if len(named) == 2:
        return gettext("%(one)s and %(other)s") % {"one": named[0], "other": named[1]}
    return ", ".join(named)


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"not a moment: {text!r}")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
