"""Cal.com: https://cal.com/docs/developing/guides/automation/webhooks#verifying-the-authenticity-of-the-received-payload."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json_sample(
        {
            "triggerEvent": event_type or "BOOKING_CREATED",
            "createdAt": now,
            "payload": {
                "type": "60min",
                "title": "A test event from the hub.",
                "startTime": now,
                "organizer": {"id": 5, "name": "Pro Example", "email": "pro@example.com"},
                "uid": event_id,
                "status": "ACCEPTED",
            },
        }
    )


providers.register("cal_com")(
    Provider(
        name="Cal.com",
        documentation_url="https://cal.com/docs/developing/guides/automation/webhooks",
        scheme=Hmac(headers=("X-Cal-Signature-256",)),
        event_id=("body:join('.', [payload.uid, triggerEvent, createdAt])",),
        event_type=("body:triggerEvent",),
        url_help="Settings, Developer, Webhooks, a new webhook: the URL.",
        secret_help="Settings, Developer, Webhooks, your webhook: the text in the field Secret.",
        sample=_sample,
    )
)
