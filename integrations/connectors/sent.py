"""What was sent to an outside system, as it is kept on the attempt: without the proof, without credentials, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote_plus

import httpx

from integrations.connectors.answers import kept_body, kept_headers, masked
from integrations.connectors.headers import CREDENTIAL
from integrations.connectors.spec import ConnectionSpec
from integrations.masking import MASK

#: Keeps the record of one call.
Note = Callable[[Mapping[str, Any]], None]

#: How much of a request's body is kept.
KEPT_BYTES = 8 * 1024
#: Names of fields and parameters that carry a credential.
_FIELD = re.compile(rf"{CREDENTIAL.pattern}|api_key|passw|pwd|private_?key", re.IGNORECASE)
_LONGEST_URL = 2000
_DEPTH = 20


class Noted:
    """A call that is under way: ``status`` is set once there is an answer."""

    status: int | None = None


def nowhere(call: Mapping[str, Any]) -> None:
    """Keep nothing of ``call``: the `Note` of calls that belong to no attempt."""


@contextmanager
def noted(note: Note, request: httpx.Request, proven: httpx.Request, spec: ConnectionSpec | None) -> Iterator[Noted]:
    """Make the call inside, and ``note`` it however it ends: what was sent, and ``status`` or ``error``.

    ``request`` is what was to be sent, ``proven`` the same with the proof on it, of which only the names are kept.
    """
    call = Noted()
    kept = record(request, proven, spec)
    try:
        yield call
    except BaseException as exc:  # an interrupted call may have arrived, too
        note({**kept, "error": type(exc).__name__})
        raise
    note({**kept, "status": call.status})


def record(request: httpx.Request, proven: httpx.Request, spec: ConnectionSpec | None) -> dict[str, Any]:
    """Return ``method``, ``url``, ``headers``, ``body`` and what is to be said of it, as JSON."""
    secrets = spec.secrets if spec else ()
    proof = {name for name, value in proven.headers.items() if request.headers.get(name) != value}
    headers = [pair for pair in proven.headers.items() if pair[0].lower() != "host"]  # which the address says
    body = kept_body(_masked_content(proven), is_whole=True, kept_bytes=KEPT_BYTES, secrets=secrets)
    return {
        **({"connection": spec.name} if spec and spec.is_named else {}),
        "method": proven.method,
        "url": masked(_url(request.url), secrets)[:_LONGEST_URL] + _proof_in_url(request, proven, spec),
        "headers": kept_headers(headers, secrets, hidden=proof),
        "body_bytes": len(proven.content),
        **body,
    }


def _url(url: httpx.URL) -> str:
    query = url.query.decode("ascii", "replace")
    return f"{url.copy_with(query=None, userinfo=b'')!s}{'?' if query else ''}{_masked_form(query)}"


def _proof_in_url(request: httpx.Request, proven: httpx.Request, spec: ConnectionSpec | None) -> str:
    """Return what stands for the proof that is part of the address; "" where none is."""
    if spec is None or proven.url == request.url:
        return ""
    if spec.auth == "query":
        return f"{'&' if request.url.query else '?'}{spec.auth_settings.get('name', '')}={MASK}"
    return f"/{MASK}"


def _masked_content(request: httpx.Request) -> bytes:
    """Return the body with the mask for what is a credential by the name of its field, else byte for byte."""
    content, kind = request.content, request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _masked_form(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if not _FIELD.search(content.decode("utf-8", "replace")):
        return content
    try:
        value = json.loads(content)
        clean = _without_credentials(value)
    except (ValueError, RecursionError):
        return content
    return content if clean == value else json.dumps(clean, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _masked_form(text: str) -> str:
    parts = []
    for part in text.split("&"):
        name, separator, _ = part.partition("=")
        parts.append(f"{name}={MASK}" if separator and _FIELD.search(unquote_plus(name)) else part)
    return "&".join(parts)


def _without_credentials(value: Any, depth: int = _DEPTH) -> Any:
    if isinstance(value, list | dict) and not depth:
        return MASK
    if isinstance(value, list):
        return [_without_credentials(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(item, str) and _FIELD.search(name) else _without_credentials(item, depth - 1)
            for name, item in value.items()
        }
    return value
