"""Single values in a body, for the providers that put the signature or its timestamp there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

# The modules and not their functions: they take their reasons from this package.
from integrations import multipart, payloads
from integrations.contracts import InboundRequest
from integrations.errors import MalformedPayload

_FORM = "application/x-www-form-urlencoded"
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")


def check_path(path: str) -> None:
    """Raise ValueError unless ``path`` is names with dots between them, such as ``signature.timestamp``."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not names with dots between them, such as signature.timestamp.")


def body_value(request: InboundRequest, path: str) -> str:
    """Return the text or whole number at ``path``; "" if there is none, or the body is not what its type says.

    In a form the first name is the field's; where the path goes on, the field holds JSON.
    """
    try:
        if request.content_type == multipart.MULTIPART:
            value: Any = multipart.multipart_fields(request.body)
        else:
            value = payloads.decode(request.content_type, request.body)
        for name in path.split("."):
            if isinstance(value, str):
                value = payloads.decode("application/json", value.encode("utf-8", "replace"))
            value = value.get(name) if isinstance(value, dict) else None
    except MalformedPayload:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def with_body_value(request: InboundRequest, path: str, value: str | int) -> InboundRequest:
    """Return ``request`` with ``value`` at ``path``, as it is where that stands there already.

    Raises ValueError for a body that is neither a JSON object nor a form.
    """
    if body_value(request, path) == str(value):
        return request
    first, _, rest = path.partition(".")
    if request.content_type != _FORM:
        return replace(request, body=_dumped(_put(json.loads(request.body), path, value)))
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    inner = _dumped(_put(json.loads(fields.get(first, "{}")), rest, value)).decode() if rest else str(value)
    return replace(request, body=urlencode({**fields, first: inner}).encode())


def _put(payload: Any, path: str, value: str | int) -> Any:
    if not isinstance(payload, dict):
        raise ValueError("Only in a JSON object can a value be set.")
    target = payload
    *parents, last = path.split(".")
    for name in parents:
        inner = target.get(name)
        target[name] = inner if isinstance(inner, dict) else {}
        target = target[name]
    target[last] = value
    return payload


def _dumped(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
