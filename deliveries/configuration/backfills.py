"""Backfills in a configuration file, with references to their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from deliveries.api.backfill_rows import BackfillSerializer
from deliveries.configuration import secrets
from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import Item, Kind
from deliveries.models import Backfill
from integrations.history import histories
from integrations.masking import MASK
from integrations.references import is_reference


class Backfills(Kind):
    """Known by their endpoint. Of a token the file has a reference only; one that is stored is left alone."""

    name = "backfills"
    noun = "backfill of"
    serializer = BackfillSerializer
    identity = ("endpoint",)

    def rows(self) -> QuerySet[Backfill]:
        """Return those of the endpoints in service, by their slugs."""
        live = Backfill.objects.filter(endpoint__retired_at=None).select_related("endpoint")
        return live.order_by("endpoint__slug")

    def entered(self, item: Item) -> dict[str, Any]:
        """Refuse a token that is no reference."""
        if "token" in item and not is_reference(str(item["token"])):
            raise ConfigurationError(["token: write a reference, env:HUB_SECRET_NAME or file:NAME"])
        return super().entered(item)

    def patches(self, row: Backfill, values: dict[str, Any], *, item: Item) -> list[dict[str, Any]]:
        """Give the token again with another address, where the file names it."""
        if "base_url" in values and "token" in item:
            values = {"token": item["token"], **values}
        return [values]

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Mask a token that is stored."""
        token = values.get("token", "")
        return {**values, "token": MASK} if token and not is_reference(token) else dict(values)

    def written(self, row: Backfill) -> dict[str, Any]:
        """Leave out a token that is stored."""
        return {name: value for name, value in super().written(row).items() if (name, value) != ("token", MASK)}

    def comments(self, row: Backfill) -> list[str]:
        """Say how to bring a token that is stored into the file."""
        if is_reference(row.token):
            return []
        return [
            "The token is stored and left out; apply keeps it. To have it here, give its value to the hub as a",
            f"variable and write: token: env:{secrets.variable(row.endpoint.slug, 'token')}",
        ]

    def retire(self, row: Backfill) -> None:
        """Delete it with its runs; what they stored stays."""
        row.delete()

    def refine(self, schema: dict[str, Any], *, built_in: bool) -> None:
        """Say what ``token`` and ``source`` may hold."""
        properties = schema["properties"]
        properties["token"]["pattern"] = "^(env:HUB_SECRET_|file:)"
        properties["token"]["description"] = "A reference to the token. Left out: the backfill keeps the one it has."
        properties["source"]["anyOf"] = [dict(histories[key].settings_schema) for key in histories]
