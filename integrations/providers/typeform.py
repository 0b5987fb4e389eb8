"""Typeform: https://www.typeform.com/developers/webhooks/secure-your-webhooks/."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    answer = {
        "type": "text",
        "text": "A test event from the hub.",
        "field": {"id": "DlXFaesGBpoF", "type": "long_text"},
    }
    return json_sample(
        {
            "event_id": event_id,
            "event_type": event_type or "form_response",
            "form_response": {
                "form_id": "lT4Z3j",
                "token": "a3a12ec67a1365927098a606107fac15",
                "submitted_at": now,
                "landed_at": now,
                "answers": [answer],
            },
        }
    )


providers.register("typeform")(
    Provider(
        name="Typeform",
        documentation_url="https://www.typeform.com/developers/webhooks/",
        scheme=Hmac(headers=("Typeform-Signature",), layout=Plain("sha256="), encoding="base64"),
        event_id=("body:event_id",),
        event_type=("body:event_type",),
        url_help="The form's Connect, Webhooks, Add a webhook: the URL. Then switch the webhook on.",
        secret_help="Connect, Webhooks, your webhook, Edit: the text in the field Secret.",
        deadline_seconds=30,
        retries="With growing waits; a webhook that fails too often is disabled.",
        sample=_sample,
    )
)
