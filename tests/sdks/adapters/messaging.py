"""Chat, mail and telephony."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, parse_qsl

from tests.sdks.adapters import Message, Signed, signer, verifier


@verifier("slack", package="slack_sdk", call="SignatureVerifier.is_valid_request")
def _slack(message: Message) -> bool:
    from slack_sdk.signature import SignatureVerifier

    return SignatureVerifier(message.secret).is_valid_request(message.body, dict(message.headers))


@signer("slack", call="SignatureVerifier.generate_signature")
def _sign_slack(message: Message) -> Signed:
    from slack_sdk.signature import SignatureVerifier

    timestamp = str(message.now)
    signature = SignatureVerifier(message.secret).generate_signature(timestamp=timestamp, body=message.body)
    return Signed({"X-Slack-Signature": signature or "", "X-Slack-Request-Timestamp": timestamp})


def _discord(message: Message) -> bool:
    from discord_interactions import verify_key

    signature, timestamp = (message.headers[f"x-signature-{name}"] for name in ("ed25519", "timestamp"))
    return bool(verify_key(message.body, signature, timestamp, message.secret))


def _sign_discord(message: Message) -> Signed:
    from nacl.signing import SigningKey

    key = SigningKey.generate()
    signature = key.sign(str(message.now).encode() + message.body).signature.hex()
    headers = {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": str(message.now)}
    return Signed(headers, secret=key.verify_key.encode().hex())


for _case in ("", "events"):
    verifier("discord", case=_case, package="discord-interactions", call="verify_key")(_discord)
    signer(f"discord:{_case}" if _case else "discord", call="SigningKey.sign", package="PyNaCl")(_sign_discord)


def _fields(message: Message) -> dict[str, str]:
    return dict(parse_qsl(message.text, keep_blank_values=True))


@verifier("twilio", package="twilio", call="RequestValidator.validate")
def _twilio(message: Message) -> bool:
    from twilio.request_validator import RequestValidator

    signature = message.headers["x-twilio-signature"]
    return bool(RequestValidator(message.secret).validate(message.url, _fields(message), signature))


@signer("twilio", call="RequestValidator.compute_signature")
def _sign_twilio(message: Message) -> Signed:
    from twilio.request_validator import RequestValidator

    algorithm = message.settings.get("algorithm")
    signature = RequestValidator(message.secret).compute_signature(message.url, _fields(message), algorithm)
    announced = {"X-Twilio-Webhooks-Signature-Settings": f"key=webhooks_sharedkey_1,algorithm={algorithm}"}
    return Signed({"X-Twilio-Signature": signature, **(announced if algorithm else {})})


@verifier("twilio", case="json", package="twilio", call="RequestValidator.validate")
def _twilio_json(message: Message) -> bool:
    from twilio.request_validator import RequestValidator

    signature = message.headers["x-twilio-signature"]
    return bool(RequestValidator(message.secret).validate(message.url, message.text, signature))


@signer("twilio:json", call="RequestValidator.compute_signature")
def _sign_twilio_json(message: Message) -> Signed:
    from twilio.request_validator import RequestValidator

    validator = RequestValidator(message.secret)
    mark = "&" if "?" in message.url else "?"
    url = f"{message.url}{mark}bodySHA256={validator.compute_hash(message.text)}"
    return Signed({"X-Twilio-Signature": validator.compute_signature(url, {})}, url=url)


@verifier("sendgrid", package="sendgrid", call="EventWebhook.verify_signature")
def _sendgrid(message: Message) -> bool:
    from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader

    signature, timestamp = (
        message.headers[name.lower()] for name in (EventWebhookHeader.SIGNATURE, EventWebhookHeader.TIMESTAMP)
    )
    return EventWebhook(message.secret).verify_signature(message.text, signature, timestamp)


@verifier("mailgun", package="mailgun", call="SecurityGuard.verify_webhook")
def _mailgun(message: Message) -> bool:
    from mailgun.security import SecurityGuard

    signature = message.json["signature"]
    return SecurityGuard.verify_webhook(
        message.secret, signature["token"], signature["timestamp"], signature["signature"]
    )


@verifier(
    "telnyx",
    package="telnyx",
    call="lib.webhook_verification.verify_webhook_signature",
    refusals=("WebhookVerificationError",),
)
def _telnyx(message: Message) -> bool:
    from telnyx.lib.webhook_verification import verify_webhook_signature

    verify_webhook_signature(message.body, message.headers, message.secret)
    return True


@signer("telnyx", call="SigningKey.sign", package="PyNaCl")
def _sign_telnyx(message: Message) -> Signed:
    from nacl.signing import SigningKey

    key = SigningKey.generate()
    signature = key.sign(f"{message.now}|".encode() + message.body).signature
    headers = {"telnyx-signature-ed25519": base64.b64encode(signature).decode(), "telnyx-timestamp": str(message.now)}
    return Signed(headers, secret=base64.b64encode(key.verify_key.encode()).decode())


@verifier(
    "messagebird", package="messagebird", call="RequestValidator.validate_signature", refusals=("ValidationError",)
)
def _messagebird(message: Message) -> bool:
    from messagebird.request_validator import RequestValidator

    signature = message.headers["messagebird-signature-jwt"]
    RequestValidator(message.secret).validate_signature(signature, message.url, message.body)
    return True


@signer("messagebird", call="encode", package="PyJWT")
def _sign_messagebird(message: Message) -> Signed:
    import jwt

    claims = {
        "iss": "MessageBird",
        "nbf": message.now,
        "exp": message.now + 60,
        "jti": "e92eb787-7e87-4a26-8ba4-1a04b7f9b8d1",
        "url_hash": hashlib.sha256(message.url.encode()).hexdigest(),
        "payload_hash": hashlib.sha256(message.body).hexdigest(),
    }
    return Signed({"MessageBird-Signature-JWT": jwt.encode(claims, message.secret, algorithm="HS256")})


@verifier("vonage", package="vonage-jwt", call="verify_signature")
def _vonage(message: Message) -> bool:
    """The library checks the token; that its claim is the body's hash is left to its users."""
    import jwt
    from vonage_jwt import verify_signature

    token = message.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    is_of_body = claims["payload_hash"] == hashlib.sha256(message.body).hexdigest()
    return is_of_body and verify_signature(token, message.secret)


