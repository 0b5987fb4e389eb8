"""What an endpoint or a route can be made of: providers and handlers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.api.pagination import PageSerializer, one_page
from integrations.api.permissions import ModelPermissions
from integrations.api.schema import operation
from integrations.handlers import handlers
from integrations.models import Endpoint, Route
from integrations.providers import Provider, providers

PROVIDERS: dict[str, Any] = {
    "next": None,
    "previous": None,
    "results": [
        {
            "key": "paddle",
            "name": "Paddle Billing",
            "scheme": "hmac",
            "settings_schema": {"type": "object", "properties": {}, "additionalProperties": False},
            "symmetric": True,
            "source_networks": {
                "networks": ["34.194.127.46/32"],
                "url": "https://developer.paddle.com/webhooks/respond-to-webhooks",
                "checked_on": "2026-11-22",
            },
        }
    ],
}
HANDLERS: dict[str, Any] = {
    "next": None,
    "previous": None,
    "results": [
        {
            "key": "http.forward",
            "summary": "Send the event's body to an HTTP address; any answer but 2xx is a failure.",
            "config_schema": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
        }
    ],
}


class SourceNetworksSerializer(serializers.Serializer[Any]):
    """Where a provider says that it sends from; a hint, applied only if it is copied into an endpoint."""

    networks = serializers.ListField(child=serializers.CharField())
    url = serializers.URLField(help_text="Where the provider says so.")
    checked_on = serializers.DateField(help_text="When it said so.")


class ProviderSerializer(serializers.Serializer[Any]):
    """A provider that an endpoint can have. Null: a setting has to say first."""

    key = serializers.CharField()
    name = serializers.CharField()
    scheme = serializers.CharField(allow_null=True, help_text="The kind of proof of an endpoint without settings.")
    settings_schema = serializers.DictField(help_text="A JSON Schema of an endpoint's `settings`.")
    symmetric = serializers.BooleanField(allow_null=True, help_text="Whether the secret that verifies can also sign.")
    source_networks = SourceNetworksSerializer(allow_null=True)


class HandlerSerializer(serializers.Serializer[Any]):
    """A handler that a route can have."""

    key = serializers.CharField()
    summary = serializers.CharField()
    config_schema = serializers.DictField(help_text="A JSON Schema of a route's `config`.")


class ProviderPage(PageSerializer):
    """All providers, in one page."""

    results = ProviderSerializer(many=True)


class HandlerPage(PageSerializer):
    """All handlers, in one page."""

    results = HandlerSerializer(many=True)


class ProviderList(APIView):
    """GET: every provider that an endpoint can have."""

    queryset = Endpoint.objects.all()
    permission_classes = [ModelPermissions]
    http_method_names = ["get", "head"]

    @operation(
        "list_providers",
        "List what an endpoint can receive from",
        answers={200: ("All providers, in alphabetical order.", ProviderPage, PROVIDERS)},
    )
    def get(self, request: Request) -> Response:
        """Return all of them in alphabetical order."""
        return one_page([_provider(key, providers[key]) for key in providers])


class HandlerList(APIView):
    """GET: every handler that a route can have."""

    queryset = Route.objects.all()
    permission_classes = [ModelPermissions]
    http_method_names = ["get", "head"]

    @operation(
        "list_handlers",
        "List what a route can run",
        answers={200: ("All handlers, in alphabetical order.", HandlerPage, HANDLERS)},
    )
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
