"""PagerDuty, v3 webhooks: https://developer.pagerduty.com/docs/verifying-webhook-signatures."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Fields, Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "id": event_id,
        "event_type": event_type or "incident.triggered",
        "resource_type": "incident",
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": "Tenex Engineer"},
        "data": {"id": "PGR0VU2", "type": "incident", "number": 2, "status": "triggered", "title": "A test event"},
    }
    return json_sample({"event": event})


providers.register("pagerduty")(
    Provider(
        name="PagerDuty",
        documentation_url="https://developer.pagerduty.com/docs/webhooks-overview",
        scheme=Hmac(headers=("X-PagerDuty-Signature",), layout=Fields(signature="v1")),  # one for each live secret
        event_id=("body:event.id",),
        event_type=("body:event.event_type",),
        secret_help="Shown once when the webhook subscription is made (Integrations, Generic Webhooks v3).",
        deadline_seconds=5,
        retries="With growing waits after a 5xx answer or none; a 400 or 403 ends them.",
        sample=_sample,
    )
)
