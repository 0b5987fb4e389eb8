"""What a route would do with one stored event, before it is saved: what its expressions find, what its handler does.

Nothing is done: a handler's ``preview`` describes. It is given the event as pages show it, without credentials.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog
from django.core.exceptions import ImproperlyConfigured, ValidationError

from deliveries.flow_steps import outputs_of
from deliveries.models import Event
from deliveries.receiving.queueing import ordering_key as key_of
from integrations.contracts import InboundEvent, case_insensitive
from integrations.errors import GiveUp
from integrations.handlers import handlers
from integrations.masking import MASK
from integrations.routing import matches, search
from integrations.validation import validate_handler_config, validate_jmespath

logger = structlog.get_logger(__name__)

LARGEST_BYTES = 64 * 1024
MOST_CHARACTERS = 20_000


@dataclass
class HandlerPreview:
    """``found`` is what the filter finds, ``does`` what the handler would do, both as JSON; None: nothing to show.

    ``outcome`` is what the handler would do as the value that it is.
    ``key`` is the ordering key, "" where the event has none; ``values`` are what the config's own JMESPaths find.
    ``problems`` are texts of what is wrong, by the name of the field; ``note`` says why the event is not tried.
    """

    found: str | None = None
    is_taken: bool | None = None
    does: str | None = None
    outcome: Any = None
    key: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    note: str = ""
    problems: dict[str, list[str]] = field(default_factory=dict)


def preview(
    event: Event, *, expression: str, handler: str, config: str, ordering_key: str = "", route: UUID | None = None
) -> HandlerPreview:
    """Return what a route's expressions and handler make of ``event``; ``config`` is JSON as it stands in the form.

    A flow is given the outputs that its steps had for this event on ``route``; without one none are known.
    """
    made = HandlerPreview()
    entered = _config(config, handler, made)
    _check("filter", expression, made)
    _check("ordering_key", ordering_key, made)
    given = _given(event, made)
    if given is None:
        return made
    if "filter" not in made.problems:
        made.is_taken = matches((), expression, event_type=event.event_type, payload=given.payload)
        made.found = _shown(search(expression, given.payload)) if expression else None
    if ordering_key and "ordering_key" not in made.problems:
        made.key = key_of(ordering_key, given.payload)
    entry = handlers.get(handler)
    if entry is not None and entered is not None:
        made.values = _values(entry.config_schema, entered, given.payload)
    if entry is not None and entry.preview is not None and entered is not None:
        if entry.parts is not None:
            given = replace(given, steps=_known_outputs(event, route))
        try:
            made.outcome = entry.preview(given, entered)
            made.does = _shown(made.outcome)
        except GiveUp as exc:
            made.problems["handler"] = [f"It would give up: {exc}"]
        except Exception as exc:  # of an automation's own function; its text may quote what is hidden
            logger.exception("route.preview_failed", handler=handler)
            made.problems["handler"] = [f"The handler's preview failed ({type(exc).__name__})."]
    return made


def _check(name: str, expression: str, made: HandlerPreview) -> None:
    try:
        if expression:
            validate_jmespath(expression)
    except ValidationError as exc:
        made.problems[name] = exc.messages


def _values(schema: Mapping[str, Any], config: Mapping[str, Any], payload: Any) -> dict[str, str]:
    """Return what each JMESPath of the config finds, by property."""
    named = {name for name, each in schema.get("properties", {}).items() if each.get("format") == "jmespath"}
    return {name: _shown(search(config[name], payload)) for name in config if name in named and config[name]}


def _config(text: str, handler: str, made: HandlerPreview) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text) if text.strip() else {}
        validate_handler_config(handler, value)
    except json.JSONDecodeError as exc:
        made.problems["config"] = [f"Line {exc.lineno}, column {exc.colno}: {exc.msg}."]
    except (ValueError, RecursionError):
        made.problems["config"] = ["This is no JSON."]
    except ValidationError as exc:
        made.problems["config"] = exc.messages
    else:
        if isinstance(value, dict):
            return value
        made.problems["config"] = ["This has to be an object."]
    return None


def _given(event: Event, made: HandlerPreview) -> InboundEvent | None:
    """Return the event as a preview may see it; None, with a note, where its payload is not shown."""
    if event.hides_body:
        made.note = "Not tried: its payload is hidden."
        return None
    if event.body_bytes > LARGEST_BYTES:
        made.note = "Not tried: it is too large for that."
        return None
    try:
        payload, names = event.shown_payload, list(event.original_headers)
    except ImproperlyConfigured:
        made.note = "Not tried: its body cannot be decrypted."
        return None
    return InboundEvent(
        id=str(event.id),
        endpoint=event.endpoint.slug,
        provider=event.provider,
        verdict=event.verdict,
        event_id=event.event_id,
        event_type=event.event_type,
        received_at=event.received_at,
        content_type=event.content_type,
        headers=case_insensitive(dict.fromkeys(names, MASK)),
        body=bytes(event.body_bytes),  # as long as the real one, which holds what is masked in the payload
        payload=payload,
    )


def _known_outputs(event: Event, route: UUID | None) -> dict[str, Any]:
    try:
        return outputs_of(event, route) if route is not None else {}
    except ImproperlyConfigured:  # no key decrypts them any more
        return {}


def _shown(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}\n..."
