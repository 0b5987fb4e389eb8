"""Intercom: https://developers.intercom.com/docs/references/webhooks/webhook-models#signed-notifications.

Its ``X-Hub-Signature`` is a SHA-1. Intercom asks with a HEAD whether there is anything at the URL when it is saved.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.handshakes import Ready
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    item = {"type": "conversation", "id": "1234", "title": "A test event from the hub."}
    return json_sample(
        {
            "type": "notification_event",
            "app_id": "a86dr8yl",
            "data": {"type": "notification_event_data", "item": item},
            "id": event_id,
            "topic": event_type or "conversation.user.created",
            "delivery_attempts": 1,
            "first_sent_at": unix_seconds(),
            "created_at": unix_seconds(),
        }
    )


providers.register("intercom")(
    Provider(
        name="Intercom",
        documentation_url="https://developers.intercom.com/docs/webhooks",
        scheme=Hmac(headers=("X-Hub-Signature",), layout=Plain("sha1="), algorithm="sha1"),
        event_id=("body:id",),
        event_type=("body:topic",),
        handshake=Ready(frozenset({"HEAD"})),
        url_help="Developer Hub, your app, Configure, Webhooks: Endpoint URL.",
        secret_help="Developer Hub, your app, Basic information: Client secret.",
        deadline_seconds=5,
        retries="Once, after a minute.",
        retry_hours=1,
        sample=_sample,
    )
)
