"""Webflow: https://developers.webflow.com/data/docs/working-with-webhooks#validating-request-signatures."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "triggerType": event_type or "form_submission",
            "payload": {
                "name": "Contact Us",
                "siteId": "65427cf400e02b306eaa049c",
                "data": {"First Name": "Zaphod", "Message": "A test event from the hub."},
                "submittedAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "id": event_id,
                "formId": "65429eadebe8a9f3a30f62d0",
            },
        }
    )


providers.register("webflow")(
    Provider(
        name="Webflow",
        documentation_url="https://developers.webflow.com/data/docs/working-with-webhooks",
        scheme=Hmac(
            headers=("x-webflow-signature",),
            template="{timestamp}:{body}",
            timestamp=Timestamp(headers=("x-webflow-timestamp",), unit="ms"),
        ),
        # It sends no id that all types share: the body decides.
        event_type=("body:triggerType",),
        secret_help="For webhooks made by an app, the app's Client Secret; for those made in the dashboard, the key "
        "that is shown when the webhook is made.",
        retries="Three times.",
        sample=_sample,
    )
)
