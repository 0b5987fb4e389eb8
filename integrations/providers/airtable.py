"""Airtable: https://airtable.com/developers/web/api/webhooks-overview.

The event only tells that something changed; what, a handler fetches (list webhook payloads).
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain


def _sample(_: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json_sample({"base": {"id": "app00000000000000"}, "webhook": {"id": event_id}, "timestamp": now})


providers.register("airtable")(
    Provider(
        name="Airtable",
        documentation_url="https://airtable.com/developers/web/api/webhooks-overview",
        scheme=Hmac(headers=("X-Airtable-Content-MAC",), layout=Plain("hmac-sha256="), key_form="base64"),
        event_id=("body:join('.', [base.id, webhook.id, timestamp])",),
        secret_help="The answer to the request that made the webhook: macSecretBase64. It is shown only there.",
        deadline_seconds=25,
        retries="13 tries with growing waits; then notifications are switched off.",
        sample=_sample,
    )
)
