"""Vercel: https://vercel.com/docs/webhooks/webhooks-api#securing-webhooks.

The signature is an HMAC-SHA1 (some third-party tables say SHA-256).
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "type": event_type or "deployment.succeeded",
            "id": event_id,
            "createdAt": unix_seconds() * 1000,
            "region": "sfo1",
            "payload": {
                "team": {"id": "team_V9LrzzmYx4nO1N"},
                "user": {"id": "gBXQmyBGTBX0Bk0NlcHPkLmY"},
                "deployment": {"id": "dpl_6ZRWUcnDtEQN4", "name": "my-project", "url": "my-project.vercel.app"},
            },
        }
    )


providers.register("vercel")(
    Provider(
        name="Vercel",
        documentation_url="https://vercel.com/docs/webhooks",
        scheme=Hmac(headers=("x-vercel-signature",), algorithm="sha1"),
        event_id=("body:id",),
        event_type=("body:type",),
        url_help="Team settings, Webhooks: the endpoint's URL.",
        secret_help="Shown once when the webhook is made (Team settings, Webhooks); an integration's is its Client "
        "Secret.",
        deadline_seconds=30,
        retries="For up to 24 hours, with growing waits.",
        retry_hours=24,
        sample=_sample,
    )
)
