"""Vonage: https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks.

The token's ``payload_hash`` ties it to the body; Vonage's own library looks at the token alone.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification.jwt import SharedJwt


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "message_uuid": event_id,
            "to": "447700900000",
            "from": "447700900001",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": event_type or "delivered",
            "channel": "sms",
        }
    )


providers.register("vonage")(
    Provider(
        name="Vonage",
        documentation_url="https://developer.vonage.com/en/getting-started/concepts/webhooks",
        scheme=SharedJwt(word="Bearer", required=("iat",), body_claim="payload_hash", empty_body_unhashed=True),
        # The states of one message, or call, share its id.
        event_id=(
            "body:message_uuid && status && join(':', [message_uuid, status])",
            "body:message_uuid",
            "body:uuid && status && join(':', [uuid, status])",
        ),
        event_type=("body:status || event || (message_uuid && 'message')",),
        secret_help="API settings in the dashboard: the signature secret, with signature method SHA-256 HMAC.",
        retries="Repeated for up to 24 hours.",
        retry_hours=24,
        sample=_sample,
    )
)
