"""Telnyx: https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Ed25519, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    data = {
        "event_type": event_type or "message.received",
        "id": event_id,
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "payload": {"id": "40385f64-5717-4562-b3fc-2c963f66afa6", "text": "A test event from the hub.", "type": "SMS"},
        "record_type": "event",
    }
    return json_sample({"data": data, "meta": {"attempt": 1, "delivered_to": "https://example.com/webhooks"}})


providers.register("telnyx")(
    Provider(
        name="Telnyx",
        documentation_url="https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
        scheme=Ed25519(
            headers=("Telnyx-Signature-Ed25519",),
            encoding="base64",
            key_encoding="base64",
            template="{timestamp}|{body}",
            timestamp=Timestamp(headers=("Telnyx-Timestamp",)),
        ),
        event_id=("body:data.id",),
        event_type=("body:data.event_type",),
        secret_help="Mission Control Portal, Account Settings, Keys & Credentials: Public Key.",
        deadline_seconds=2,
        retries="A few times, then once more to the failover URL if there is one.",
        sample=_sample,
    )
)
