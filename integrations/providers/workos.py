"""WorkOS: https://workos.com/docs/events/data-syncing/webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Fields, Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    user = {"object": "user", "id": "user_01E4ZCR3C5A4QZ2Z2JQXGKZJ9E", "email": "todd@example.com"}
    return json_sample(
        {
            "id": event_id,
            "event": event_type or "user.created",
            "data": user,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    )


providers.register("workos")(
    Provider(
        name="WorkOS",
        documentation_url="https://workos.com/docs/events/data-syncing/webhooks",
        scheme=Hmac(
            headers=("WorkOS-Signature",),
            layout=Fields(signature="v1", timestamp="t", separator=", "),
            template="{timestamp}.{body}",
            timestamp=Timestamp(field="t", unit="ms", tolerance_seconds=180),
        ),
        event_id=("body:id",),
        event_type=("body:event",),
        secret_help="Dashboard, Webhooks, your endpoint: Signing secret.",
        retries="Up to 12 times in three days.",
        retry_hours=72,
        sample=_sample,
    )
)
