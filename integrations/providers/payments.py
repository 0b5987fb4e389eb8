"""Payment providers that sign the body, and nothing else, with an HMAC in a header of their own.

GoCardless         https://developer.gocardless.com/api-reference/#webhooks-overview
Mollie             https://docs.mollie.com/reference/webhooks-best-practices
Coinbase Commerce  https://docs.cdp.coinbase.com/commerce/docs/webhooks-security
Razorpay           https://razorpay.com/docs/webhooks/validate-test/
Paystack           https://paystack.com/docs/payments/webhooks/
Lemon Squeezy      https://docs.lemonsqueezy.com/help/webhooks/signing-requests
Adyen platforms    https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures/
EasyPost           https://docs.easypost.com/docs/webhooks

Mollie's classic webhooks (a form with nothing but ``id``) carry no proof at all and are refused: what they name would
have to be fetched from Mollie's API. For those, use ``generic_none`` and fetch the payment in the handler.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zlib import crc32

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _gocardless(event_type: str, event_id: str) -> Sample:
    kind, _, action = (event_type or "payments.confirmed").partition(".")
    event = {
        "id": "EV00BD05S5VM2T",
        "created_at": _now(),
        "resource_type": kind,
        "action": action,
        "links": {"payment": "PM00001234"},
        "details": {"origin": "gocardless", "cause": "payment_confirmed", "description": "A test event from the hub."},
        "metadata": {},
    }
    return json_sample({"events": [event], "meta": {"webhook_id": event_id}})


def _mollie(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "resource": "event",
            "id": event_id,
            "type": event_type or "payment-link.paid",
            "entityId": "pl_qng5gbbv8NAZ5gpM5ZYgx",
            "createdAt": _now(),
            "_embedded": {"entity": {"resource": "payment-link", "id": "pl_qng5gbbv8NAZ5gpM5ZYgx", "mode": "live"}},
        }
    )


def _coinbase(event_type: str, event_id: str) -> Sample:
    charge = {"id": "f765421f-2451-4f1a-8d0e-9d5f0a3b8f4d", "code": "66BEOV2A", "pricing_type": "fixed_price"}
    event = {
        "id": event_id,
        "resource": "event",
        "type": event_type or "charge:confirmed",
        "api_version": "2018-03-22",
        "created_at": _now(),
        "data": charge,
    }
    return json_sample({"id": "bc66e8ac-ac1d-4a3e-8b4b-1f5a1a3c1f2d", "scheduled_for": _now(), "event": event})


def _razorpay(event_type: str, event_id: str) -> Sample:
    payment = {"id": "pay_DESlfW9H8K9uqM", "entity": "payment", "amount": 100, "currency": "INR", "status": "captured"}
    return json_sample(
        {
            "entity": "event",
            "account_id": "acc_BFQ7uQEaa7j2z7",
            "event": event_type or "payment.captured",
            "contains": ["payment"],
            "payload": {"payment": {"entity": payment}},
            "created_at": unix_seconds(),
        },
        {"X-Razorpay-Event-Id": event_id},
    )


def _paystack(event_type: str, event_id: str) -> Sample:
    number = crc32(event_id.encode("utf-8", "replace"))
    charge = {"id": number, "status": "success", "reference": event_id, "amount": 10000, "currency": "NGN"}
    return json_sample({"event": event_type or "charge.success", "data": {**charge, "paid_at": _now()}})


def _lemonsqueezy(event_type: str, event_id: str) -> Sample:
    event_type = event_type or "order_created"
    attributes = {"store_id": 1, "status": "paid", "total": 999, "currency": "USD", "created_at": _now()}
    return json_sample(
        {
            "meta": {"event_name": event_type, "custom_data": {"note": event_id}},
            "data": {"type": "orders", "id": "1", "attributes": attributes},
        },
        {"X-Event-Name": event_type},
    )


def _adyen_platform(event_type: str, event_id: str) -> Sample:
    transfer = {"id": event_id, "status": "authorised", "amount": {"currency": "EUR", "value": 1000}}
    kind = event_type or "balancePlatform.transfer.created"
    return json_sample({"data": {**transfer, "creationDate": _now()}, "environment": "test", "type": kind})


def _easypost(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "id": event_id,
            "object": "Event",
            "mode": "production",
            "description": event_type or "tracker.updated",
            "status": "completed",
            "created_at": _now(),
            "result": {"id": "trk_c8e0edb5bb284caa934a0d3db23a148z", "object": "Tracker", "status": "delivered"},
        }
    )


providers.register("gocardless")(
    Provider(
        name="GoCardless",
        documentation_url="https://developer.gocardless.com/api-reference/#webhooks-overview",
        scheme=Hmac(headers=("Webhook-Signature",)),
        event_id=("body:meta.webhook_id",),
        event_type=("body:events[0].resource_type", "body:events[0].action"),
        batch="events",
        item_event_id=("body:id",),
        item_event_type=("body:resource_type", "body:action"),
        secret_help="Dashboard, Developers, Webhook endpoints, your endpoint: Secret.",
        deadline_seconds=10,
        retries="Several times with growing pauses.",
        sample=_gocardless,
    )
)
providers.register("mollie")(
    Provider(
        name="Mollie",
        documentation_url="https://docs.mollie.com/reference/webhooks-best-practices",
        # While the secret rotates the header comes twice.
        scheme=Hmac(headers=("X-Mollie-Signature",), layout=Plain("sha256=")),
        event_id=("body:id",),
        event_type=("body:type",),
        secret_help="Dashboard, Developers, Webhooks, your webhook: Signing secret. Only the next-generation webhooks "
        "are signed; classic ones (a form with nothing but id) carry no proof and are refused.",
        deadline_seconds=15,
        sample=_mollie,
    )
)
providers.register("coinbase_commerce")(
    Provider(
        name="Coinbase Commerce",
        documentation_url="https://docs.cdp.coinbase.com/commerce/docs/webhooks-security",
        scheme=Hmac(headers=("X-CC-Webhook-Signature",)),
        event_id=("body:event.id",),
        event_type=("body:event.type",),
        secret_help="Settings, Notifications, Webhook subscriptions: Show shared secret.",
        retries="For up to three days.",
        retry_hours=72,
        sample=_coinbase,
    )
)
providers.register("razorpay")(
    Provider(
        name="Razorpay",
        documentation_url="https://razorpay.com/docs/webhooks/validate-test/",
        scheme=Hmac(headers=("X-Razorpay-Signature",)),
        event_id=("header:X-Razorpay-Event-Id",),
        event_type=("body:event",),
        secret_help="Account & Settings, Webhooks: the secret that you entered with the webhook, not the API key's.",
        deadline_seconds=5,
        retries="For 24 hours with growing pauses, then the webhook is switched off.",
        retry_hours=24,
        not_covered="The header with the event's id.",
        sample=_razorpay,
    )
)
providers.register("paystack")(
    Provider(
        name="Paystack",
        documentation_url="https://paystack.com/docs/payments/webhooks/",
        scheme=Hmac(headers=("X-Paystack-Signature",), algorithm="sha512"),
        event_id=("body:join('.', [event, to_string(data.id || data.reference)])",),
        event_type=("body:event",),
        secret_help="Dashboard, Settings, API Keys & Webhooks: the Secret Key (sk_live_... or sk_test_...).",
        retries="For 72 hours.",
        retry_hours=72,
        sample=_paystack,
    )
)
providers.register("lemonsqueezy")(
    Provider(
        name="Lemon Squeezy",
        documentation_url="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
        # The object's id and the event's name repeat with each update of a subscription: the body decides.
        scheme=Hmac(headers=("X-Signature",)),
        event_type=("header:X-Event-Name",),
        secret_help="Settings, Webhooks, your webhook: Signing secret, 6 to 40 characters that you make up.",
        retries="Three times, 5, 25 and 125 seconds later.",
        retry_hours=1,
        not_covered="The header with the event's type; the signed body repeats it as meta.event_name.",
        sample=_lemonsqueezy,
    )
)
providers.register("adyen_platform")(
    Provider(
        name="Adyen for Platforms",
        documentation_url="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/"
        "verify-hmac-signatures/",
        # data.id is the transfer's or the account's, and comes with each change of it: the body decides.
        scheme=Hmac(headers=("HmacSignature",), encoding="base64", key_form="hex"),
        event_type=("body:type",),
        secret_help="Balance Platform Customer Area, Developers, Webhooks, your webhook: HMAC key (64 hex digits).",
        deadline_seconds=10,
        sample=_adyen_platform,
    )
)
providers.register("easypost")(
    Provider(
        name="EasyPost",
        documentation_url="https://docs.easypost.com/docs/webhooks",
        # EasyPost brings the secret into Unicode's normal form NFKD first; it matters outside ASCII only.
        scheme=Hmac(headers=("X-Hmac-Signature",), layout=Plain("hmac-sha256-hex="), key_form="nfkd"),
        event_id=("body:id",),
        event_type=("body:description",),
        secret_help="The webhook_secret that you chose when you created the webhook.",
        sample=_easypost,
    )
)
