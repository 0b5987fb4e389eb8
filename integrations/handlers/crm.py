"""`crm.upsert_contact`: a contact in HubSpot, created or updated by its e-mail, by a connection with an app's token.

https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/batch/upsert-contacts
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.handlers import Context, InboundEvent, handler
from integrations.values import rendered, scope_of

_PATH = "crm/v3/objects/contacts/batch/upsert"
#: What says that HubSpot will never take it as it is: malformed, no permission for it, no such property.
_REFUSALS = frozenset({400, 403, 404, 422})
_MESSAGE_CHARACTERS = 500
_MASK = "(a value)"
_EMAIL = re.compile(r"[^\s\"'<>(),;:\[\]]+@[^\s\"'<>(),;:\[\]]+")

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["connection", "email"],
    "properties": {
        "connection": {
            "type": "string",
            "format": "connection",
            "description": "the name of a connection: base URL https://api.hubapi.com, a private app's token as bearer",
        },
        "email": {
            "type": "string",
            "format": "template",
            "minLength": 1,
            "maxLength": 1000,
            "description": "a template: the address that the contact is found by, such as {{ payload.customer.email }}",
        },
        "properties": {
            "type": "object",
            "maxProperties": 100,
            "additionalProperties": {"type": "string", "format": "template", "maxLength": 2000},
            "description": "an object: HubSpot's internal names of properties, such as firstname, each a template; one "
            "that comes out empty is left as it is",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the contact: ``email`` and ``properties``; raises `GiveUp` where the e-mail is none."""
    scope = scope_of(event)
    email = rendered(config["email"], scope, field="email").strip()
    try:
        validate_email(email)
    except ValidationError:
        # Not repeated: it comes from the event, which not everybody who sees the attempt may see.
        raise GiveUp(
            "email: no e-mail address comes out of the event" if email else "email: it comes out empty"
        ) from None
    texts = {
        name: rendered(text, scope, field=f"properties/{name}").strip()
        for name, text in config.get("properties", {}).items()
    }
    return {"email": email, "properties": {name: text for name, text in texts.items() if text}}


@handler("crm.upsert_contact", config_schema=CONFIG_SCHEMA, preview=preview, dry_run=True)
def upsert_contact(event: InboundEvent, context: Context) -> Json:
    """Create or update a contact in HubSpot, found by its e-mail, with values of the event.

    Returns its ``id`` there, and whether it is ``new``; None for what HubSpot did not say.
    """
    contact: Any = preview(event, context.config)
    inputs = [{"idProperty": "email", "id": contact["email"], "properties": contact["properties"]}]
    answer = context.http(context.config["connection"]).post(_PATH, json={"inputs": inputs})
    if answer.status_code not in _REFUSALS:
        found = answer.json()
        errors = found.get("errors") if isinstance(found, dict) else None
        if not errors and answer.status_code != 207:
            return _output(found)
    else:
        errors = [_refusal(answer.content)]
    said = "; ".join(_said(error) for error in errors or [{}])
    values = [contact["email"], *contact["properties"].values()]
    raise GiveUp(f"HubSpot refuses it ({answer.status_code}): {_without(values, said)[:_MESSAGE_CHARACTERS]}")


def _output(found: Any) -> Json:
    results = found.get("results") if isinstance(found, dict) else None
    contact = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    return {"id": contact.get("id"), "new": contact.get("new")}


def _refusal(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return {}


def _said(error: Any) -> str:
    """Return ``CATEGORY: message`` of one of HubSpot's errors."""
    found = error if isinstance(error, dict) else {}
    return f"{found.get('category', 'no category')}: {found.get('message', 'no message')}"


def _without(values: Iterable[str], text: str) -> str:
    """Return ``text`` with a mask for each of ``values`` and for whatever else looks like an address.

    HubSpot repeats what it refuses, and may have changed its case or escaped it.
    """
    spelled = {form for value in values for form in _spellings(value)}
    for form in sorted(spelled, key=len, reverse=True):
        # A whole word only: a value such as "1" or "e" would tear the message to pieces.
        text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", _MASK, text, flags=re.IGNORECASE)
    return _EMAIL.sub(_MASK, text)


def _spellings(value: str) -> set[str]:
    """Return ``value`` as it stands in a text, in JSON, and in JSON that is a text within JSON."""
    found = {value}
    for _ in range(2):
        found |= {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in found for ascii_only in (True, False)}
    return found
