"""LINE Messaging API: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/.

The console's Verify button sends a signed request without events.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.handshakes import EmptyBatch
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "type": event_type or "message",
        "message": {"type": "text", "id": "14353798921116", "text": "A test event from the hub."},
        "timestamp": unix_seconds() * 1000,
        "source": {"type": "user", "userId": "U80696558e1aa831d2cb8c3d5d1d5c1a2"},
        "mode": "active",
        "webhookEventId": event_id,
        "deliveryContext": {"isRedelivery": False},
    }
    return json_sample({"destination": "xxxxxxxxxx", "events": [event]})


providers.register("line")(
    Provider(
        name="LINE",
        documentation_url="https://developers.line.biz/en/docs/messaging-api/receiving-messages/",
        scheme=Hmac(headers=("X-Line-Signature",), encoding="base64"),
        # A redelivery keeps the ids while its body differs (isRedelivery).
        event_id=("body:events && join('.', events[].webhookEventId)",),
        event_type=("body:events[0].type",),
        batch="events",
        item_event_id=("body:webhookEventId",),
        item_event_type=("body:type",),
        handshake=EmptyBatch("events"),
        sensitive_fields=("events[].replyToken", "replyToken"),
        secret_help="LINE Developers Console, your channel, Basic settings: Channel secret.",
        deadline_seconds=1,
        retries="Only if webhook redelivery is switched on for the channel.",
        sample=_sample,
    )
)
