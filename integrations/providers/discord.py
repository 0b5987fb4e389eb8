"""Discord, interactions and event webhooks.

https://docs.discord.com/developers/interactions/receiving-and-responding
https://docs.discord.com/developers/events/webhook-events
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from integrations.contracts import Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.handshakes import Ping, json_answer
from integrations.providers.samples import json_sample
from integrations.verification import Ed25519, Timestamp

_NO_CONTENT = Answer(status=204)
_INTERACTIONS = "interactions"

# "Thinking...", to be followed up by a handler; autocomplete (4) cannot wait and gets no choices.
# https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object
_INTERACTION_ANSWERS: dict[int, Answer] = {
    2: json_answer({"type": 5}),
    3: json_answer({"type": 6}),
    4: json_answer({"type": 8, "data": {"choices": []}}),
    5: json_answer({"type": 5}),
}


def _accepted(payload: Any, settings: Settings) -> Answer | None:
    if settings.get("mode", _INTERACTIONS) != _INTERACTIONS:
        return _NO_CONTENT
    kind = payload.get("type") if isinstance(payload, dict) else None
    return _INTERACTION_ANSWERS.get(kind) if isinstance(kind, int) else None


def _sample(event_type: str, event_id: str) -> Sample:
    if event_type and not event_type.isdecimal():
        event = {"type": event_type, "timestamp": datetime.now(UTC).isoformat(), "data": {"note": event_id}}
        return json_sample({"version": 1, "application_id": "1234560123453231555", "type": 1, "event": event})
    return json_sample(
        {
            "id": event_id,
            "application_id": "1234560123453231555",
            "type": int(event_type or 2),
            "token": "interaction-token-of-the-sample",
            "version": 1,
            "guild_id": "290926798626357999",
            "channel_id": "645027906669510667",
            "data": {"id": "771825006014889984", "name": "cardsearch", "type": 1},
        }
    )


providers.register("discord")(
    Provider(
        name="Discord",
        documentation_url="https://docs.discord.com/developers/interactions/overview",
        # Discord sets no limit to the timestamp's age; its retries end after 10 minutes.
        scheme=Ed25519(
            headers=("X-Signature-Ed25519",),
            template="{timestamp}{body}",
            timestamp=Timestamp(headers=("X-Signature-Timestamp",), tolerance_seconds=600),
        ),
        settings_schema=settings_schema(
            {
                "mode": {
                    "enum": [_INTERACTIONS, "events"],
                    "title": "What Discord sends",
                    "description": "interactions: the URL is the app's Interactions Endpoint URL. events: it is the "
                    "Endpoint on the app's Webhooks page.",
                    "default": _INTERACTIONS,
                }
            }
        ),
        event_id=("body:id",),  # event webhooks have none: the body decides
        event_type=("body:event.type || type",),
        handshake=Ping(
            answers={_INTERACTIONS: (1, json_answer({"type": 1})), "events": (0, _NO_CONTENT)},
            default_mode=_INTERACTIONS,
        ),
        accepted=_accepted,
        sensitive_fields=("token",),
        retries="Interactions: none. Event webhooks: for up to ten minutes.",
        retry_hours=1,
        url_help="Developer portal, your application, in the mode interactions: Interactions Endpoint URL.",
        secret_help="Developer portal, your application, General Information: Public Key.",
        deadline_seconds=3,
        sample=_sample,
    )
)
