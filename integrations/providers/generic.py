"""Presets for senders that nobody has heard of: the operator's settings say how they prove themselves."""

from __future__ import annotations

from typing import Any

from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import plain_sample
from integrations.verification import Basic, Hmac, Open, Plain, Scheme, Timestamp, Token

_HEADER_NAME = "^[A-Za-z0-9-]{1,100}$"
_PLACES: dict[str, Any] = {
    "event_id": {
        "type": "string",
        "title": "Place of the event's id",
        "description": "header:NAME or body:JMESPATH, such as header:X-Event-Id or body:data.id. Without it, identical "
        "bodies count as one event for a day.",
        "pattern": "^(header|body):.+$",
        "maxLength": 500,
    },
    "event_type": {
        "type": "string",
        "title": "Place of the event's type",
        "description": "header:NAME or body:JMESPATH, such as header:X-Event-Type or body:type. Routes choose by it.",
        "pattern": "^(header|body):.+$",
        "maxLength": 500,
    },
}
_HMAC_SETTINGS: dict[str, Any] = {
    "header": {
        "type": "string",
        "title": "Signature header",
        "description": "The header with the signature, as the sender's documentation names it.",
        "default": "X-Signature",
        "pattern": _HEADER_NAME,
    },
    "algorithm": {
        "enum": ["sha1", "sha256", "sha512"],
        "title": "Hash function",
        "description": "The hash function of the HMAC; the sender's documentation says HMAC-SHA256 or another.",
        "default": "sha256",
    },
    "encoding": {
        "enum": ["hex", "base64", "base64url"],
        "title": "Encoding",
        "description": "How the signature is written: 64 digits and letters a to f are hex, 44 characters with a "
        "trailing = are base64 (for sha256).",
        "default": "hex",
    },
    "prefix": {
        "type": "string",
        "title": "Prefix",
        "description": "What stands before the signature in its header, such as sha256=.",
        "default": "",
        "maxLength": 50,
    },
    "template": {
        "type": "string",
        "title": "Signed text",
        "description": "What the signature covers: {body}, {body_sha256}, {timestamp}, {id} (the header that event_id "
        "names), {method}, {url}, {path}, {header:NAME}, {value:PATH} (a value of the body, such as "
        "{value:data.id}) and any text between them, such as {timestamp}.{body}.",
        "default": "{body}",
        "maxLength": 500,
    },
    "timestamp_header": {
        "type": "string",
        "title": "Timestamp header",
        "description": "The header with the time of sending. Its age is checked only where the signed text holds "
        "{timestamp}: a time that is not signed can be changed by anyone.",
        "pattern": _HEADER_NAME,
    },
    "timestamp_unit": {
        "enum": ["s", "ms", "iso8601"],
        "title": "Timestamp's form",
        "description": "Seconds or milliseconds since 1970, or ISO 8601 with a time zone.",
        "default": "s",
    },
    "tolerance_seconds": {
        "type": "integer",
        "title": "Tolerance in seconds",
        "description": "How far the signed time may be from the time of arrival, in both directions.",
        "default": 300,
        "minimum": 1,
        "maximum": 86_400,
    },
    "signed_url": {
        "type": "string",
        "title": "Signed URL",
        "description": "What {url} stands for, if the sender signs another address than this endpoint's own.",
        "pattern": "^https?://[^\\s]+$",
        "maxLength": 2000,
    },
    **_PLACES,
}
_TOKEN_SETTINGS: dict[str, Any] = {
    "placement": {
        "enum": ["header", "bearer", "query"],
        "title": "Where the token is",
        "description": "In a header of its own, in Authorization: Bearer, or in the URL's query string (which other "
        "servers may log: prefer a header).",
        "default": "header",
    },
    "header": {
        "type": "string",
        "title": "Header or parameter",
        "description": "The name of the header (X-Webhook-Token by default); with placement query, the name of the "
        "parameter (token by default).",
        "pattern": "^[A-Za-z0-9_-]{1,100}$",
    },
    **_PLACES,
}


def _hmac(settings: Settings) -> Scheme:
    template = settings.get("template", "{body}")
    place = settings.get("event_id", "")
    return Hmac(
        headers=(settings.get("header", "X-Signature"),),
        layout=Plain(settings.get("prefix", "")),
        algorithm=settings.get("algorithm", "sha256"),
        encoding=settings.get("encoding", "hex"),
        template=template,
        timestamp=_timestamp(settings) if "{timestamp}" in template else None,
        id_headers=_id_headers(place) if "{id}" in template else (),
        signed_url=settings.get("signed_url", ""),
    )


def _timestamp(settings: Settings) -> Timestamp:
    if not settings.get("timestamp_header"):
        raise ValueError("The template holds {timestamp}: name the header that has it in timestamp_header.")
    return Timestamp(
        headers=(settings["timestamp_header"],),
        unit=settings.get("timestamp_unit", "s"),
        tolerance_seconds=settings.get("tolerance_seconds", 300),
    )


def _id_headers(place: str) -> tuple[str, ...]:
    kind, _, names = place.partition(":")
    if kind != "header":
        raise ValueError("The template holds {id}: name the header that has it in event_id, as header:NAME.")
    return tuple(names.split("|"))


def _token(settings: Settings) -> Scheme:
    placement = settings.get("placement", "header")
    if placement == "bearer":
        return Token(header="Authorization", word="Bearer")
    if placement == "query":
        return Token(parameter=settings.get("header", "token"))
    return Token(header=settings.get("header", "X-Webhook-Token"))


providers.register("generic_hmac")(
    Provider(
        name="Generic: HMAC signature",
        scheme=_hmac,
        settings_schema=settings_schema(_HMAC_SETTINGS),
        secret_help="The secret that the sender shares with you for signing; make one up if it asks you to.",
        sample=plain_sample,
    )
)
providers.register("generic_token")(
    Provider(
        name="Generic: token",
        scheme=_token,
        settings_schema=settings_schema(_TOKEN_SETTINGS),
        secret_help="The token that the sender adds to each request; make up a long one if it asks you to.",
        sample=plain_sample,
    )
)
providers.register("generic_bearer")(
    Provider(
        name="Generic: bearer token",
        scheme=Token(header="Authorization", word="Bearer"),
        settings_schema=settings_schema(_PLACES),
        secret_help="The token that the sender puts behind Authorization: Bearer.",
        sample=plain_sample,
    )
)
providers.register("generic_basic")(
    Provider(
        name="Generic: user and password",
        scheme=Basic(),
        settings_schema=settings_schema(_PLACES),
        secret_help="User and password as user:password. In a URL they stand as https://user:password@host/.",
        sample=plain_sample,
    )
)
providers.register("generic_none")(
    Provider(
        name="No proof at all (unsafe)",
        scheme=Open(),
        settings_schema=settings_schema(_PLACES),
        sample=plain_sample,
    )
)
providers.register("internal")(Provider(name="Internal (the hub itself)", scheme=Open(), sample=plain_sample))
