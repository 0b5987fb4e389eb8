"""Braintree: https://developer.paypal.com/braintree/docs/guides/webhooks/parse.

A form with the event as base64 of XML and its signature, ``public key|hexadecimal digest``. The key of the HMAC is the
SHA-1 of the private key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from integrations import payloads
from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.handshakes import Computed
from integrations.verification import Hmac, Scheme
from integrations.verification.layouts import Parsed
from integrations.verification.reasons import Reason, malformed, unproven
from integrations.verification.templates import FORM
from integrations.verification.texts import query_parameter
from integrations.xml import xml_document

# What Braintree's own libraries answer; a text that could be the payload of an event must not be signed.
_CHALLENGE = re.compile(r"[0-9a-f]{20,32}")


@dataclass(frozen=True)
class KeyPairs:
    """``public|digest``, several with "&" between them; with ``public_key`` only its own count."""

    public_key: str = ""

    def parse(self, text: str) -> Parsed:
        """Return the digests."""
        pairs = [pair.rpartition("|") for pair in text.split("&")]
        return Parsed([digest for public, bar, digest in pairs if bar and self.public_key in {"", public}])

    def format(self, signature: str, timestamp: str) -> str:
        """Return the pair."""
        return f"{self.public_key or 'public_key_of_the_sample'}|{signature}"


@dataclass(frozen=True, kw_only=True)
class SignedPayload(Hmac):
    """The HMAC over ``bt_payload``, or over it and a line feed, as Braintree's own libraries allow."""

    def contents(self, request: InboundRequest, timestamp: str) -> Sequence[bytes]:
        """Return both texts."""
        found = super().contents(request, timestamp)
        return [*found, *(text + b"\n" for text in found)]


@dataclass(frozen=True, kw_only=True)
class Challenge(Computed):
    """GET ``bt_challenge``, 20 to 32 hexadecimal digits: answered with the public key and their HMAC."""

    methods: frozenset[str] = field(default=frozenset({"GET"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return ``public key|digest``; raises `VerificationFailed` for another text, or without a public key."""
        challenge = query_parameter(request, "bt_challenge")
        if request.method not in self.methods or not challenge:
            return None
        if not _CHALLENGE.fullmatch(challenge):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        if not settings.get("public_key"):
            raise unproven(Reason.PUBLIC_KEY_NOT_SET)
        if not self.keys:
            raise unproven(Reason.NO_LIVE_SECRET)
        key = _scheme(settings).key_bytes(self.keys[0])
        digest = hmac.new(key, challenge.encode("ascii"), "sha1").hexdigest()
        return Answer(
            body=f"{settings['public_key']}|{digest}".encode("ascii"), headers={"X-Content-Type-Options": "nosniff"}
        )


def _scheme(settings: Settings) -> Hmac:
    return SignedPayload(
        signature_path="bt_signature",
        layout=KeyPairs(settings.get("public_key", "")),
        algorithm="sha1",
        key_form="sha1",
        template="{value:bt_payload}",
        partial=True,
    )


def _make_scheme(settings: Settings) -> Scheme:
    return _scheme(settings)


def _decode(content_type: str, body: bytes) -> Any:
    """Return the notification as an object; None for a body without one."""
    form = payloads.decode(content_type, body)
    text = form.get("bt_payload") if isinstance(form, dict) else None
    if not isinstance(text, str) or not text:
        return None
    try:
        # The base64 has line breaks, also within.
        document = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise malformed(Reason.XML_INVALID) from None
    return xml_document(document).get("notification")


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = (
        f'<notification><timestamp type="datetime">{now}</timestamp>'
        f"<kind>{event_type or 'subscription_went_past_due'}</kind>"
        f"<subject><subscription><id>{event_id}</id></subscription></subject></notification>"
    )
    payload = base64.encodebytes(document.encode()).decode()
    return Sample(body=urlencode({"bt_payload": payload}).encode(), content_type=FORM)


providers.register("braintree")(
    Provider(
        name="Braintree",
        documentation_url="https://developer.paypal.com/braintree/docs/guides/webhooks/parse",
        scheme=_make_scheme,
        settings_schema=settings_schema(
            {
                "public_key": {
                    "type": "string",
                    "title": "Public key",
                    "description": "The public half of the API key whose private key is the endpoint's secret. Without "
                    "it Braintree's check of the URL cannot be answered.",
                    "pattern": "^[A-Za-z0-9]{1,100}$",
                }
            }
        ),
        decoder=_decode,
        event_id=("body:join('.', [kind, timestamp, subject.*.id | [0]])",),
        event_type=("body:kind",),
        handshake=Challenge(),
        # Not in the payload, which is the XML alone: named so that the body, which holds the proof, is encrypted.
        sensitive_fields=("bt_signature",),
        url_help="Control panel, the gear, API, Webhooks, Create New Webhook: Destination URL.",
        secret_help="Control panel, the gear, API: the Private Key of the API key whose Public Key is in the settings.",
        deadline_seconds=30,
        retries="Every hour for up to 24 hours.",
        retry_hours=24,
        sample=_sample,
    )
)
