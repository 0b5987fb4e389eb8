"""Settings that would leave a hub in production without protection: each stops the start, and says what to do.

A hub is in production when its public address is https, or when it listens to others than this machine. Only what
serves is stopped, web and workers: commands that look and mend go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

from integrations.addresses import is_loopback

Network = IPv4Network | IPv6Network

#: What Django calls long enough for a signing key, and of how many different characters.
KEY_LENGTH, KEY_CHARACTERS = 50, 5
# Such a network is half of all addresses, or all.
_EVERYBODY = 1


@dataclass(frozen=True)
class Chosen:
    """The settings that are looked at, by their names in lower case; ``networks`` is by name, of those that trust."""

    secret_key: str
    base_url: str
    bind: str
    allowed_hosts: Sequence[str]
    allow_http: bool
    networks: dict[str, Sequence[Network]]


def chosen(settings: Any) -> Chosen:
    """Return what Django's ``settings`` say of it."""
    trusting = ("HUB_TRUSTED_PROXIES", "HUB_OPERATIONS_NETWORKS", "HUB_EGRESS_ALLOW")
    return Chosen(
        secret_key=settings.SECRET_KEY,
        base_url=settings.HUB_BASE_URL,
        bind=settings.HUB_BIND,
        allowed_hosts=settings.ALLOWED_HOSTS,
        allow_http=settings.HUB_ALLOW_HTTP,
        networks={name: getattr(settings, name) for name in trusting},
    )


def refuse(chosen: Chosen) -> None:
    """Raise `ImproperlyConfigured`, in one line, for the first setting that is unsafe in production."""
    base = urlsplit(chosen.base_url)
    if is_production(base, chosen.bind):
        for problem in _problems(chosen, base):
            raise ImproperlyConfigured(problem)


def is_production(base: SplitResult, bind: str) -> bool:
    """Return whether others than this machine reach the hub, through a proxy with TLS or without one."""
    return base.scheme == "https" or not is_loopback(bind)


def _problems(chosen: Chosen, base: SplitResult) -> Iterator[str]:
    key = chosen.secret_key
    if len(key) < KEY_LENGTH or len(set(key)) < KEY_CHARACTERS or key.startswith("django-insecure-"):
        yield (
            f"SECRET_KEY can be guessed: it has to have {KEY_LENGTH} characters or more, at random "
            "(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')"
        )
    if any(host.strip() in {"*", "."} for host in chosen.allowed_hosts):
        yield "ALLOWED_HOSTS lets any host name through: name those that the hub is reached by"
    if base.scheme != "https" and not is_loopback(base.hostname or "") and not chosen.allow_http:
        yield (
            "HUB_BASE_URL is a plain http address, and others than this machine are to reach the hub: logins and "
            "events could be read on the way. Put a proxy with TLS in front and set its https address, or say "
            "HUB_ALLOW_HTTP=true"
        )
    for name, networks in chosen.networks.items():
        if any(network.prefixlen <= _EVERYBODY for network in networks):
            yield f"{name} trusts the whole internet: name the networks that are meant"
