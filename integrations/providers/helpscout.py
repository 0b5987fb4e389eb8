"""Help Scout: https://developer.helpscout.com/webhooks/."""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    payload = {
        "id": 10,
        "number": 12,
        "type": "email",
        "status": "active",
        "subject": "A test event from the hub.",
        "primaryCustomer": {"id": 238604, "email": "customer@example.com"},
        "preview": event_id,
    }
    return json_sample(payload, {"X-HelpScout-Event": event_type or "convo.created"})


providers.register("helpscout")(
    Provider(
        name="Help Scout",
        documentation_url="https://developer.helpscout.com/webhooks/",
        scheme=Hmac(headers=("X-HelpScout-Signature",), algorithm="sha1", encoding="base64"),
        # It sends no id: the body decides.
        event_type=("header:X-HelpScout-Event",),
        secret_help="The text that you entered as Secret Key when the webhook was made.",
        not_covered="The type of the event, which stands in a header.",
        sample=_sample,
    )
)
