"""Meta: WhatsApp, Messenger, Instagram, Pages. https://developers.facebook.com/docs/graph-api/webhooks/getting-started.

Meta signs the body as it sends it, with non-ASCII characters escaped; the raw bytes are what counts.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers, settings_schema
from integrations.providers.handshakes import ChallengeInQuery
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    product, _, change = (event_type or "whatsapp_business_account.messages").partition(".")
    message = {"id": event_id, "from": "16315551181", "timestamp": str(unix_seconds()), "type": "text"}
    value = {"messaging_product": "whatsapp", "messages": [{**message, "text": {"body": "A test event from the hub."}}]}
    entry = {"id": "102290129340398", "time": unix_seconds(), "changes": [{"field": change, "value": value}]}
    return json_sample({"object": product, "entry": [entry]})


providers.register("meta")(
    Provider(
        name="Meta (WhatsApp, Messenger, Instagram)",
        documentation_url="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        scheme=Hmac(
            headers=("X-Hub-Signature-256",),
            layout=Plain("sha256="),
            parameters=frozenset({"hub.verify_token"}),
        ),
        settings_schema=settings_schema(
            {
                "verify_token": {
                    "type": "string",
                    "title": "Verify token",
                    "description": "A text that you make up and enter in both places: here (or a reference to it, "
                    "env:HUB_SECRET_NAME or file:NAME), and in the app's dashboard under Webhooks, Verify token. "
                    "Without it Meta's check of the URL is refused.",
                    "writeOnly": True,
                    "minLength": 1,
                    "maxLength": 200,
                }
            }
        ),
        # A request holds several messages and has no id of its own: the body decides.
        event_type=("body:object", "body:entry[0].changes[0].field || (entry[0].messaging && 'messaging')"),
        batch="entry",
        item_event_type=("body:changes[0].field || (messaging && 'messaging')",),
        handshake=ChallengeInQuery(mode=("hub.mode", "subscribe"), challenge="hub.challenge", token="hub.verify_token"),
        deadline_seconds=5,
        retries="With growing pauses: Graph for 36 hours, WhatsApp for seven days.",
        retry_hours=168,
        secret_help="App dashboard, App settings, Basic: App secret. Not the verify token, and not an access token.",
        sample=_sample,
    )
)
