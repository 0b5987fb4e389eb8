"""`http.forward`: send an event on, as it came, to another HTTP address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from integrations.connectors.answers import AnswerNotSuccessful, summary
from integrations.connectors.headers import HOP_BY_HOP
from integrations.connectors.http import made
from integrations.connectors.waits import retry_after
from integrations.contracts import Json
from integrations.handlers import Context, InboundEvent, RetryLater, handler

#: How much of an answer is kept on the attempt; the body as base64 is then the 8 KiB of text that a journal keeps.
KEPT_BODY_BYTES = 6 * 1024

#: Left of the attempt's time for closing the connection and recording the answer.
_RESERVE_SECONDS = 1.0

#: What stands in a header as it is; the rest of an event's type, which comes from the body, is percent-encoded.
_PLAIN = " !#$&'()*+,/:;<=>?@[]^_`{|}~"

_END = r"(?![\s\S])"  # as "$", but not before a last line break

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": ["url"]}, {"required": ["connection"]}],
    "description": "an object with either url or connection",
    "properties": {
        "url": {
            "type": "string",
            "maxLength": 2000,
            "pattern": r"^[hH][tT][tT][pP][sS]?://[^\s/?#@\\]+([/?][^\s#]*)?" + _END,
            "description": "an http:// or https:// address, without user, password or #fragment",
        },
        "connection": {
            "type": "string",
            "format": "connection",
            "description": "instead of url: the name of a connection, with its credentials and limits",
        },
        "path": {"type": "string", "maxLength": 1000, "description": "a path below the connection's base URL"},
        "method": {
            "enum": ["POST", "PUT", "PATCH", "DELETE", "GET"],
            "default": "POST",
            "description": "the HTTP method; GET is sent without the body",
        },
        "headers": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "string",
                "maxLength": 200,
                "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+" + _END,
                "not": {"pattern": f"^(?i:{'|'.join(sorted(HOP_BY_HOP))})" + _END},
                "description": "the name of a header that may be passed on (not one of the connection, such as Host)",
            },
            "description": "names of received headers to pass on, credentials too if they are named; "
            "Content-Type always goes along",
        },
        "all_headers": {
            "type": "boolean",
            "default": False,
            "description": "whether every received header goes along, signatures and credentials too, so that the "
            "receiver can verify the request itself; but those of the connection, such as Host",
        },
        "query_string": {
            "type": "boolean",
            "default": False,
            "description": "whether the received query string goes along as it came, credentials in it too",
        },
        "timeout_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "description": "how long the call may take; the route's own timeout, the default, is the longest",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what would be sent: where, how, the names of the headers passed on, and how much of a body."""
    method = config.get("method", "POST")
    place = {name: config[name] for name in ("url", "connection", "path") if name in config}
    return {
        "method": method,
        **place,
        **({"query_string": bool(event.query_string)} if config.get("query_string") else {}),
        "headers": [name for name in _passed_on(event, config) if name in event.headers],
        "body_bytes": 0 if method == "GET" else len(event.body),
    }


@handler("http.forward", config_schema=CONFIG_SCHEMA, preview=preview, dry_run=True)
def forward(event: InboundEvent, context: Context) -> Json:
    """Send the event's body to an HTTP address; any answer but 2xx is a failure. Returns the answer's ``status``.

    The receiver can tell repeated tries by ``Idempotency-Key`` (`Context.idempotency_key`). Raises
    `AnswerNotSuccessful`, `RetryLater` where the answer asks for it by Retry-After, and the errors of
    `integrations.connectors.http`.
    """
    method = context.config.get("method", "POST")
    if "connection" in context.config:
        return {"status": _by_connection(event, context, method)}
    content = None if method == "GET" else event.body
    url = _with_query(context.config["url"], event, context.config)
    request = made(method, url, headers=_headers(event, context), content=content)
    reply = context.send(request, seconds=_seconds(context), kept_body_bytes=KEPT_BODY_BYTES)
    context.record_response(**summary(reply))
    if 200 <= reply.status <= 299:
        return {"status": reply.status}
    wait = retry_after(reply.status, reply.headers, now=datetime.now(UTC))
    if wait is not None:
        raise RetryLater(wait, f"answered {reply.status} and asks for a wait of {wait}")
    raise AnswerNotSuccessful(reply.status)


def _by_connection(event: InboundEvent, context: Context, method: str) -> int:
    """Do the same by a connection and return the answer's status.

    Raises also what its client raises (`HttpClient.request`).
    """
    headers = _headers(event, context)
    del headers["Accept-Encoding"], headers["Accept"]  # the client's own
    answer = context.http(context.config["connection"]).request(
        method,
        _with_query(context.config.get("path", ""), event, context.config),
        content=None if method == "GET" else event.body,
        headers=dict(headers),
        idempotency_key=headers.pop("Idempotency-Key"),
    )
    return answer.raise_for_status().status_code


def _with_query(address: str, event: InboundEvent, config: Mapping[str, Any]) -> str:
    """Return ``address`` with the received query string behind it, byte for byte, where the config wants that."""
    if not config.get("query_string") or not event.query_string:
        return address
    return f"{address}{'&' if '?' in address else '?'}{event.query_string}"


def _passed_on(event: InboundEvent, config: Mapping[str, Any]) -> Collection[str]:
    """Return the names of the received headers to pass on, whether they came or not."""
    if not config.get("all_headers"):
        return ("Content-Type", *config.get("headers", ()))
    return [name for name in event.headers if name.lower() not in HOP_BY_HOP]


def _seconds(context: Context) -> float:
    limit = context.timeout_seconds - min(_RESERVE_SECONDS, context.timeout_seconds / 10)
    return float(min(limit, context.config.get("timeout_seconds", limit)))


def _headers(event: InboundEvent, context: Context) -> httpx.Headers:
    """Return the request's headers: defaults, then the received ones that the route names, then who is speaking."""
    headers = httpx.Headers(
        {
            "User-Agent": "automation-hub",
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # what is kept of the answer is to be read by people
            "Idempotency-Key": context.idempotency_key,
        },
        encoding="iso-8859-1",  # as WSGI reads them, so that a value goes on as the bytes that came
    )
    of_the_connection = {name.strip().lower() for name in event.headers.get("Connection", "").split(",")}
    for name in _passed_on(event, context.config):
        value = event.headers.get(name)
        if value is not None and name.lower() not in HOP_BY_HOP | of_the_connection:
            headers[name] = value.encode("iso-8859-1", "replace").decode("iso-8859-1")
    headers.update(
        {
            "X-Hub-Endpoint": event.endpoint,
            "X-Hub-Event-Id": event.id,
            "X-Hub-Event-Type": quote(event.event_type, safe=_PLAIN),
            "X-Hub-Delivery-Id": context.delivery_id,
            "X-Hub-Attempt": str(context.attempt),
        }
    )
    return headers
