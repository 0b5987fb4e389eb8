"""SendGrid's events: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features.

The body ends in CRLF, which is signed with it. SendGrid sets no limit to the timestamp's age; it sends again for 24
hours, which a limit must not cut short.
"""

from __future__ import annotations

import json

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import unix_seconds
from integrations.verification import Timestamp
from integrations.verification.ecdsa import Ecdsa

_RETRY_HOURS = 24


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "email": "example@test.com",
        "timestamp": unix_seconds(),
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": event_type or "processed",
        "category": ["cat facts"],
        "sg_event_id": event_id,
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    }
    return Sample(body=json.dumps([event], separators=(",", ":")).encode())


providers.register("sendgrid")(
    Provider(
        name="SendGrid",
        documentation_url="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/"
        "getting-started-event-webhook-security-features",
        scheme=Ecdsa(
            headers=("X-Twilio-Email-Event-Webhook-Signature",),
            template="{timestamp}{body}",
            timestamp=Timestamp(
                headers=("X-Twilio-Email-Event-Webhook-Timestamp",), tolerance_seconds=(_RETRY_HOURS + 1) * 3600
            ),
        ),
        # A request with several events has no id of its own: the body decides.
        event_id=("body:!([1]) && [0].sg_event_id",),
        event_type=("body:[0].event",),
        batch="@",
        item_event_id=("body:sg_event_id",),
        item_event_type=("body:event",),
        url_help="Settings, Mail Settings, Event Webhooks, a new webhook: Post URL.",
        secret_help="Settings, Mail Settings, Event Webhooks, your webhook, Security features, Signed event webhook: "
        "Verification Key.",
        retries="For up to 24 hours with growing pauses.",
        retry_hours=_RETRY_HOURS,
        sample=_sample,
    )
)
