"""`http.forward`: send an event on, as it came, to another HTTP address."""

from __future__ import annotations

import base64
import codecs
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from integrations.connectors.http import Reply, call, guarded_client
from integrations.errors import HubError
from integrations.handlers import Context, InboundEvent, RetryLater, handler

#: How much of an answer is kept on the attempt; the body as base64 is then the 8 KiB of text that a journal keeps.
KEPT_BODY_BYTES = 6 * 1024
_KEPT_HEADERS = 50
_KEPT_HEADER_CHARACTERS = 300

#: No wait that an answer asks for is longer than this.
LONGEST_WAIT = timedelta(days=1)

#: Left of the attempt's time for closing the connection and recording the answer.
_RESERVE_SECONDS = 1.0

_MASK = "••••••"
_CREDENTIAL = re.compile(
    r"cookie|authori[sz]ation|authentication-info|token|secret|password|api-?key|signature|session", re.IGNORECASE
)

#: What stands in a header as it is; the rest of an event's type, which comes from the body, is percent-encoded.
_PLAIN = " !#$&'()*+,/:;<=>?@[]^_`{|}~"

# RFC 9110 section 7.6.1, and what this connection's own client has to say itself.
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade", "http2-settings"),
        *("host", "content-length", "expect", "accept-encoding"),
    }
)

_END = r"(?![\s\S])"  # as "$", but not before a last line break

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["url"],
    "properties": {
        "url": {
            "type": "string",
            "maxLength": 2000,
            "pattern": r"^[hH][tT][tT][pP][sS]?://[^\s/?#@\\]+([/?][^\s#]*)?" + _END,
            "description": "an http:// or https:// address, without user, password or #fragment",
        },
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
                "not": {"pattern": f"^(?i:{'|'.join(sorted(_HOP_BY_HOP))})" + _END},
                "description": "the name of a header that may be passed on (not one of the connection, such as Host)",
            },
            "description": "names of received headers to pass on, credentials too if they are named; "
            "Content-Type always goes along",
        },
        "timeout_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "description": "how long the call may take; the route's own timeout, the default, is the longest",
        },
    },
}


class AnswerNotSuccessful(HubError):
    """The address answered with a ``status`` other than 2xx."""

    def __init__(self, status: int) -> None:
        redirect = "; redirects are not followed" if 300 <= status <= 399 else ""
        super().__init__(f"answered {status}{redirect}")
        self.status = status


@handler("http.forward", config_schema=CONFIG_SCHEMA)
def forward(event: InboundEvent, context: Context) -> None:
    """Send the event's body to an HTTP address; any answer but 2xx is a failure.

    The receiver can tell repeated tries by ``Idempotency-Key`` (`Context.idempotency_key`). Raises
    `AnswerNotSuccessful`, `RetryLater` where the answer asks for it (429 or 503 with Retry-After), and the errors of
    `integrations.connectors.http`.
    """
    method = context.config.get("method", "POST")
    with guarded_client(_seconds(context)) as client:
        reply = call(
            client,
            method,
            context.config["url"],
            headers=_headers(event, context),
            content=None if method == "GET" else event.body,
            kept_body_bytes=KEPT_BODY_BYTES,
        )
    context.record_response(**summary(reply))
    if 200 <= reply.status <= 299:
        return
    wait = retry_after(reply, now=datetime.now(UTC))
    if wait is not None:
        raise RetryLater(wait, f"answered {reply.status} and asks for a wait of {wait}")
    raise AnswerNotSuccessful(reply.status)


def summary(reply: Reply) -> dict[str, Any]:
    """Return what is kept of an answer, as JSON: credentials masked, the body as text or, if it is none, base64."""
    text = _text(reply)
    return {
        "status": reply.status,
        "headers": {name[:200]: _shown(name, value) for name, value in list(reply.headers.items())[:_KEPT_HEADERS]},
        "body": base64.b64encode(reply.body).decode("ascii") if text is None else text,
        "body_encoding": "base64" if text is None else "text",
        "body_is_whole": reply.is_whole,
        "duration_ms": round(reply.seconds * 1000),
    }


def retry_after(reply: Reply, *, now: datetime) -> timedelta | None:
    """Return the wait that a 429 or 503 asks for, at most `LONGEST_WAIT`; None if it asks for none.

    Seconds or an HTTP date: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    if reply.status not in {429, 503}:
        return None
    value = reply.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}", value):
        wait = timedelta(seconds=min(int(value), LONGEST_WAIT.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        wait = moment.replace(tzinfo=moment.tzinfo or UTC) - now
    return min(wait, LONGEST_WAIT) if wait > timedelta(0) else None


def _seconds(context: Context) -> float:
    limit = context.timeout_seconds - min(_RESERVE_SECONDS, context.timeout_seconds / 10)
    return float(min(limit, context.config.get("timeout_seconds", limit)))


def _headers(event: InboundEvent, context: Context) -> httpx.Headers:
    """Return the request's headers: defaults, then the received ones that the route names, then who is speaking."""
    headers = httpx.Headers(
        {
            "User-Agent": "automation-hub",
            "Accept-Encoding": "identity",  # what is kept of the answer is to be read by people
            "Idempotency-Key": context.idempotency_key,
        },
        encoding="iso-8859-1",  # as WSGI reads them, so that a value goes on as the bytes that came
    )
    of_the_connection = {name.strip().lower() for name in event.headers.get("Connection", "").split(",")}
    for name in ("Content-Type", *context.config.get("headers", ())):
        value = event.headers.get(name)
        if value is not None and name.lower() not in _HOP_BY_HOP | of_the_connection:
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


def _shown(name: str, value: str) -> str:
    if _CREDENTIAL.search(name):
        return _MASK
    if name.lower() in {"location", "content-location"}:
        value = value.partition("?")[0]
    return value[:_KEPT_HEADER_CHARACTERS].replace("\x00", "")


def _text(reply: Reply) -> str | None:
    """Return the body as text, or None if it is none that a database keeps; a character cut in two is left out."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(reply.body, final=reply.is_whole)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text
