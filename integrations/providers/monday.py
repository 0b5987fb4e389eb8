"""monday.com: https://developer.monday.com/api-reference/reference/webhooks.

Only webhooks that an app makes carry a token; those that a user adds to a board carry none and are refused. The token
says who sends; it does not cover the body. Only general knowledge backs how long monday.com sends again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.contracts import InboundRequest, Sample
from integrations.errors import MalformedPayload
from integrations.payloads import decode
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.handshakes import json_answer
from integrations.providers.samples import json_sample
from integrations.verification.jwt import SharedJwt
from integrations.verification.reasons import Reason, malformed

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LONGEST = 400


@dataclass(frozen=True)
class _Challenge:
    """POST of ``{"challenge": ...}`` and nothing else, answered with the same; without a token it is no event."""

    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return the answer to a challenge that comes without any token."""
        if request.headers.get("Authorization") or len(request.body) > _LONGEST:
            return None
        try:
            payload = decode("application/json", request.body)
        except MalformedPayload:
            return None
        challenge = _challenge_of(payload)
        return json_answer({"challenge": challenge}) if challenge else None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return the answer to a challenge; raises `MalformedPayload` if it is not plain text."""
        if not isinstance(payload, Mapping) or set(payload) != {"challenge"}:
            return None
        challenge = _challenge_of(payload)
        if not challenge:
            raise malformed(Reason.CHALLENGE_UNREADABLE)
        return json_answer({"challenge": challenge})


def _challenge_of(payload: Any) -> str:
    """Return the challenge, or "" if ``payload`` is anything else."""
    challenge = payload.get("challenge") if isinstance(payload, Mapping) and len(payload) == 1 else None
    return challenge if isinstance(challenge, str) and _CHALLENGE.fullmatch(challenge) else ""


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "type": event_type or "create_pulse",
        "triggerUuid": event_id,
        "userId": 9603417,
        "boardId": 1771812698,
        "pulseId": 1772099344,
        "pulseName": "A test event from the hub",
    }
    return json_sample({"event": event})


providers.register("monday")(
    Provider(
        name="monday.com",
        documentation_url="https://developer.monday.com/api-reference/reference/webhooks",
        scheme=SharedJwt(required=("exp",), lifetime_seconds=300),
        event_id=("body:event.triggerUuid",),
        event_type=("body:event.type",),
        handshake=_Challenge(),
        secret_help="Developer centre, your app, Basic information: Signing secret.",
        not_covered="The token shows that monday.com sends; it does not cover the body.",
        retries="Once a minute for 30 minutes.",
        retry_hours=0.5,
        sample=_sample,
    )
)
