"""Heroku: https://devcenter.heroku.com/articles/app-webhooks#securing-webhook-requests."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    include = event_type or "api:release"
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return json_sample(
        {
            "id": event_id,
            "action": "create",
            "actor": {"email": "developer@example.com", "id": "6f5b2c3e-b0f4-4e32-8b63-b3c1cc4f9d6a"},
            "created_at": now,
            "data": {"id": "d3f1ccf2-6b6b-4a7c-9a0d-3cf5d1d2a6b4", "status": "succeeded", "version": 7},
            "published_at": now,
            "resource": include.rpartition(":")[2],
            "version": "application/vnd.heroku+json; version=3",
            "webhook_metadata": {"attempt": {"id": "1"}, "event": {"id": event_id, "include": include}},
        }
    )


providers.register("heroku")(
    Provider(
        name="Heroku",
        documentation_url="https://devcenter.heroku.com/articles/app-webhooks",
        scheme=Hmac(headers=("Heroku-Webhook-Hmac-SHA256",), encoding="base64"),
        event_id=("body:id",),
        event_type=("body:webhook_metadata.event.include",),
        secret_help="The answer to the command or request that made the webhook shows it once (heroku webhooks:add).",
        retries="With level sync for up to 72 hours; with level notify not at all.",
        retry_hours=72,
        sample=_sample,
    )
)
