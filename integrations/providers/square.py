"""Square: https://developer.squareup.com/docs/webhooks/step3validate.

The URL is signed as it is entered at Square, byte for byte. The older SHA-1 header is never looked at.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Scheme


def _scheme(settings: Settings) -> Scheme:
    return Hmac(
        headers=("X-Square-HmacSha256-Signature",),
        encoding="base64",
        template="{url}{body}",
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    kind = event_type or "payment.updated"
    payment = {"id": "hYy9pRFVxpDsO1FB05SunFWUe9JZY", "status": "COMPLETED", "location_id": "S8GWD5R9QB376"}
    return json_sample(
        {
            "merchant_id": "6SSW7HV8K2ST5",
            "type": kind,
            "event_id": event_id,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": {"type": kind.partition(".")[0], "id": payment["id"], "object": {"payment": payment}},
        }
    )


providers.register("square")(
    Provider(
        name="Square",
        documentation_url="https://developer.squareup.com/docs/webhooks/step3validate",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The notification URL exactly as it is entered at Square, if that is not this "
                    "endpoint's own address (a proxy that changes it, a domain of yours).",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                }
            }
        ),
        event_id=("body:event_id",),
        event_type=("body:type",),
        url_help="Developer Console, your application, Webhooks, Subscriptions, Add subscription: URL.",
        secret_help="Developer Console, your application, Webhooks, the subscription: Signature key.",
        deadline_seconds=10,
        retries="For up to 24 hours.",
        retry_hours=24,
        sample=_sample,
    )
)
