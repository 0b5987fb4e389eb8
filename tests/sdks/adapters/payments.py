"""Payments and commerce."""

from __future__ import annotations

import json
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode

from tests.sdks.adapters import Message, Signed, signer, verifier


@verifier("stripe", package="stripe", call="Webhook.construct_event", refusals=("SignatureVerificationError",))
def _stripe(message: Message) -> bool:
    import stripe

    stripe.Webhook.construct_event(message.body, message.headers["stripe-signature"], message.secret)
    return True


@signer("stripe", call="WebhookSignature.generate_signature_header")
def _sign_stripe(message: Message) -> Signed:
    import stripe

    header = stripe.WebhookSignature.generate_signature_header(message.text, message.secret, message.now)
    return Signed({"Stripe-Signature": header})


@verifier("square", package="squareup", call="utils.webhooks_helper.verify_signature")
def _square(message: Message) -> bool:
    from square.utils.webhooks_helper import verify_signature

    return verify_signature(
        request_body=message.text,
        signature_header=message.headers["x-square-hmacsha256-signature"],
        signature_key=message.secret,
        notification_url=message.url,
    )


@verifier("paddle", package="paddle-python-sdk", call="Verifier.verify")
def _paddle(message: Message) -> bool:
    from paddle_billing.Notifications import Secret, Verifier

    request = SimpleNamespace(headers={"Paddle-Signature": message.headers["paddle-signature"]}, body=message.body)
    return Verifier().verify(request, Secret(message.secret))


@signer("paddle", call="PaddleSignature.calculate_hmac")
def _sign_paddle(message: Message) -> Signed:
    from paddle_billing.Notifications import PaddleSignature

    digest = PaddleSignature.calculate_hmac(message.secret, f"{message.now}:".encode() + message.body).hexdigest()
    return Signed({"Paddle-Signature": f"ts={message.now};h1={digest}"})


@verifier("adyen", package="Adyen", call="util.is_valid_hmac_notification")
def _adyen(message: Message) -> bool:
    from Adyen.util import is_valid_hmac_notification

    return bool(is_valid_hmac_notification(message.json, message.secret))


@signer("adyen", call="util.generate_notification_sig")
def _sign_adyen(message: Message) -> Signed:
    from Adyen.util import generate_notification_sig

    payload = message.json
    for entry in payload["notificationItems"]:
        item = entry["NotificationRequestItem"]
        signature = generate_notification_sig(item, message.secret).decode()
        item.setdefault("additionalData", {})["hmacSignature"] = signature
    return Signed(body=json.dumps(payload).encode())


@verifier("adyen_platform", package="Adyen", call="util.is_valid_hmac_payload")
def _adyen_platform(message: Message) -> bool:
    from Adyen.util import is_valid_hmac_payload

    return is_valid_hmac_payload(message.headers["hmacsignature"], message.secret, message.body)


@signer("adyen_platform", call="util.generate_payload_sig")
def _sign_adyen_platform(message: Message) -> Signed:
    from Adyen.util import generate_payload_sig

    return Signed({"HmacSignature": generate_payload_sig(message.body, message.secret).decode()})


@verifier("gocardless", package="gocardless_pro", call="webhooks.parse", refusals=("InvalidSignatureError",))
def _gocardless(message: Message) -> bool:
    from gocardless_pro import webhooks

    webhooks.parse(message.body, message.secret, message.headers["webhook-signature"])
    return True


@verifier(
    "coinbase_commerce",
    package="coinbase-commerce",
    call="Webhook.construct_event",
    refusals=("SignatureVerificationError",),
)
def _coinbase_commerce(message: Message) -> bool:
    from coinbase_commerce.webhook import Webhook

    Webhook.construct_event(message.text, message.headers["x-cc-webhook-signature"], message.secret)
    return True


@verifier(
    "razorpay",
    package="razorpay",
    call="Utility.verify_webhook_signature",
    refusals=("SignatureVerificationError",),
)
def _razorpay(message: Message) -> bool:
    from razorpay import Utility

    signature = message.headers["x-razorpay-signature"]
    return bool(Utility().verify_webhook_signature(message.text, signature, message.secret))


def _braintree_gateway(message: Message):
    import braintree

    return braintree.BraintreeGateway(
        braintree.Configuration(
            braintree.Environment.Sandbox, "merchant", message.settings["public_key"], message.secret
        )
    )


@verifier("braintree", package="braintree", call="WebhookNotification.parse", refusals=("InvalidSignatureError",))
def _braintree(message: Message) -> bool:
    form = {name: values[0] for name, values in parse_qs(message.text).items()}
    _braintree_gateway(message).webhook_notification.parse(form["bt_signature"], form["bt_payload"])
    return True


@signer("braintree", call="WebhookTesting.sample_notification")
def _sign_braintree(message: Message) -> Signed:
    import braintree

    kind = braintree.WebhookNotification.Kind.SubscriptionWentPastDue
    sample = _braintree_gateway(message).webhook_testing.sample_notification(kind, "my_id")
    return Signed(body=urlencode(sample).encode())


@verifier("easypost", package="easypost", call="util.validate_webhook", refusals=("SignatureVerificationError",))
def _easypost(message: Message) -> bool:
    from easypost.util import validate_webhook

    headers = {"X-Hmac-Signature": message.headers["x-hmac-signature"]}
    validate_webhook(event_body=message.body, headers=headers, webhook_secret=message.secret)
    return True
