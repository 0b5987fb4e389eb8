"""The calls of outside systems that an attempt made: what was sent, as pages, the API and comparisons see it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from deliveries.models import Attempt, Event
from integrations.providers import providers

if TYPE_CHECKING:
    from deliveries.audit import Person

#: What a call asks for: what is sent is made of the event's payload.
MAY_SEE_EVENTS = "deliveries.view_event"

Call = dict[str, Any]


def calls_for(attempt: Attempt, event: Event, *, user: Person) -> list[Call] | None:
    """Return the calls as ``user`` may see them; None where they are hidden, [] where there were none."""
    if not attempt.has_calls:
        return []
    if event.hides_body or not user.has_perm(MAY_SEE_EVENTS):
        return None
    return shown_calls(attempt, event)


def shown_calls(attempt: Attempt, event: Event) -> list[Call] | None:
    """Return the calls of ``attempt``, the provider's credentials masked; None where no key opens them any more.

    The caller has looked whether the event may be shown.
    """
    try:
        return cleared(attempt.calls or [], event)
    except ImproperlyConfigured:
        return None


def cleared(calls: Iterable[Mapping[str, Any]], event: Event) -> list[Call]:
    """Return ``calls`` with bodies that are JSON as values, and with the provider's credentials masked."""
    preset = providers.get(event.provider)
    is_opaque = preset is None or bool(preset.sensitive_fields)
    found: list[Call] = event.without_credentials([_readable(call, is_opaque=is_opaque) for call in calls]) or []
    return found


def told_in(attempt: Attempt) -> list[Any]:
    """Return what a search looks through: the calls with their bodies readable; [] where no key opens them."""
    try:
        return [_readable(call, is_opaque=False) for call in attempt.calls or []]
    except ImproperlyConfigured:
        return []


def opaque_in(attempt: Attempt) -> list[bytes]:
    """Return the bodies that are no text; [] where no key opens them."""
    try:
        calls = attempt.calls or []
    except ImproperlyConfigured:
        return []
    return [base64.b64decode(call["body"]) for call in calls if call.get("body_encoding") == "base64"]


def same_calls(one: Iterable[Call], other: Iterable[Call]) -> bool:
    """Return whether both send the same, in the same order: method, address and body. Tries again count once.

    Headers are left out: they carry the moment, the number of the attempt, and proofs.
    """
    return _essence(one) == _essence(other)


def _essence(calls: Iterable[Call]) -> list[str]:
    found: list[str] = []
    for call in calls:
        essence = json.dumps([call.get(name) for name in ("method", "url", "body")], sort_keys=True)
        if essence not in found:
            found.append(essence)
    return found


def _readable(call: Mapping[str, Any], *, is_opaque: bool) -> Call:
    """Return ``call`` with a body that is JSON as its value; ``is_opaque``: of base64 nobody sees what is masked."""
    body = call.get("body")
    if not isinstance(body, str):
        return dict(call)
    if call.get("body_encoding") == "base64":
        return {**call, "body": "" if is_opaque else body}
    try:
        return {**call, "body": json.loads(body)} if call.get("body_is_whole", True) else dict(call)
    except (ValueError, RecursionError):
        return dict(call)
