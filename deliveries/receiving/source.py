"""Where a request came from, and the request as the schemes see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from integrations.contracts import InboundRequest, case_insensitive

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


#: Headers whose names in WSGI do not begin as those of all others.
_WITHOUT_PREFIX = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
#: Strangers choose texts: what is remembered of longer ones could fill the memory.
_USUAL_LENGTH = 64


def client_address(request: HttpRequest) -> Address | None:
    """Return the address that the request came from; None where the server does not know it (a Unix socket).

    ``X-Forwarded-For`` is believed only as far as ``HUB_TRUSTED_PROXIES`` wrote it: from the right, the first address
    that is not a trusted proxy is the sender's. What stands further left is the sender's own claim.
    """
    trusted: Sequence[Network] = settings.HUB_TRUSTED_PROXIES
    address = _address(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while address is not None and forwarded and is_within(address, trusted):
        before = _address(forwarded.pop())
        if before is None:
            break
        address = before
    return address


def through_trusted_proxy(request: HttpRequest) -> bool:
    """Return whether the connection comes from one of ``HUB_TRUSTED_PROXIES``, so that its headers are believed."""
    address = _address(request.META.get("REMOTE_ADDR", ""))
    return address is not None and is_within(address, settings.HUB_TRUSTED_PROXIES)


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether ``address`` is in one of ``networks``; another family is simply not in it."""
    return any(address in network for network in networks)


def inbound_request(request: HttpRequest, *, received_at: datetime, source: Address | None) -> InboundRequest:
    """Return the request as it came, still without its body.

    The URL is built on ``HUB_BASE_URL``: what the sender writes into Host or a forwarding header must not decide what
    a signature covers. Header values and the query string are WSGI's texts, a character for each byte.
    """
    query_string = request.META.get("QUERY_STRING", "")
    return InboundRequest(
        method=request.method or "",
        url=f"{settings.HUB_BASE_URL}{request.path_info}{'?' if query_string else ''}{query_string}",
        query_string=query_string,
        headers=case_insensitive(_headers(request.META)),
        body=b"",
        received_at=received_at,
        source="" if source is None else str(source),
        request_id=getattr(request, "request_id", ""),
    )


def _header_name(key: str) -> str:
    """Return the name of the header that is ``key`` in a WSGI environment; "" if that is none."""
    if not key.startswith("HTTP_") and key not in _WITHOUT_PREFIX:
        return ""
    return key.removeprefix("HTTP_").replace("_", "-").title()


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers in a WSGI environment, under the names that Django gives them."""
    found = {}
    for key, value in environ.items():
        name = _known_name(key) if len(key) <= _USUAL_LENGTH else _header_name(key)
        if name:
            found[name] = value
    return found


def _address(text: str) -> Address | None:
    """Return the address in ``text``, as `_parsed` does; those that came lately are known."""
    return _known_address(text) if len(text) <= _USUAL_LENGTH else _parsed(text)


def _parsed(text: str) -> Address | None:
    """Return the address in ``text``, which may carry a port, brackets or a zone; None if there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


_known_address = lru_cache(4096)(_parsed)
_known_name = lru_cache(4096)(_header_name)
