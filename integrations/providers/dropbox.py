"""Dropbox and Dropbox Sign, which have nothing but the name in common.

Dropbox       https://www.dropbox.com/developers/reference/webhooks
Dropbox Sign  https://developers.hellosign.com/docs/events/overview/

Dropbox says only whose files changed: two changes of one account have the same body, and count as one event within the
endpoint's window for identical bodies.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac
from integrations.verification.reasons import Reason, unproven
from integrations.verification.templates import FORM
from integrations.verification.texts import query_parameter

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SUCCESS = "Hello API Event Received"


@dataclass(frozen=True)
class OpenChallenge:
    """GET ``challenge``, echoed as text: nothing beside it could be compared."""

    methods: frozenset[str] = field(default=frozenset({"GET"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return the challenge; raises `VerificationFailed` if it is no plain text."""
        challenge = query_parameter(request, "challenge")
        if request.method not in self.methods or not challenge:
            return None
        if not _CHALLENGE.fullmatch(challenge):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        return Answer(body=challenge.encode("ascii"), headers={"X-Content-Type-Options": "nosniff"})

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what is signed is an event."""
        return None


def _received(_: Any, settings: Settings) -> Answer:
    return Answer(body=settings.get("success_body", _SUCCESS).encode())


def _dropbox(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {event_type or "list_folder": {"accounts": [f"dbid:{event_id}"]}, "delta": {"users": [12345678]}}
    )


def _dropbox_sign(event_type: str, event_id: str) -> Sample:
    event = {
        "event_time": str(unix_seconds()),
        "event_type": event_type or "signature_request_sent",
        "event_metadata": {
            "related_signature_id": None,
            "reported_for_account_id": "63522885f9261e2b04eea043933ee7313",
        },
    }
    request = {"signature_request_id": event_id, "title": "A test event from the hub", "test_mode": True}
    return Sample(
        body=urlencode({"json": json.dumps({"event": event, "signature_request": request})}).encode(), content_type=FORM
    )


providers.register("dropbox")(
    Provider(
        name="Dropbox",
        documentation_url="https://www.dropbox.com/developers/reference/webhooks",
        scheme=Hmac(headers=("X-Dropbox-Signature",)),
        event_type=("body:keys(@) | [?@ != 'delta'] | [0]",),
        handshake=OpenChallenge(),
        secret_help="App Console, your app, Settings: App secret. Each change of an account's files comes with the "
        "same body: set the endpoint's dedupe_seconds to 0 so that none counts as a repetition.",
        deadline_seconds=10,
        retries="With growing pauses, for hours.",
        sample=_dropbox,
    )
)
providers.register("dropbox_sign")(
    Provider(
        name="Dropbox Sign",
        documentation_url="https://developers.hellosign.com/docs/events/overview/",
        scheme=Hmac(
            signature_path="json.event.event_hash",
            template="{value:json.event.event_time}{value:json.event.event_type}",
            partial=True,
        ),
        settings_schema=settings_schema(
            {
                "success_body": {
                    "type": "string",
                    "title": "Body of the answer",
                    "description": "What an accepted event is answered; Dropbox Sign looks for this text in it.",
                    "default": _SUCCESS,
                    "pattern": f"{_SUCCESS}",
                    "maxLength": 500,
                }
            }
        ),
        json_field="json",
        # Not the hash, which is the proof; and it is the same for all events of one type within a second.
        event_id=("body:join('.', [event.event_time, event.event_type, signature_request.signature_request_id])",),
        event_type=("body:event.event_type",),
        accepted=_received,
        sensitive_fields=("event.event_hash",),
        secret_help="Settings, API: the API key that the account's or the app's events are signed with.",
        deadline_seconds=30,
        retries="Six times with growing pauses, over about two days.",
        retry_hours=48,
        not_covered="Everything but the time and the type of the event: what it says of the document is not signed.",
        sample=_dropbox_sign,
    )
)
