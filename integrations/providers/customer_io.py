"""Customer.io, reporting webhooks: https://docs.customer.io/journeys/webhooks/#securely-verify-requests.

The signed text begins "v0:", the header holds the bare signature.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    kind, _, metric = (event_type or "email.opened").partition(".")
    return json_sample(
        {
            "data": {
                "customer_id": "0200102",
                "delivery_id": "RPILAgUBcRhIBqSp7kiPekGBIeVh",
                "recipient": "person@example.com",
                "subject": "A test event from the hub.",
            },
            "event_id": event_id,
            "metric": metric or "opened",
            "object_type": kind,
            "timestamp": unix_seconds(),
        }
    )


providers.register("customer_io")(
    Provider(
        name="Customer.io",
        documentation_url="https://docs.customer.io/journeys/webhooks/",
        scheme=Hmac(
            headers=("X-CIO-Signature",),
            template="v0:{timestamp}:{body}",
            timestamp=Timestamp(headers=("X-CIO-Timestamp",)),
        ),
        event_id=("body:event_id",),
        event_type=("body:object_type", "body:metric"),
        secret_help="Integrations, Reporting Webhooks, your webhook: Webhook Signing Key.",
        deadline_seconds=4,
        sample=_sample,
    )
)
