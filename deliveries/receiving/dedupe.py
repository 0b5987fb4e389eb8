"""The key under which an event is stored once."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from deliveries.models.sealing import storable
from integrations.routing import search

_LONGEST = 120
_HASHED = "sha256:"
_BODY = "body:"
#: What the key of an event with an id of the provider's begins with.
ID = "id:"


def dedupe_key(rule: str, *, event_id: str, payload: Any, body_hash: bytes) -> str:
    """Return the key by the endpoint's ``rule``: "id" (the body where there is no id), "body", or a JMESPath.

    An expression that finds nothing, or not everything that it asks for, leaves it to the body: with a null in it,
    events that have nothing else in common would pass for one.
    """
    if rule == "id" and event_id:
        return _bounded(ID, event_id)
    if rule not in {"id", "body"}:
        found = search(rule, payload)
        if _is_complete(found):
            text = found if isinstance(found, str) else json.dumps(found, sort_keys=True, separators=(",", ":"))
            return _bounded("expr:" if isinstance(found, str) else "expr:json:", text)
    return _BODY + body_hash.hex()


def is_body_key(key: str) -> bool:
    """Return whether ``key`` is a body's hash, which counts for a limited time."""
    return key.startswith(_BODY)


def is_id_key(key: str) -> bool:
    """Return whether ``key`` is the provider's event id."""
    return key.startswith(ID)


def outdated(key: str, event: UUID) -> str:
    """Return what the key of ``event`` becomes once its time is over, so that the body may come anew."""
    return f"{key}:{event.hex}"


def is_outdated(key: str, event: UUID) -> bool:
    """Return whether ``key`` is what `outdated` made of the key of ``event``: no other can ever have it."""
    return key.endswith(f":{event.hex}")


def _bounded(prefix: str, text: str) -> str:
    """Return ``prefix`` + ``text``, or + its hash if that is too long or cannot be stored; no two texts meet."""
    plain = prefix + text
    if len(plain) <= _LONGEST and storable(text) == text and not text.startswith((_HASHED, "json:")):
        return plain
    return f"{prefix}{_HASHED}{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _is_complete(value: Any) -> bool:
    if isinstance(value, dict | list):
        return bool(value) and all(map(_is_complete, value.values() if isinstance(value, dict) else value))
    return value is not None and value != ""
