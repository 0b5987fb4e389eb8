"""Linear: https://linear.app/developers/webhooks#securing-webhooks.

The time of sending counts from the body, ``webhookTimestamp``, which is signed; the ``Linear-Timestamp`` header is not.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    kind, _, action = (event_type or "Issue.create").partition(".")
    payload = {
        "action": action or "create",
        "actor": {"id": "b5ea5f1f-8adc-4f52-b4bd-ab4e84cf51ba", "type": "user", "name": "Maria"},
        "data": {"id": "539068e2-ae88-4d09-bd75-22eb4a59612f", "title": "A test event from the hub.", "number": 42},
        "type": kind,
        "url": "https://linear.app/issue/LIN-42/a-test-event",
        "organizationId": "56e1a9f2-0b1c-4e7b-9bb9-2d3d9b0d0b7d",
        "webhookTimestamp": unix_seconds() * 1000,
        "webhookId": "000042e3-d123-4980-b49f-8e140eef9329",
    }
    return json_sample(payload, {"Linear-Delivery": event_id, "Linear-Event": kind})


providers.register("linear")(
    Provider(
        name="Linear",
        documentation_url="https://linear.app/developers/webhooks",
        scheme=Hmac(
            headers=("Linear-Signature",),
            timestamp=Timestamp(path="webhookTimestamp", unit="ms", tolerance_seconds=60),
        ),
        event_id=("header:Linear-Delivery",),
        event_type=("body:type", "body:action"),
        url_help="Settings, API, New webhook: URL.",
        secret_help="Settings, API, Webhooks, your webhook: Signing secret.",
        deadline_seconds=5,
        retries="Three times: after 1 minute, 1 hour and 6 hours.",
        retry_hours=8,
        not_covered="The id of the delivery, which stands in a header.",
        sample=_sample,
    )
)
