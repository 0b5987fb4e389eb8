"""The text that a signature covers, as a template: ``{timestamp}.{body}``, ``v0:{timestamp}:{body}``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from integrations.contracts import InboundRequest
from integrations.verification.bodies import body_value, check_path
from integrations.verification.reasons import Reason, unproven
from integrations.verification.texts import wire_bytes

FORM = "application/x-www-form-urlencoded"
_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)(?::([A-Za-z0-9_.-]+))?\}")
_UP_TO_PATH = re.compile(r"\A[a-z]+://[^/?#]*")
_MAX_FORM_FIELDS = 10_000


@dataclass(frozen=True)
class Moment:
    """What a template fills in: the request, and what the scheme has read from it."""

    request: InboundRequest
    timestamp: str
    event_id: str
    url: str


@dataclass(frozen=True)
class Template:
    """A text with placeholders.

    They are ``{body}``, ``{body_sha256}`` (hexadecimal), ``{sorted_form}``, ``{timestamp}``, ``{id}``, ``{method}``,
    ``{url}``, ``{path}``, ``{header:NAME}`` and ``{value:PATH}`` (a single value of the body, such as
    ``{value:signature.token}``). Raises ValueError for any other, and, unless ``partial``, for a text that says nothing
    of the whole body: a signature over it fits other bodies too.
    """

    text: str
    partial: bool = False

    def __post_init__(self) -> None:
        if re.search(r"[{}]", _PLACEHOLDER.sub("", self.text)):
            raise ValueError(f"The template {self.text!r} has a brace that belongs to no placeholder.")
        for name, argument in self.names:
            if name not in _FILLERS or (name in {"header", "value"}) != bool(argument):
                raise ValueError(f"The template {self.text!r} has a placeholder that is not known.")
            if name == "value":
                check_path(argument)
        if not self.partial and not self.covers_body:
            raise ValueError("The template has to hold {body} or {body_sha256}: otherwise a signature fits every body.")

    @cached_property
    def names(self) -> list[tuple[str, str]]:
        """The placeholders as (name, argument), in order."""
        return _PLACEHOLDER.findall(self.text)

    @cached_property
    def signed_headers(self) -> tuple[str, ...]:
        """The headers that ``{header:NAME}`` names."""
        return tuple(argument for name, argument in self.names if name == "header")

    @property
    def covers_body(self) -> bool:
        """Whether the whole body is in the text."""
        return any(self.covers(name) for name in ("body", "body_sha256", "sorted_form"))

    def covers(self, name: str) -> bool:
        """Return whether the placeholder ``name`` occurs."""
        return any(name == used for used, _ in self.names)

    def render(self, moment: Moment) -> bytes:
        """Return the bytes to sign; raises `VerificationFailed` if a part of them is not in the request."""
        parts = []
        end = 0
        for match in _PLACEHOLDER.finditer(self.text):
            parts += [self.text[end : match.start()].encode(), _FILLERS[match[1]](moment, match[2] or "")]
            end = match.end()
        return b"".join([*parts, self.text[end:].encode()])


def _header(moment: Moment, name: str) -> bytes:
    value = moment.request.headers.get(name)
    if value is None:
        raise unproven(Reason.SIGNED_HEADER_MISSING, header=name)
    return wire_bytes(value)


def _value(moment: Moment, path: str) -> bytes:
    value = body_value(moment.request, path)
    if not value:
        raise unproven(Reason.SIGNED_VALUE_MISSING, place=path)
    return value.encode("utf-8", "surrogatepass")


def _sorted_form(moment: Moment, _: str) -> bytes:
    """Return the form's fields, each name and value, sorted; a value that comes twice under one name counts once.

    Latin-1 throughout keeps every byte as it came, and sorts as UTF-8 does. An empty form is refused too: its fields
    could have been moved to the end of the query string, where a signature over both reads the same.
    """
    if moment.request.content_type != FORM or not moment.request.body:
        raise unproven(Reason.BODY_NOT_SIGNED)
    try:
        fields = parse_qsl(
            moment.request.body.decode("latin-1"),
            keep_blank_values=True,
            encoding="latin-1",
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError:
        raise unproven(Reason.BODY_NOT_SIGNED, fields_allowed=_MAX_FORM_FIELDS) from None
    return "".join(name + value for name, value in sorted(set(fields))).encode("latin-1")


_FILLERS: dict[str, Callable[[Moment, str], bytes]] = {
    "body": lambda moment, _: moment.request.body,
    "body_sha256": lambda moment, _: hashlib.sha256(moment.request.body).hexdigest().encode(),
    "sorted_form": _sorted_form,
    "timestamp": lambda moment, _: wire_bytes(moment.timestamp),
    "id": lambda moment, _: wire_bytes(moment.event_id),
    "method": lambda moment, _: wire_bytes(moment.request.method),
    "url": lambda moment, _: wire_bytes(moment.url),
    "path": lambda moment, _: wire_bytes(_UP_TO_PATH.sub("", moment.url).partition("?")[0]),
    "header": _header,
    "value": _value,
}
