"""Twitch EventSub: https://dev.twitch.tv/docs/eventsub/handling-webhook-events/.

Three kinds of message, all signed: a challenge when the subscription is made, notifications, and a revocation, which is
an event of the subscription's type with ``.revocation`` behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.handshakes import echoed
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain, Timestamp

_KIND = "Twitch-Eventsub-Message-Type"


@dataclass(frozen=True)
class CallbackVerification:
    """A signed POST whose kind stands in a header: its ``challenge`` is echoed as text."""

    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return None: this handshake is signed."""
        return None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return the challenge; raises `MalformedPayload` if there is none."""
        if request.headers.get(_KIND) != "webhook_callback_verification":
            return None
        return echoed(payload.get("challenge") if isinstance(payload, Mapping) else None)


def _sample(event_type: str, event_id: str) -> Sample:
    kind = event_type or "channel.follow"
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    subscription = {
        "id": "f1c2a387-161a-49f9-a165-0f21d7a4e1c4",
        "type": kind,
        "version": "2",
        "status": "enabled",
        "cost": 0,
        "condition": {"broadcaster_user_id": "12826"},
        "created_at": now,
    }
    event = {"user_id": "1337", "user_login": "awesome_user", "broadcaster_user_id": "12826", "followed_at": now}
    headers = {
        "Twitch-Eventsub-Message-Id": event_id,
        _KIND: "notification",
        "Twitch-Eventsub-Subscription-Type": kind,
    }
    return json_sample({"subscription": subscription, "event": event}, headers)


providers.register("twitch")(
    Provider(
        name="Twitch EventSub",
        documentation_url="https://dev.twitch.tv/docs/eventsub/handling-webhook-events/",
        scheme=Hmac(
            headers=("Twitch-Eventsub-Message-Signature",),
            layout=Plain("sha256="),
            template="{id}{timestamp}{body}",
            id_headers=("Twitch-Eventsub-Message-Id",),
            timestamp=Timestamp(headers=("Twitch-Eventsub-Message-Timestamp",), unit="iso8601", tolerance_seconds=600),
        ),
        event_id=("header:Twitch-Eventsub-Message-Id",),  # unchanged when Twitch sends again
        event_type=(
            "body:subscription.type",
            "body:subscription.status && subscription.status != 'enabled' && 'revocation'",
        ),
        handshake=CallbackVerification(),
        secret_help="The text of 10 to 100 ASCII characters that you gave as transport.secret when you subscribed.",
        deadline_seconds=10,
        retries="A few times; a subscription whose notifications fail too often is revoked.",
        sample=_sample,
    )
)
