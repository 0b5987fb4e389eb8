"""Calendly: https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures.

The documentation's own example refuses what is older than three minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Fields, Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json_sample(
        {
            "event": event_type or "invitee.created",
            "created_at": now,
            "created_by": "https://api.calendly.com/users/AAAAAAAAAAAAAAAA",
            "payload": {
                "uri": f"https://api.calendly.com/scheduled_events/BBBBBBBBBBBBBBBB/invitees/{event_id}",
                "name": "John Doe",
                "email": "john@example.com",
                "status": "active",
            },
        }
    )


providers.register("calendly")(
    Provider(
        name="Calendly",
        documentation_url="https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures",
        scheme=Hmac(
            headers=("Calendly-Webhook-Signature",),
            layout=Fields(signature="v1", timestamp="t"),
            template="{timestamp}.{body}",
            timestamp=Timestamp(field="t", tolerance_seconds=180),
        ),
        event_id=("body:join('.', [payload.uri, event, created_at])",),
        event_type=("body:event",),
        secret_help="The signing_key that you chose (or were given) when you made the webhook subscription.",
        retries="With growing waits for up to 24 hours; then the subscription is disabled.",
        retry_hours=24,
        sample=_sample,
    )
)
