"""Zoom: https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events.

Zoom names no limit to the timestamp's age; the hub's is five minutes. It asks for a computed answer when the URL is
saved and every 72 hours from then on; that request is signed, and only then is it answered: the hub would otherwise
sign any text for anyone.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.handshakes import Computed, json_answer
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain, Timestamp
from integrations.verification.reasons import Reason, malformed

# Without a colon no answer can be the signature of an event, whose text begins "v0:".
_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class UrlValidation(Computed):
    """A signed POST ``endpoint.url_validation``: its ``plainToken``, answered with its HMAC."""

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return the answer; raises `MalformedPayload` for a token of other characters."""
        if not self.keys or not isinstance(payload, Mapping) or payload.get("event") != "endpoint.url_validation":
            return None
        inner = payload.get("payload")
        token = inner.get("plainToken") if isinstance(inner, Mapping) else None
        if not isinstance(token, str) or not _PLAIN_TOKEN.fullmatch(token):
            raise malformed(Reason.CHALLENGE_UNREADABLE)
        digest = hmac.digest(self.keys[0].encode("utf-8", "surrogatepass"), token.encode("ascii"), "sha256")
        return json_answer({"plainToken": token, "encryptedToken": digest.hex()})


def _sample(event_type: str, event_id: str) -> Sample:
    meeting = {"id": "1234567890", "uuid": event_id, "topic": "A test event from the hub.", "type": 2}
    return json_sample(
        {
            "event": event_type or "meeting.started",
            "payload": {"account_id": "AAAAAABBBB", "object": meeting},
            "event_ts": unix_seconds() * 1000,
        }
    )


providers.register("zoom")(
    Provider(
        name="Zoom",
        documentation_url="https://developers.zoom.us/docs/api/webhooks/",
        scheme=Hmac(
            headers=("x-zm-signature",),
            layout=Plain("v0="),
            template="v0:{timestamp}:{body}",
            timestamp=Timestamp(headers=("x-zm-request-timestamp",)),
        ),
        # It sends no id: the body decides.
        event_type=("body:event",),
        handshake=UrlValidation(),
        secret_help="App Marketplace, your app, Features (or Access), Event Subscriptions: Secret Token.",
        deadline_seconds=3,
        retries="Three times: after 5, 20 and 60 minutes.",
        retry_hours=2,
        sample=_sample,
    )
)
