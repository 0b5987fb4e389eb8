"""Which deliveries an order is about, as it is kept with the order: JSON, so that any worker can look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.utils.dateparse import parse_datetime

from deliveries.models.transitions import DeliveryQuerySet
from integrations.models import Endpoint, Route

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
    "endpoint_ids": ("endpoint__in", lambda ids: [UUID(text) for text in ids]),
}


def selected(selection: Mapping[str, Any], *, using: str = DEFAULT_DB_ALIAS) -> DeliveryQuerySet:
    """Return the deliveries that ``selection`` names; raises `KeyError` or `ValueError` for what is none.

    A name that is not there does not narrow it down: the empty selection is all deliveries.
    """
    rows: DeliveryQuerySet = apps.get_model("deliveries", "Delivery").objects.using(using)
    for name, value in selection.items():
        lookup, read = _CONDITIONS[name]
        rows = rows.filter(**{lookup: read(value)})
    return rows


def described(selection: Mapping[str, Any]) -> str:
    """Return ``selection`` in words, with the names that endpoints and routes have now."""
    return ", ".join(_words(name, value) for name, value in selection.items()) or "all deliveries"


def _words(name: str, value: Any) -> str:
    match name:
        case "deliveries":
            return f"{len(value):,} named deliver{'y' if len(value) == 1 else 'ies'}"
        case "endpoint_ids":
            return f"{len(value):,} endpoint{'' if len(value) == 1 else 's'} in sight"
        case "status":
            return f"status {' or '.join(value)}"
        case "event_type_prefix":
            return f"event type {value}*"
        case "fingerprint":
            return f"the same error ({value})"
        case "endpoint_id":
            slug = Endpoint.objects.filter(pk=value).values_list("slug", flat=True).first()
            return f"endpoint {slug or value}"
        case "route":
            names = Route.objects.filter(pk=value).values_list("endpoint__slug", "name").first()
            return f"route {' → '.join(names) if names else value}"
        case _:
            return f"{name.replace('_', ' ')} {value}"


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"not a moment: {text!r}")
    return moment
