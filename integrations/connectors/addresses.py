"""A connection's addresses: what its base URL may be, and where a path below it leads."""

from __future__ import annotations

import re
from urllib.parse import unquote

import httpx
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.errors import GiveUp

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\#]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressRefused(GiveUp):
    """A path that leads out of its connection's base URL; its text names the path up to its query, and no secret."""


def origin(url: str | httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port: where credentials may go."""
    found = httpx.URL(url)
    return found.scheme, found.raw_host.decode("ascii").lower(), found.port or _DEFAULT_PORTS.get(found.scheme, 0)


def validate_base_url(value: str) -> None:
    """Refuse anything but ``http(s)://host[:port][/path]``: no user, query or fragment, which would be lost or leak."""
    _check(value, paths=True)


def validate_proxy(value: str) -> None:
    """Refuse anything but ``http://host[:port]``; its user and password are credentials."""
    _check(value, paths=False)
    if httpx.URL(value).scheme != "http":
        raise ValidationError(
            gettext("A proxy is spoken to over http://; what goes through to https:// stays encrypted.")
        )


def join(base_url: str, path: str) -> httpx.URL:
    """Return the address of ``path`` below ``base_url``; a leading slash does not leave the base's own path.

    Raises `AddressRefused` for whatever could lead elsewhere: another scheme, host, port or user (``//host``,
    ``https://host``), ``..`` in any spelling, a backslash, a fragment, a control character.
    """
    shown = path.partition("?")[0][:200]
    if _FORBIDDEN.search(path):
        raise AddressRefused(f"the path {shown!r} holds a character that no path can have; percent-encode it")
    place, mark, query = path.partition("?")
    if place.startswith("//") or _SCHEME.match(place):
        raise AddressRefused(f"{shown!r} is an address of its own; a connection is called by a path below its base URL")
    if any(segment in {".", ".."} for segment in _segments(place)):
        raise AddressRefused(f"the path {shown!r} leads out of the connection's base URL")
    base = base_url.rstrip("/")
    target = f"{base}/{place.lstrip('/')}" if place else base_url
    try:
        url = httpx.URL(target + mark + query)
    except httpx.InvalidURL:
        raise AddressRefused(f"the path {shown!r} cannot be part of an address") from None
    if origin(url) != origin(base_url) or url.userinfo:
        raise AddressRefused(f"{shown!r} leads to another host than the connection's")
    return url


def _segments(place: str) -> list[str]:
    # Twice: a server that decodes once more than it should must not be led out, either.
    return re.split(r"[/\\]", unquote(unquote(place)))


def _check(value: str, *, paths: bool) -> None:
    if paths:
        wrong = ValidationError(gettext("This has to be http:// or https:// with a host and perhaps a path."))
    else:
        wrong = ValidationError(gettext("This has to be http:// or https:// with a host."))
    if _FORBIDDEN.search(value) or "?" in value:
        raise wrong
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        raise wrong from None
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or "@" in url.netloc.decode("ascii"):
        raise wrong
    if not 0 < (url.port or 80) <= 65535 or (not paths and url.path not in {"", "/"}):
        raise wrong
    if any(segment in {".", ".."} for segment in _segments(url.path)):
        raise wrong
