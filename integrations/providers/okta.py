"""Okta event hooks: https://developer.okta.com/docs/concepts/event-hooks/.

Okta shows a header with a text that you chose, and asks once, by a GET with a challenge in a header, whether the URL is
its owner's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.handshakes import checked_challenge, json_answer
from integrations.providers.samples import json_sample
from integrations.verification import Scheme, Token
from integrations.verification.reasons import Reason, unproven

_CHALLENGE_HEADER = "X-Okta-Verification-Challenge"


@dataclass(frozen=True)
class ChallengeInHeader:
    """GET with a challenge in a header, echoed in JSON."""

    methods: frozenset[str] = field(default=frozenset({"GET"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return the challenge; raises `VerificationFailed` for one that is no plain text."""
        challenge = request.headers.get(_CHALLENGE_HEADER, "")
        if request.method not in self.methods or not challenge:
            return None
        if not checked_challenge(challenge):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        return json_answer({"verification": challenge})

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what is proven is an event."""
        return None


def _scheme(settings: Settings) -> Scheme:
    return Token(header=settings.get("header", "Authorization"))


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {
        "uuid": event_id,
        "published": now,
        "eventType": event_type or "user.lifecycle.create",
        "displayMessage": "A test event from the hub.",
        "actor": {"id": "00uttidj01jqL21aM1d6", "type": "User", "alternateId": "john.doe@example.com"},
    }
    return json_sample(
        {
            "eventType": "com.okta.event_hook",
            "eventTypeVersion": "1.0",
            "cloudEventsVersion": "0.1",
            "source": "https://example.okta.com/api/v1/eventHooks/whoql0HfiLGPWc8Jx0g3",
            "eventId": event_id,
            "data": {"events": [event]},
            "eventTime": now,
            "contentType": "application/json",
        }
    )


providers.register("okta")(
    Provider(
        name="Okta event hooks",
        documentation_url="https://developer.okta.com/docs/concepts/event-hooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "header": {
                    "type": "string",
                    "title": "Authentication field",
                    "description": "The header that the event hook's authentication names.",
                    "default": "Authorization",
                    "pattern": "^[A-Za-z0-9-]{1,100}$",
                }
            }
        ),
        event_id=("body:eventId",),
        event_type=("body:data.events[0].eventType || eventType",),
        batch="data.events",
        item_event_id=("body:uuid",),
        item_event_type=("body:eventType",),
        handshake=ChallengeInHeader(),
        secret_help="Workflow, Event Hooks, your hook: the text that you entered as Authentication secret.",
        deadline_seconds=3,
        retries="Once.",
        not_covered="The body: the token proves who sends, not what.",
        sample=_sample,
    )
)