@signer("vonage", call="encode", package="PyJWT")
def _sign_vonage(message: Message) -> Signed:
    import jwt

    claims = {
        "iss": "Vonage",
        "iat": message.now,
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "api_key": "a1b2c3d4",
        "payload_hash": hashlib.sha256(message.body).hexdigest(),
    }
    return Signed({"Authorization": "Bearer " + jwt.encode(claims, message.secret, algorithm="HS256")})


@verifier("plivo", package="plivo", call="utils.validate_v3_signature")
def _plivo(message: Message) -> bool:
    from plivo.utils import validate_v3_signature

    nonce, signature = (message.headers[f"x-plivo-signature-v3{name}"] for name in ("-nonce", ""))
    params = parse_qs(message.text, keep_blank_values=True)
    return bool(validate_v3_signature(message.method, message.url, nonce, message.secret, signature, params))


@signer("plivo", call="utils.signature_v3.get_signature_v3")
def _sign_plivo(message: Message) -> Signed:
    from plivo.utils.signature_v3 import construct_post_url, get_signature_v3

    nonce = "12345678901234567890"
    base = construct_post_url(message.url, parse_qs(message.text, keep_blank_values=True)).decode()
    signature = get_signature_v3(message.secret.encode(), base, nonce).decode()
    return Signed({"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce})


@verifier("line", package="line-bot-sdk", call="SignatureValidator.validate")
def _line(message: Message) -> bool:
    from linebot.v3.webhook import SignatureValidator

    return SignatureValidator(message.secret).validate(message.text, message.headers["x-line-signature"])


@verifier("pusher", package="pusher", call="Pusher.validate_webhook")
def _pusher(message: Message) -> bool:
    from pusher import Pusher

    key, signature = message.headers["x-pusher-key"], message.headers["x-pusher-signature"]
    client = Pusher(app_id="1", key=message.settings["key"], secret=message.secret)
    return client.validate_webhook(key, signature, message.text) is not None


@signer("pusher", call="signature.sign")
def _sign_pusher(message: Message) -> Signed:
    from pusher.signature import sign

    return Signed({"X-Pusher-Key": message.settings["key"], "X-Pusher-Signature": sign(message.secret, message.text)})


@verifier(
    "livekit", package="livekit-api", call="WebhookReceiver.receive", refusals=("Exception", "InvalidSignatureError")
)
def _livekit(message: Message) -> bool:
    from livekit.api import TokenVerifier, WebhookReceiver

    receiver = WebhookReceiver(TokenVerifier(message.settings["api_key"], message.secret))
    receiver.receive(message.text, message.headers["authorization"])
    return True


@signer("livekit", call="AccessToken.with_sha256")
def _sign_livekit(message: Message) -> Signed:
    from livekit.api import AccessToken

    digest = base64.b64encode(hashlib.sha256(message.body).digest()).decode()
    token = AccessToken(message.settings["api_key"], message.secret).with_sha256(digest).to_jwt()
    return Signed({"Authorization": token})
