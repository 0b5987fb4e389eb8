"""Stripe: https://docs.stripe.com/webhooks#verify-official-libraries.

Stripe's own libraries take any timestamp in the future. Here one that is ahead by more than the tolerance is refused:
Stripe never sends it, and it would make a captured request last.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, SourceNetworks, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Fields, Hmac, Timestamp


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "id": event_id,
            "object": "event",
            "api_version": "2025-09-30.clover",
            "created": unix_seconds(),
            "data": {
                "object": {
                    "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
                    "object": "payment_intent",
                    "amount": 2000,
                    "currency": "usd",
                    "status": "succeeded",
                }
            },
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type or "payment_intent.succeeded",
        }
    )


# Stripe announces changes a week before.
_ADDRESSES = (
    "3.18.12.63 3.69.109.8 3.120.168.93 3.130.192.231 13.235.14.237 13.235.122.149 18.211.135.69 35.154.171.200 "
    "35.157.207.129 52.15.183.38 54.88.130.119 54.88.130.237 54.187.174.169 54.187.205.235 54.187.216.72"
)
_NETWORKS = SourceNetworks(
    [f"{address}/32" for address in _ADDRESSES.split()],
    url="https://stripe.com/files/ips/ips_webhooks.txt",
    checked_on="2026-11-22",
)

providers.register("stripe")(
    Provider(
        name="Stripe",
        documentation_url="https://docs.stripe.com/webhooks",
        scheme=Hmac(
            headers=("Stripe-Signature",),
            layout=Fields(signature="v1", timestamp="t"),
            template="{timestamp}.{body}",
            timestamp=Timestamp(field="t"),
            # The secret begins with whsec_ and is used as it is: unlike Standard Webhooks', it is not decoded.
        ),
        event_id=("body:id",),
        event_type=("body:type",),
        retries="With growing pauses for up to three days.",
        retry_hours=72,
        url_help="Workbench, Webhooks, Create new destination, Webhook endpoint: Endpoint URL.",
        secret_help="Workbench, Webhooks, your endpoint: Signing secret (whsec_...).",
        source_networks=_NETWORKS,
        sample=_sample,
    )
)
