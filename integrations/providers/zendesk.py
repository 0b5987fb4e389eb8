"""Zendesk: https://developer.zendesk.com/documentation/webhooks/verifying/.

Zendesk sets no limit to the timestamp's age; it tries up to five times, shortly after each other, so that an hour is
ample. Events sent with "Test webhook" before the webhook is saved are signed with a secret that is in Zendesk's
documentation: they are refused here.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "type": event_type or "zen:event-type:ticket.created",
            "account_id": 22129848,
            "id": "01HWRQ9WGRTZ5GVYPKZ3BS0J4S",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "zendesk_event_version": "2022-11-06",
            "subject": "zen:ticket:5158",
            "detail": {"id": "5158", "status": "OPEN", "subject": "A test event from the hub"},
            "event": {},
        },
        {"X-Zendesk-Webhook-Id": "01GPQ5G3XPYJ2V8Q5H4R5YV5VW", "X-Zendesk-Webhook-Invocation-Id": event_id},
    )


providers.register("zendesk")(
    Provider(
        name="Zendesk",
        documentation_url="https://developer.zendesk.com/documentation/webhooks/verifying/",
        scheme=Hmac(
            headers=("X-Zendesk-Webhook-Signature",),
            encoding="base64",
            template="{timestamp}{body}",
            timestamp=Timestamp(
                headers=("X-Zendesk-Webhook-Signature-Timestamp",), unit="iso8601", tolerance_seconds=3600
            ),
        ),
        event_id=("header:X-Zendesk-Webhook-Invocation-Id",),
        event_type=("body:type",),  # webhooks that a trigger calls have a body of the operator's own
        url_help="Admin Center, Apps and integrations, Webhooks, Create webhook: the endpoint's URL.",
        secret_help="Admin Center, Apps and integrations, Webhooks, your webhook: Reveal secret.",
        deadline_seconds=12,
        retries="Up to five times, for the answers 409, 429 and 503 and where none comes.",
        retry_hours=1,
        not_covered="The header with the invocation's id.",
        sample=_sample,
    )
)
