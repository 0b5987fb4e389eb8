"""PayPal: https://developer.paypal.com/api/rest/webhooks/rest/.

The body is covered by its CRC-32 alone, as PayPal's scheme has it: whoever can change the body on the way can make
another one with the same CRC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification.certificates import TransmissionSignature

_ADDRESS = re.compile(r"https://(?:[a-z0-9-]+\.){0,2}paypal\.com/v1/notifications/certs/[A-Za-z0-9_-]{1,100}", re.ASCII)


def _scheme(settings: Settings) -> TransmissionSignature:
    return TransmissionSignature(pinned=_ADDRESS, certs=settings.get("certs", {}))


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "id": event_id,
            "event_version": "1.0",
            "create_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resource_type": "capture",
            "event_type": event_type or "PAYMENT.CAPTURE.COMPLETED",
            "summary": "A test event from the hub.",
            "resource": {"id": "42311647XV020574X", "amount": {"currency_code": "USD", "value": "30.00"}},
        }
    )


providers.register("paypal")(
    Provider(
        name="PayPal",
        documentation_url="https://developer.paypal.com/api/rest/webhooks/rest/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "certs": {
                    "type": "object",
                    "title": "Certificates by URL",
                    "description": "PayPal's certificates as PEM, each under its PAYPAL-CERT-URL, for a hub that "
                    "cannot reach api.paypal.com. Empty: the hub fetches them, from paypal.com only.",
                    "additionalProperties": {"type": "string"},
                    "maxProperties": 50,
                }
            }
        ),
        event_id=("body:id",),
        event_type=("body:event_type",),
        secret_help="The webhook id: Developer dashboard, Apps & Credentials, your app, Webhooks.",
        not_covered="The body is covered by its CRC-32 only, which is no cryptographic hash.",
        retries="Up to 25 times over 3 days.",
        retry_hours=72,
        sample=_sample,
    )
)
