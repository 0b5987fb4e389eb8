"""From raw bytes to a payload: JSON, forms, forms that hold JSON; everything else is opaque."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from integrations.multipart import MULTIPART, multipart_fields
from integrations.verification.reasons import Reason, malformed

#: Deeper nesting is refused: rendering, filtering and comparing recurse.
MAX_DEPTH = 100
MAX_FORM_FIELDS = 10_000
#: Longer whole numbers stay text; Python converts no more digits than 4300, and doubles end at 309.
MAX_DIGITS = 300

_FORM = "application/x-www-form-urlencoded"
_BRACKETED_NAME = re.compile(r"[^\[\]]+(?:\[[^\[\]]*\])+")
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(content_type: str, body: bytes, *, json_field: str = "") -> Any:
    """Return the payload of ``body``: a JSON value, a form's fields as a dict (repeated ones as a list), or None.

    ``content_type`` is the media type alone. With ``json_field``, a form (also a multipart one) that has this field is
    what the field's JSON says. None means that the body is opaque (another type, or empty). Raises `MalformedPayload`
    if the body is not what its type says.

    The value can be written as JSON and as UTF-8 anywhere: numbers that no double or int of ordinary size can hold
    (1e400, 5000 digits) stay text, and half of a surrogate pair becomes U+FFFD.
    """
    if not body:
        return None
    if content_type in {"application/json", "text/json"} or content_type.endswith("+json"):
        return _json(body)
    if content_type in {_FORM, MULTIPART if json_field else _FORM}:
        form = _form(body) if content_type == _FORM else multipart_fields(body)
        if json_field and isinstance(form.get(json_field), str):
            return _json(form[json_field].encode())
        return form
    return None


def bracketed_form(content_type: str, body: bytes) -> Any:
    """Return a form with its bracketed names as objects: ``data[merges][EMAIL]=x`` is ``{"data": {"merges": ...}}``.

    A name that is a field and an object at once keeps what came first. Other content types are read as `decode` does.
    """
    if content_type != _FORM:
        return decode(content_type, body)
    found: dict[str, Any] = {}
    for name, value in _form(body).items():
        path = [name.partition("[")[0], *_BRACKETED.findall(name)] if _BRACKETED_NAME.fullmatch(name) else [name]
        if len(path) > MAX_DEPTH:
            raise malformed(Reason.JSON_TOO_DEEP, levels_allowed=MAX_DEPTH)
        target = found
        for parent in path[:-1]:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                break
        else:
            target.setdefault(path[-1], value)
    return found


def _json(body: bytes) -> Any:
    try:
        payload = json.loads(_text(body), parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole_number)
    except RecursionError:
        raise malformed(Reason.JSON_TOO_DEEP, levels_allowed=MAX_DEPTH) from None
    except ValueError:
        # Not chained: the error's text can quote the body.
        raise malformed(Reason.JSON_INVALID) from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(payload, MAX_DEPTH):
        raise malformed(Reason.JSON_TOO_DEEP, levels_allowed=MAX_DEPTH)
    return _without_surrogates(payload) if _ESCAPED_SURROGATE.search(body) else payload


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")  # some senders put a byte order mark first
    except UnicodeDecodeError:
        raise malformed(Reason.NOT_UTF8) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _whole_number(text: str) -> int | str:
    return int(text) if len(text) <= MAX_DIGITS else text


def _deeper_than(payload: Any, levels: int) -> bool:
    containers = [payload] if isinstance(payload, dict | list) else []
    for _ in range(levels):
        containers = [child for item in containers for child in _values(item) if isinstance(child, dict | list)]
        if not containers:
            return False
    return True


def _values(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(_text(body), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise malformed(Reason.FORM_INVALID, fields_allowed=MAX_FORM_FIELDS) from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
