"""Connections in a configuration file. Of credentials the file has references only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers

from deliveries.callers import callers_of
from deliveries.configuration import secrets
from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import Item, Kind
from integrations.api.connections import ConnectionSerializer, shown_credentials
from integrations.masking import MASK
from integrations.models import Connection
from integrations.references import is_reference


class Connections(Kind):
    """Known by their name. A credential that is stored is neither written nor touched."""

    name = "connections"
    noun = "connection"
    serializer = ConnectionSerializer
    identity = ("name",)
    always = ("base_url",)

    def rows(self) -> QuerySet[Connection]:
        """Return those in service, by name."""
        return Connection.objects.live().order_by("name")

    def current(self, row: Connection) -> dict[str, Any]:
        """Return the values; a stored credential as the mask, which also stands for it when it is written."""
        return {**super().current(row), "credentials": shown_credentials(row.credentials)}

    def entered(self, item: Item) -> dict[str, Any]:
        """Refuse a credential that is no reference."""
        values = super().entered(item)
        given = values.get("credentials")
        if isinstance(given, Mapping):
            plain = sorted(str(name) for name, text in given.items() if not _refers(text))
            if plain:
                raise ConfigurationError(
                    [f"credentials.{name}: write a reference, env:HUB_SECRET_NAME or file:NAME" for name in plain]
                )
        return values

    def desired(self, item: Item, row: Connection | None) -> dict[str, Any]:
        """Complete ``retry``, and keep the credentials that are stored: the file cannot name them."""
        values = super().desired(item, row)
        if isinstance(values.get("retry"), Mapping):
            values["retry"] = {**self.defaults(item)["retry"], **values["retry"]}
        if row is not None and isinstance(values.get("credentials"), Mapping):
            kept = {name: MASK for name, text in row.credentials.items() if not _refers(text)}
            values["credentials"] = {**kept, **values["credentials"]}
        return values

    def written(self, row: Connection) -> dict[str, Any]:
        """Leave out the credentials that are stored."""
        item = super().written(row)
        references = {name: text for name, text in item.pop("credentials", {}).items() if text != MASK}
        return {**item, "credentials": references} if references else item

    def comments(self, row: Connection) -> list[str]:
        """Name what is stored, and say how to bring it into the file."""
        lines = []
        for name in sorted(row.credentials):
            if not _refers(row.credentials[name]):
                entry = f"{name}: env:{secrets.variable(row.name, name)}"
                lines += [
                    f"credentials.{name} is stored and left out; apply keeps it. To have it here, give its value to",
                    f"the hub as a variable and write under credentials: {entry}",
                ]
        return lines

    def retire(self, row: Connection) -> None:
        """Take it out of service; raises `serializers.ValidationError` while anything calls it."""
        if callers := callers_of(row):
            raise serializers.ValidationError(f"it is called, such as by {callers[0]}; change that first")
        row.retire(now=timezone.now())

    def refine(self, schema: dict[str, Any], *, built_in: bool) -> None:
        """Say that credentials are references, and what the lists hold."""
        properties = schema["properties"]
        properties["credentials"] = {
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": "^(env:HUB_SECRET_|file:)"},
            "description": "References to credentials, by name. What is stored is kept.",
        }
        properties["headers"]["additionalProperties"] = {"type": "string"}
        properties["egress"] = {
            "type": ["array", "null"],
            "items": {"type": "string"},
            "description": properties["egress"].get("description", ""),
        }


def _refers(value: Any) -> bool:
    return isinstance(value, str) and is_reference(value)
