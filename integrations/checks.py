"""System checks: what is configured and cannot work, or works without protection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from integrations.addresses import is_loopback
from integrations.handlers import handlers
from integrations.models import Endpoint, Route
from integrations.providers import providers


@checks.register(checks.Tags.security)
def base_url_is_https(**_: Any) -> list[checks.CheckMessage]:
    """Warn of a public address without TLS, unless it is this machine's own."""
    base = urlsplit(settings.HUB_BASE_URL)
    if base.scheme == "https" or is_loopback(base.hostname or ""):
        return []
    return [
        checks.Warning(
            "HUB_BASE_URL is a plain http address: logins, tokens and events can be read and changed on the way.",
            hint="Put a proxy with TLS in front and set HUB_BASE_URL to its https address.",
            id="hub.W001",
        )
    ]


@checks.register(checks.Tags.database)
def routes_have_handlers(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Name live routes whose handler no installed app registers any more; they would end in the dead letters."""
    return [
        checks.Warning(
            f"Route {route.name!r} of endpoint {route.endpoint.slug!r} names the handler {route.handler!r}, "
            "which no installed app registers.",
            hint="Install the app that has it, or choose another handler for the route.",
            id="hub.W002",
        )
        for route in _rows(Route.objects.live().filter(endpoint__retired_at=None).select_related("endpoint"), databases)
        if route.handler not in handlers
    ]


@checks.register(checks.Tags.database)
def endpoints_have_presets(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Name live endpoints whose provider has no preset, and those that take events from anybody."""
    messages: list[checks.CheckMessage] = []
    for endpoint in _rows(Endpoint.objects.receiving(), databases):
        if endpoint.provider not in providers:
            text = f"Endpoint {endpoint.slug!r} refuses all: its provider {endpoint.provider!r} has no preset."
            hint = "Choose another provider for the endpoint, or retire it."
            messages.append(checks.Warning(text, hint=hint, id="hub.W003"))
        elif endpoint.provider == "generic_none" and not endpoint.allowed_networks:
            text = f"Endpoint {endpoint.slug!r} takes events from anybody: its provider proves nothing."
            hint = "Choose a provider that signs or sends a token, or name the networks that may send."
            messages.append(checks.Warning(text, hint=hint, id="hub.W004"))
    return messages


def _rows(rows: Any, databases: Sequence[str] | None) -> list[Any]:
    """Return the rows, or none if the check is not to ask the database, or it has no tables yet."""
    if not databases:
        return []
    try:
        return list(rows)
    except DatabaseError:
        return []
