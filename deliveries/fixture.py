"""Make a test of a stored event: its payload as a JSON file, scrubbed, and a pytest module that delivers it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext

from deliveries.models import Event
from deliveries.models.sealing import MASK
from deliveries.scrubbing import scrubbed
from integrations.errors import HubError
from integrations.masking import shown_settings
from integrations.validation import validate_handler_config

#: Without a provider that signs over HTTP the test sends with this preset.
_STAND_IN = "generic_hmac"
_LONGEST_NAME = 60

_MODULE = '''"""A stored event of {provider}, scrubbed, delivered to a handler. Say what it has to do."""

from __future__ import annotations

import json
from pathlib import Path

from hub.testing.fixtures import hub  # noqa: F401 - a fixture

EVENT = json.loads(Path(__file__).with_name({file!r}).read_text(encoding="utf-8"))


def test_{name}_is_handled(hub):  # noqa: F811
    hub.endpoint("fixture", provider={preset!r}, settings={settings!r})
    hub.route("fixture", handler={handler!r})

    received = hub.deliver("fixture", EVENT["payload"], event_type=EVENT["event_type"])

    assert received.status == 200, received.answer
    assert received.delivery.status == "succeeded", received.attempt.error_message
'''


class NoFixture(HubError):
    """No fixture can be made of an event; the message says why, for the operator."""


@dataclass(frozen=True)
class Fixture:
    """The files, by name; ``name`` is what they are about, fit for a file and for a function."""

    name: str
    files: Mapping[str, str]


def obstacle(event: Event) -> str:
    """Return why no fixture can be made of ``event``, in a sentence; "" if one can, as far as is known unread."""
    if event.hides_body:
        return gettext("What its endpoint receives is marked as sensitive.")
    return "" if event.raw_body is not None else event.why_no_body or gettext("Its body has not been kept.")


def fixture_of(event: Event, *, keep: Collection[str] = ()) -> Fixture:
    """Return the fixture of ``event``; ``keep`` as in `scrubbed`. No header is in it: the test signs anew.

    Raises `NoFixture`.
    """
    if reason := obstacle(event):
        raise NoFixture(reason)
    try:
        payload = event.shown_payload
    except ImproperlyConfigured as exc:
        raise NoFixture(gettext("Its body cannot be decrypted; was a key of HUB_ENCRYPTION_KEYS removed?")) from exc
    if payload is None:
        raise NoFixture(gettext("Its body is not one that the hub can read and show with its credentials masked."))
    name = _name(event)
    kept = {"provider": event.provider, "event_type": event.event_type, "payload": scrubbed(payload, keep=keep)}
    return Fixture(
        name,
        {
            f"{name}.json": json.dumps(kept, indent=2, ensure_ascii=False) + "\n",
            f"test_{name}.py": _module(event, name),
        },
    )


def _module(event: Event, name: str) -> str:
    is_internal = event.endpoint.url is None
    settings: Any = {} if is_internal else shown_settings(event.provider, event.endpoint.settings)
    return _MODULE.format(
        name=name,
        file=f"{name}.json",
        provider=event.provider,
        preset=_STAND_IN if is_internal else event.provider,
        settings={key: value for key, value in settings.items() if value != MASK},
        handler=_handler(event),
    )


def _handler(event: Event) -> str:
    """Return the handler of the event's first delivery; ``log`` if there is none, or it runs only with a config."""
    delivery = event.deliveries.select_related("route").order_by("created_at", "pk").first()
    if delivery is None:
        return "log"
    try:
        validate_handler_config(delivery.route.handler, {})
    except (ValidationError, LookupError):
        return "log"
    return delivery.route.handler


def _name(event: Event) -> str:
    words = f"{event.endpoint.slug}_{event.event_type or 'event'}".lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")[:_LONGEST_NAME].rstrip("_")
