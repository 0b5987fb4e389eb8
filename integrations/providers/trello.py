"""Trello: https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/#webhook-signatures.

The signature covers the body and behind it the callback URL, byte for byte as it was registered. Trello asks with a
HEAD whether there is anything at the URL before it makes the webhook.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.handshakes import Ready
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Scheme


def _scheme(settings: Settings) -> Scheme:
    return Hmac(
        headers=("X-Trello-Webhook",),
        algorithm="sha1",
        encoding="base64",
        template="{body}{url}",
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    board = {"id": "4d5ea62fd76aa1136000000c", "name": "Trello Development", "closed": False}
    action = {
        "id": event_id,
        "idMemberCreator": "4ee7df1be582acdec80000a1",
        "type": event_type or "updateCard",
        "date": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {"board": board, "card": {"id": "5a1ea62fd76aa1136000000d", "name": "A test event from the hub."}},
    }
    return json_sample({"action": action, "model": board})


providers.register("trello")(
    Provider(
        name="Trello",
        documentation_url="https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The callbackURL exactly as the webhook was made with, if that is not this "
                    "endpoint's own address (a trailing slash, a query string, a domain of yours).",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                }
            }
        ),
        event_id=("body:action.id",),
        event_type=("body:action.type",),
        handshake=Ready(frozenset({"HEAD"})),
        secret_help="The Power-Up's admin page, API key: the secret (of the application; not the API key or a token).",
        retries="Three times: after 30, 60 and 120 seconds.",
        retry_hours=1,
        sample=_sample,
    )
)
