"""Standard Webhooks, and libraries of providers that adopted it."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

from tests.sdks.adapters import Message, Signed, signer, verifier


def _sign(message: Message, family: str = "webhook") -> Signed:
    from standardwebhooks import Webhook

    message_id = message.headers.get(f"{family}-id") or f"msg_{uuid4().hex}"
    signature = Webhook(message.secret).sign(message_id, datetime.fromtimestamp(message.now, UTC), message.text)
    names = (f"{family}-id", f"{family}-timestamp", f"{family}-signature")
    return Signed(dict(zip(names, (message_id, str(message.now), signature), strict=True)))


def _verify(message: Message) -> bool:
    from standardwebhooks import Webhook

    Webhook(message.secret).verify(message.body, dict(message.headers))
    return True


for _provider, _case in (("standard_webhooks", ""), ("gitlab", "signing_token"), ("supabase_auth", "")):
    verifier(
        _provider,
        case=_case,
        package="standardwebhooks",
        call="Webhook.verify",
        refusals=("WebhookVerificationError",),
    )(_verify)
    signer(f"{_provider}:{_case}" if _case else _provider, call="Webhook.sign")(_sign)


@verifier(
    "standard_webhooks", case="asymmetric", package="PyNaCl", call="VerifyKey.verify", refusals=("BadSignatureError",)
)
def _asymmetric(message: Message) -> bool:
    """The Python library has no v1a: libsodium is the other side."""
    from nacl.signing import VerifyKey

    message_id, timestamp = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    signature = base64.b64decode(message.headers["webhook-signature"].removeprefix("v1a,"))
    key = VerifyKey(base64.b64decode(message.secret.removeprefix("whpk_")))
    key.verify(f"{message_id}.{timestamp}.".encode() + message.body, signature)
    return True


@signer("standard_webhooks:asymmetric", call="SigningKey.sign")
def _sign_asymmetric(message: Message) -> Signed:
    from nacl.signing import SigningKey

    key, message_id = SigningKey.generate(), f"msg_{uuid4().hex}"
    signature = base64.b64encode(key.sign(f"{message_id}.{message.now}.".encode() + message.body).signature).decode()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(message.now),
        "webhook-signature": f"v1,AAAA v1a,{signature}",
    }
    return Signed(headers, secret="whpk_" + base64.b64encode(key.verify_key.encode()).decode())


@verifier("svix", package="svix", call="Webhook.verify", refusals=("WebhookVerificationError",))
def _svix(message: Message) -> bool:
    import svix

    svix.Webhook(message.secret).verify(message.body, dict(message.headers))
    return True


@signer("svix", call="Webhook.sign")
def _sign_svix(message: Message) -> Signed:
    import svix

    message_id = message.headers.get("svix-id") or f"msg_{uuid4().hex}"
    signature = svix.Webhook(message.secret).sign(message_id, datetime.fromtimestamp(message.now, UTC), message.text)
    return Signed({"svix-id": message_id, "svix-timestamp": str(message.now), "svix-signature": signature})


@verifier("openai", package="openai", call="Webhooks.verify_signature", refusals=("InvalidWebhookSignatureError",))
def _openai(message: Message) -> bool:
    from openai import OpenAI

    OpenAI(api_key="none").webhooks.verify_signature(message.body, message.headers, secret=message.secret)
    return True


signer("openai", call="Webhook.sign", package="standardwebhooks")(_sign)


@verifier("replicate", package="replicate", call="Webhooks.validate", refusals=("InvalidSignatureError",))
def _replicate(message: Message) -> bool:
    from replicate.webhook import Webhooks

    key = SimpleNamespace(key=message.secret)
    Webhooks.validate(headers=dict(message.headers), body=message.text, secret=key, tolerance=300)
    return True


signer("replicate", call="Webhook.sign", package="standardwebhooks")(_sign)


@verifier("polar", package="polar-sdk", call="webhooks.validate_event", refusals=("PolarWebhookVerificationError",))
def _polar(message: Message) -> bool:
    from polar.webhooks import validate_event

    types = frozenset({message.json["type"]})
    validate_event(message.body, dict(message.headers), message.secret, types, dict)
    return True


@signer("polar", call="Webhook.sign", package="standardwebhooks")
def _sign_polar(message: Message) -> Signed:
    """Polar's key is the secret's text as it stands, which the library is given as base64."""
    return _sign(replace(message, secret=base64.b64encode(message.secret.encode()).decode()))


@verifier("dodopayments", package="dodopayments", call="webhooks.unwrap", refusals=("WebhookVerificationError",))
def _dodopayments(message: Message) -> bool:
    from dodopayments import DodoPayments

    client = DodoPayments(bearer_token="none", webhook_key=message.secret)
    client.webhooks.unwrap(message.text, headers=dict(message.headers))
    return True


signer("dodopayments", call="Webhook.sign", package="standardwebhooks")(_sign)


@verifier("resend", package="resend", call="Webhooks.verify", refusals=("ValueError",))
def _resend(message: Message) -> bool:
    from resend import Webhooks

    headers = {name: message.headers[f"svix-{name}"] for name in ("id", "timestamp", "signature")}
    Webhooks.verify({"payload": message.text, "headers": headers, "webhook_secret": message.secret})
    return True


@signer("resend", call="Webhook.sign", package="svix")
def _sign_resend(message: Message) -> Signed:
    return _sign_svix(message)
