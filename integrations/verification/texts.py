"""Between texts and bytes, strictly: what a stranger sends has one spelling or none, and never raises."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal
from urllib.parse import unquote_plus

from integrations.contracts import InboundRequest, case_insensitive

Encoding = Literal["hex", "base64", "base64url", "base64url_unpadded"]


def wire_bytes(text: str) -> bytes:
    """Return a header or URL as the bytes that came: WSGI hands them over as latin-1; other text is UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def header_text(value: str) -> str:
    """Return ``value`` as WSGI would hand over its UTF-8 bytes, the inverse of `wire_bytes`."""
    return value.encode("utf-8", "surrogatepass").decode("latin-1")


def decode_digest(text: str, encoding: Encoding, size: int) -> bytes | None:
    """Return the ``size`` bytes that ``text`` spells, or None if it is not their one correct spelling.

    Hexadecimal digits may be of either case, base64url may be padded or not (``base64url_unpadded`` may not); anything
    else that a lenient decoder would pass over (white space, foreign characters, text after the padding, stray bits) is
    refused.
    """
    if len(text) > 3 * size or not text.isascii():
        return None
    if encoding == "hex":
        return bytes.fromhex(text) if re.fullmatch(rf"[0-9a-fA-F]{{{2 * size}}}", text) else None
    try:
        if encoding == "base64":
            digest = base64.b64decode(text, validate=True)
        else:
            padded = text if "=" in text else text + "=" * (-len(text) % 4)
            digest = base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    padded_text = encode_digest(digest, encoding)
    spellings = {padded_text, padded_text.rstrip("=")} if encoding == "base64url" else {padded_text}
    return digest if len(digest) == size and text in spellings else None


def encode_digest(digest: bytes, encoding: Encoding) -> str:
    """Return ``digest`` as text; base64url is padded."""
    if encoding == "hex":
        return digest.hex()
    if encoding == "base64":
        return base64.b64encode(digest).decode("ascii")
    padded = base64.urlsafe_b64encode(digest).decode("ascii")
    return padded if encoding == "base64url" else padded.rstrip("=")


def decode_key(text: str, encoding: Encoding) -> bytes:
    """Return the bytes of a key that an operator pasted; the padding may be missing. Raises ValueError."""
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=None if encoding == "base64" else b"-_", validate=True
        )
    except ValueError:
        raise ValueError(f"This is not {encoding}; was it pasted whole?") from None


def first_header(request: InboundRequest, names: tuple[str, ...]) -> str:
    """Return the value of the first of ``names`` that the request has and that is not empty; else ""."""
    return next((value for name in names if (value := request.headers.get(name))), "")


def query_parameter(request: InboundRequest, name: str) -> str:
    """Return the value of the query parameter spelled exactly ``name``, as its bytes' latin-1; "" if it is not there.

    An escaped spelling of the name does not count: views mask credentials by the plain one. Of several, the last.
    """
    found = ""
    for part in request.query_string.split("&"):
        key, _, value = part.partition("=")
        if key == name:
            found = unquote_plus(value, encoding="latin-1")
    return found


def with_headers(request: InboundRequest, headers: Mapping[str, str]) -> InboundRequest:
    """Return ``request`` with ``headers`` added, each in the place of one that has the same name in any case."""
    return replace(request, headers=case_insensitive({**request.headers, **headers}))


def with_parameter(request: InboundRequest, parameter: str) -> InboundRequest:
    """Return ``request`` with ``parameter`` (``name=value``, escaped) at the end of its query string."""
    query_string = f"{request.query_string}&{parameter}" if request.query_string else parameter
    address = request.url.partition("?")[0]
    return replace(request, url=f"{address}?{query_string}", query_string=query_string)
