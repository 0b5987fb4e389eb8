"""Developer platforms, content, customer relations."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email import message_from_bytes
from urllib.parse import parse_qsl

from tests.sdks.adapters import Message, Signed, signer, verifier


@verifier("workos", package="workos", call="webhooks.verify_header", refusals=("ValueError",))
def _workos(message: Message) -> bool:
    from workos.webhooks._verification import verify_header

    verify_header(event_body=message.body, event_signature=message.headers["workos-signature"], secret=message.secret)
    return True


@verifier("elevenlabs", package="elevenlabs", call="webhooks.construct_event", refusals=("BadRequestError",))
def _elevenlabs(message: Message) -> bool:
    from elevenlabs.client import ElevenLabs

    header = message.headers["elevenlabs-signature"]
    ElevenLabs(api_key="none").webhooks.construct_event(message.text, header, message.secret)
    return True


def _hubspot(version: str) -> None:
    header = "x-hubspot-signature-v3" if version == "v3" else "x-hubspot-signature"

    @verifier(
        "hubspot",
        case=version,
        package="hubspot-api-client",
        call="Signature.is_valid",
        refusals=("InvalidSignatureTimestampError",),
    )
    def verify(message: Message) -> bool:
        from hubspot.utils.signature import Signature

        return Signature.is_valid(
            signature=message.headers[header],
            client_secret=message.secret,
            request_body=message.text,
            http_uri=message.url,
            http_method=message.method,
            signature_version=version,
            timestamp=message.headers.get("x-hubspot-request-timestamp"),
        )

    @signer(f"hubspot:{version}", call="Signature.get_signature")
    def sign(message: Message) -> Signed:
        from hubspot.utils.signature import Signature

        timestamp = str(message.now * 1000)
        signature = Signature.get_signature(
            message.secret, message.text, version, message.url, message.method, timestamp
        )
        if version == "v3":
            return Signed({header: signature, "X-HubSpot-Request-Timestamp": timestamp})
        return Signed({header: signature, "X-HubSpot-Signature-Version": version})


for _version in ("v3", "v2", "v1"):
    _hubspot(_version)


@verifier("dropbox_sign", package="dropbox-sign", call="EventCallbackHelper.is_valid")
def _dropbox_sign(message: Message) -> bool:
    from dropbox_sign import EventCallbackHelper
    from dropbox_sign.models import EventCallbackRequest

    request = EventCallbackRequest.init(json.loads(_form_field(message, "json")))
    return EventCallbackHelper.is_valid(message.secret, request)


def _form_field(message: Message, name: str) -> str | bytes:
    """Return a field of a form, multipart or not."""
    if not message.headers["content-type"].startswith("multipart/"):
        return dict(parse_qsl(message.text))[name]
    head = f"Content-Type: {message.headers['content-type']}\r\n\r\n".encode()
    for part in message_from_bytes(head + message.body).walk():
        if part.get_param("name", header="content-disposition") == name:
            return part.get_payload(decode=True)
    raise ValueError(f"The form has no field {name}")


def _box_keys(message: Message) -> tuple[str, str | None]:
    return message.secret, message.settings.get("second_secret")


@verifier("box", package="box-sdk-gen", call="WebhooksManager.validate_message")
def _box(message: Message) -> bool:
    from box_sdk_gen.managers.webhooks import WebhooksManager

    primary, secondary = _box_keys(message)
    headers = dict(message.headers)
    return WebhooksManager.validate_message(message.text, headers, primary, secondary_key=secondary)


@signer("box", call="internal.utils.compute_webhook_signature")
def _sign_box(message: Message) -> Signed:
    from box_sdk_gen.internal.utils import compute_webhook_signature

    headers = {
        "box-signature-version": "1",
        "box-signature-algorithm": "HmacSHA256",
        "box-delivery-timestamp": datetime.fromtimestamp(message.now, UTC).isoformat(),
    }
    signature = compute_webhook_signature(message.text, headers, message.secret)
    return Signed({**headers, "box-signature-primary": signature})


@verifier("airtable", package="pyairtable", call="WebhookNotification.from_request", refusals=("ValueError",))
def _airtable(message: Message) -> bool:
    from pyairtable.models.webhook import WebhookNotification

    header = message.headers["x-airtable-content-mac"]
    WebhookNotification.from_request(message.text, header, message.secret)
    return True
