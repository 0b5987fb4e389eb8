"""What an endpoint or a route can be made of: providers and handlers."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.api.pagination import one_page
from integrations.api.permissions import ModelPermissions
from integrations.handlers import handlers
from integrations.models import Endpoint, Route
from integrations.providers import Provider, providers


class ProviderList(APIView):
    """GET: every provider that an endpoint can have."""

    queryset = Endpoint.objects.all()
    permission_classes = [ModelPermissions]
    http_method_names = ["get", "head"]

    def get(self, request: Request) -> Response:
        """Return all of them in alphabetical order."""
        return one_page([_provider(key, providers[key]) for key in providers])


class HandlerList(APIView):
    """GET: every handler that a route can have."""

    queryset = Route.objects.all()
    permission_classes = [ModelPermissions]
    http_method_names = ["get", "head"]

    def get(self, request: Request) -> Response:
        """Return all of them in alphabetical order."""
        found = [handlers[key] for key in handlers]
        return one_page(
            [{"key": h.key, "summary": h.summary, "config_schema": h.config_schema} for h in found],
        )


def _provider(key: str, preset: Provider) -> dict[str, Any]:
    try:
        scheme = preset.scheme_for({})
    except (ValueError, KeyError):  # needs settings before it can say
        scheme = None
    return {
        "key": key,
        "name": preset.name,
        "scheme": scheme.kind if scheme else None,
        "settings_schema": preset.settings_schema,
        "symmetric": scheme.symmetric if scheme else None,
        "source_networks": _networks(preset),
    }


def _networks(preset: Provider) -> dict[str, Any] | None:
    """Return where the provider says that it sends from, with where and when it said so; None if it does not."""
    found = preset.source_networks
    if found is None:
        return None
    return {"networks": list(found.networks), "url": found.url, "checked_on": found.checked_on}
