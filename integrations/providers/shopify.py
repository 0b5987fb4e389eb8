"""Shopify: https://shopify.dev/docs/apps/build/webhooks/subscribe/https#verify-a-webhook."""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.providers.shopify_changes import same_change
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    order = {
        "id": 820982911946154508,
        "name": "#9999",
        "email": "jon@example.com",
        "currency": "USD",
        "total_price": "414.95",
        "financial_status": "voided",
        "test": True,
    }
    return json_sample(
        order,
        {
            "X-Shopify-Topic": event_type or "orders/create",
            "X-Shopify-Webhook-Id": event_id,
            "X-Shopify-Shop-Domain": "example.myshopify.com",
            "X-Shopify-API-Version": "2025-10",
        },
    )


providers.register("shopify")(
    Provider(
        name="Shopify",
        documentation_url="https://shopify.dev/docs/apps/build/webhooks",
        scheme=Hmac(headers=("X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256"), encoding="base64"),
        # Not X-Shopify-Event-Id: it repeats over the subscriptions that one change sets off.
        event_id=("header:X-Shopify-Webhook-Id|Shopify-Webhook-Id",),
        event_type=("header:X-Shopify-Topic|Shopify-Topic",),
        retries="8 times within four hours; then the subscription is deleted.",
        retry_hours=4,
        url_help="The shop's admin, Settings, Notifications, Webhooks, Create webhook: URL.",
        secret_help="For an app: its client secret. For a webhook made in the shop's admin: the text under the list, "
        "Settings, Notifications, Webhooks.",
        deadline_seconds=5,
        same_change=same_change,
        sample=_sample,
    )
)
