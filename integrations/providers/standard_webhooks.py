"""Standard Webhooks and Svix, one signature under two families of header names.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Ed25519, Hmac, Scheme, Timestamp, Versions

STANDARD = Hmac(
    headers=("Webhook-Signature",),
    layout=Versions("v1"),
    encoding="base64",
    key_form="whsec",
    template="{id}.{timestamp}.{body}",
    timestamp=Timestamp(headers=("Webhook-Timestamp",)),
    id_headers=("Webhook-Id",),
)
SVIX = replace(
    STANDARD,
    headers=("Svix-Signature", "Webhook-Signature"),
    timestamp=Timestamp(headers=("Svix-Timestamp", "Webhook-Timestamp")),
    id_headers=("Svix-Id", "Webhook-Id"),
)
_ASYMMETRIC = Ed25519(
    headers=STANDARD.headers,
    layout=Versions("v1a"),
    encoding="base64",
    key_encoding="base64",
    public_prefix="whpk_",
    private_prefix="whsk_",
    template=STANDARD.template,
    timestamp=STANDARD.timestamp,
    id_headers=STANDARD.id_headers,
)


def _scheme(settings: Settings) -> Scheme:
    return _ASYMMETRIC if settings.get("asymmetric") else STANDARD


def sample_of(family: str) -> Callable[[str, str], Sample]:
    """Return a maker of samples whose id is in the header ``<family>-Id``."""

    def sample(event_type: str, event_id: str) -> Sample:
        payload = {
            "type": event_type or "contact.created",
            "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
            "data": {"id": "1f81eb52-5198-4599-803e-771906343485", "email": "john.smith@example.com"},
        }
        return json_sample(payload, {f"{family}-Id": event_id})

    return sample


providers.register("standard_webhooks")(
    Provider(
        name="Standard Webhooks",
        documentation_url="https://www.standardwebhooks.com/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "asymmetric": {
                    "type": "boolean",
                    "title": "Signed with a key pair",
                    "description": "On if the sender shows a public key (whpk_...) instead of a secret (whsec_...).",
                    "default": False,
                }
            }
        ),
        event_id=("header:Webhook-Id",),
        event_type=("body:type",),
        secret_help="The sender's signing secret (whsec_...), or the public key (whpk_...) if a key pair signs.",
        deadline_seconds=15,
        retries="The specification's example: 10 tries over 75 hours, each signed anew under the same id.",
        retry_hours=75,
        sample=sample_of("Webhook"),
    )
)
providers.register("svix")(
    Provider(
        name="Svix",
        documentation_url="https://docs.svix.com/receiving/verifying-payloads/how",
        scheme=SVIX,
        event_id=("header:Svix-Id|Webhook-Id",),
        event_type=("body:type",),
        secret_help="The sender's webhook portal, your endpoint: Signing Secret (whsec_...).",
        deadline_seconds=15,
        retries="8 tries over about 28 hours, each signed anew under the same id.",
        retry_hours=28,
        sample=sample_of("Svix"),
    )
)
