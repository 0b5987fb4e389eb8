"""Routes in a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from deliveries import hold
from deliveries.configuration.kind import Item, Kind
from integrations.api.serializers import RouteSerializer
from integrations.handlers import handlers, route_defaults
from integrations.models import Route
from integrations.retry import RETRY_SCHEMA, RetryPolicy, merged
from integrations.validation import default_retry

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Routes(Kind):
    """Known by their endpoint and name. What a route leaves out comes from its handler, else from the hub."""

    name = "routes"
    noun = "route"
    serializer = RouteSerializer
    identity = ("endpoint", "name")
    unique = False
    always = ("handler",)
    hold_field = "paused"

    def rows(self) -> QuerySet[Route]:
        """Return those in service, by endpoint and name; of one name the oldest first."""
        live = Route.objects.live().filter(endpoint__retired_at=None).select_related("endpoint")
        return live.order_by("endpoint__slug", "name", "created_at", "id")

    def current(self, row: Route) -> dict[str, Any]:
        """Return the values, the retry policy whole."""
        return {**super().current(row), "retry": RetryPolicy.from_json(row.retry).as_json()}

    def defaults(self, item: Item) -> dict[str, Any]:
        """Put the handler's wishes on top of the hub's defaults."""
        found = {**super().defaults(item), **route_defaults(str(item.get("handler", "")))}
        return {**found, "retry": merged(default_retry(), found.get("retry", {}))}

    def desired(self, item: Item, row: Route | None) -> dict[str, Any]:
        """Complete the retry policy."""
        values = super().desired(item, row)
        if isinstance(values["retry"], Mapping):
            values["retry"] = merged(self.defaults(item)["retry"], values["retry"])
        return values

    def patches(self, row: Route, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Take away first the rules for errors that differ: the API merges each with what is there."""
        stored = RetryPolicy.from_json(row.retry).errors
        wanted = values.get("retry", {}).get("errors", stored)
        other = {name: None for name, rule in stored.items() if rule != wanted.get(name)}
        return [{"retry": {"errors": other}}, values] if other else [values]

    def written(self, row: Route) -> dict[str, Any]:
        """Write of the retry policy only what differs from the default."""
        item = super().written(row)
        if "retry" in item:
            usual = self.defaults(item)["retry"]
            item["retry"] = {name: value for name, value in item["retry"].items() if value != usual.get(name)}
        return item

    def move_deliveries(self, row: Route, *, by: User) -> None:
        """Hold or release the deliveries."""
        (hold.pause_route if row.paused else hold.resume_route)(row, by=by)

    def refine(self, schema: dict[str, Any], *, built_in: bool) -> None:
        """Say what ``retry`` and ``config`` may hold; a handler that the schema does not know may have any config."""
        properties = schema["properties"]
        keys = [key for key in handlers if not built_in or handlers[key].run.__module__.startswith("integrations.")]
        properties["retry"] = {**RETRY_SCHEMA, "description": properties["retry"].get("description", "")}
        properties["handler"] = {"type": "string", "anyOf": [{"enum": keys}, {"minLength": 1}]}
        schema["allOf"] = [
            {
                "if": {"properties": {"handler": {"const": key}}, "required": ["handler"]},
                "then": {"properties": {"config": dict(handlers[key].config_schema)}},
            }
            for key in keys
        ]
