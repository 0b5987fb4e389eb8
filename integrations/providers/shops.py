"""Shops and bookkeeping that sign the body with an HMAC in base64, each with a check of the URL of its own.

Xero         https://developer.xero.com/documentation/guides/webhooks/overview/
QuickBooks   https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks
WooCommerce  https://woocommerce.com/document/webhooks/

None of their requests has an id that is unique (WooCommerce's delivery id aside): two that are byte for byte the same
count as one within the endpoint's window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.handshakes import EmptyBatch
from integrations.providers.samples import json_sample
from integrations.verification import Hmac
from integrations.verification.templates import FORM

_WOOCOMMERCE_SIGNATURE = "X-WC-Webhook-Signature"
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")


@dataclass(frozen=True)
class UnsignedPing:
    """A form ``webhook_id=...`` without a signature, sent when the webhook is saved: 200, and no event."""

    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return an empty answer to the form alone; nothing in it is believed."""
        is_ping = request.content_type == FORM and _PING.fullmatch(request.body)
        return Answer() if is_ping and not request.headers.get(_WOOCOMMERCE_SIGNATURE) else None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what is signed is an event."""
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _xero(event_type: str, event_id: str) -> Sample:
    category, _, kind = (event_type or "INVOICE.UPDATE").partition(".")
    event = {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/Invoices/{event_id}",
        "resourceId": event_id,
        "tenantId": "c2cc9b6e-9458-4c7d-93cc-f02b81b0594f",
        "tenantType": "ORGANISATION",
        "eventCategory": category,
        "eventType": kind,
        "eventDateUtc": _now().removesuffix("Z"),
    }
    return json_sample(
        {"events": [event], "firstEventSequence": 1, "lastEventSequence": 1, "entropy": "S0m3r4nd0mt3xt"}
    )


def _quickbooks(event_type: str, event_id: str) -> Sample:
    name, _, operation = (event_type or "Customer.Create").partition(".")
    entity = {"name": name, "id": event_id, "operation": operation, "lastUpdated": _now()}
    notification = {"realmId": "1185883450", "dataChangeEvent": {"entities": [entity]}}
    return json_sample({"eventNotifications": [notification]})


def _woocommerce(event_type: str, event_id: str) -> Sample:
    topic = event_type or "order.updated"
    resource, _, event = topic.partition(".")
    return json_sample(
        {"id": 727, "number": "727", "status": "processing", "currency": "USD", "total": "29.35", "date": _now()},
        {
            "X-WC-Webhook-Source": "https://example.com/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-ID": "142",
            "X-WC-Webhook-Delivery-ID": event_id,
        },
    )


providers.register("xero")(
    Provider(
        name="Xero",
        documentation_url="https://developer.xero.com/documentation/guides/webhooks/overview/",
        # The key looks like base64 and is used as it is.
        scheme=Hmac(headers=("X-Xero-Signature",), encoding="base64"),
        event_type=("body:events[0].eventCategory", "body:events[0].eventType"),
        batch="events",
        item_event_id=("body:join('.', [resourceId, eventType, eventDateUtc])",),
        item_event_type=("body:eventCategory", "body:eventType"),
        # The "intent to receive": some of these requests are signed wrongly on purpose and want a 401.
        handshake=EmptyBatch("events"),
        # Xero switches the webhook off over a body or a cookie in any answer.
        accepted=Answer(),
        refused=Answer(status=401),
        secret_help="Developer portal, your app, Webhooks: Webhooks key.",
        deadline_seconds=5,
        retries="For 24 hours with growing pauses, then the webhook is switched off.",
        retry_hours=24,
        sample=_xero,
    )
)
providers.register("quickbooks")(
    Provider(
        name="QuickBooks Online",
        documentation_url="https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks",
        scheme=Hmac(headers=("Intuit-Signature",), encoding="base64"),
        # The newer form is a list of CloudEvents, which have ids; the older has none and the body decides.
        event_id=("body:!([1]) && [0].id",),
        event_type=(
            "body:eventNotifications[0].dataChangeEvent.entities[0].name || [0].type",
            "body:eventNotifications[0].dataChangeEvent.entities[0].operation",
        ),
        batch="eventNotifications || @",
        item_event_id=("body:id",),
        item_event_type=(
            "body:dataChangeEvent.entities[0].name || type",
            "body:dataChangeEvent.entities[0].operation",
        ),
        secret_help="Developer portal, your app, Webhooks: Verifier token.",
        deadline_seconds=3,
        retries="Three times, 20, 30 and 50 minutes later.",
        retry_hours=2,
        sample=_quickbooks,
    )
)
providers.register("woocommerce")(
    Provider(
        name="WooCommerce",
        documentation_url="https://woocommerce.com/document/webhooks/",
        scheme=Hmac(headers=(_WOOCOMMERCE_SIGNATURE,), encoding="base64"),
        event_id=("header:X-WC-Webhook-Delivery-ID",),
        event_type=("header:X-WC-Webhook-Topic",),
        handshake=UnsignedPing(),
        url_help="WooCommerce, Settings, Advanced, Webhooks, Add webhook: Delivery URL.",
        secret_help="WooCommerce, Settings, Advanced, Webhooks, your webhook: Secret. Left empty there, it is the "
        "consumer secret of the user's API key.",
        deadline_seconds=5,
        retries="Not sent again; after five failures in a row the webhook is switched off.",
        not_covered="The headers with the delivery's id and the topic.",
        sample=_woocommerce,
    )
)
