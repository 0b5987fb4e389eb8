"""Endpoints in a configuration file, with their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils import timezone

from deliveries import hold
from deliveries.configuration import secrets
from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import Item, Kind
from integrations.api.serializers import EndpointSerializer
from integrations.masking import MASK
from integrations.models import Endpoint, EndpointState
from integrations.providers import Provider, providers
from integrations.references import is_reference

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Endpoints(Kind):
    """Known by their slug. Of a credential in ``settings``, too, the file has references only."""

    name = "endpoints"
    noun = "endpoint"
    serializer = EndpointSerializer
    identity = ("slug",)
    always = ("provider",)
    parts = ("secrets",)
    hold_field = "state"

    def rows(self) -> QuerySet[Endpoint]:
        """Return those in service, by slug."""
        return Endpoint.objects.live().order_by("slug")

    def entered(self, item: Item) -> dict[str, Any]:
        """Refuse a credential in ``settings`` that is no reference."""
        values = super().entered(item)
        settings = values.get("settings")
        hidden = _credentials(values.get("provider"))
        if isinstance(settings, Mapping):
            plain = sorted(name for name in hidden & settings.keys() if not _refers(settings[name]))
            if plain:
                raise ConfigurationError(
                    [f"settings.{name}: write a reference, env:HUB_SECRET_NAME or file:NAME" for name in plain]
                )
        return values

    def desired(self, item: Item, row: Endpoint | None) -> dict[str, Any]:
        """Keep the credentials in ``settings`` that are stored: the file cannot name them."""
        values = super().desired(item, row)
        if row is not None and isinstance(values.get("settings"), Mapping):
            hidden = _credentials(values.get("provider"))
            kept = {name: text for name, text in row.settings.items() if name in hidden and not _refers(text)}
            values["settings"] = {**kept, **values["settings"]}
        return values

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Mask the credentials in ``settings``; a reference is none."""
        settings = values.get("settings")
        if not isinstance(settings, Mapping):
            return dict(values)
        preset = providers.get(values.get("provider", ""))
        public = preset.public_settings if preset else frozenset()
        masked = {name: text if name in public or _refers(text) else MASK for name, text in settings.items()}
        return {**values, "settings": masked}

    def written(self, row: Endpoint) -> dict[str, Any]:
        """Leave out the credentials that are stored; add the secrets that are references."""
        item = super().written(row)
        settings = {name: text for name, text in item.pop("settings", {}).items() if text != MASK}
        if settings:
            item["settings"] = settings
        found = [secrets.written(secret) for secret in secrets.references(row, now=timezone.now())]
        return {**item, "secrets": found} if found else item

    def comments(self, row: Endpoint) -> list[str]:
        """Name what is stored, and say how to bring it into the file."""
        lines = []
        for name in sorted(_credentials(row.provider) & row.settings.keys()):
            if not _refers(row.settings[name]):
                lines += [
                    f"settings.{name} is stored and left out; apply keeps it. To have it here, give its value to the",
                    f"hub as a variable and write under settings: {name}: env:{secrets.variable(row.slug, name)}",
                ]
        for secret in secrets.stored(row, now=timezone.now()):
            label = " ".join(str(secret).split())
            lines += [
                f'The secret "{label}" is stored and left out; apply keeps it. To have it here, give its value to the',
                "hub as a variable (or a file in HUB_SECRETS_DIR), write it under secrets, and end the stored one:",
                f"  - label: {_quoted(label)}",
                f"    value: env:{secrets.variable(row.slug, label)}",
            ]
        return lines

    def part_changes(self, item: Item, row: Endpoint | None) -> dict[str, tuple[Any, Any]]:
        """Return the differences of the secrets; none if the item does not name any."""
        return secrets.shown(_secret_changes(item, row))

    def end_parts(self, item: Item, row: Endpoint, *, by: User | None) -> None:
        """End the references that are no longer in the file."""
        secrets.end(_secret_changes(item, row), row, by=by)

    def make_parts(self, item: Item, row: Endpoint, *, by: User | None) -> None:
        """Add and change references."""
        secrets.make(_secret_changes(item, row), row, by=by)

    def move_deliveries(self, row: Endpoint, *, by: User) -> None:
        """Hold the deliveries if the endpoint is now paused, else let them go."""
        hold.set_endpoint_state(row, EndpointState(row.state), by=by)

    def warning(self, row: Endpoint) -> str:
        """Warn of an endpoint that refuses everything for want of a secret."""
        if row.url is None or not row.needs_secret:
            return ""
        live = row.secrets.live(timezone.now()).exists()
        return "" if live else f"{self.label((row.slug,))} has no live secret and will refuse every request"

    def refine(self, schema: dict[str, Any], *, built_in: bool) -> None:
        """Say what ``settings`` may hold, by provider."""
        properties = schema["properties"]
        properties["secrets"]["items"]["properties"]["value"]["pattern"] = "^(env:HUB_SECRET_|file:)"
        properties["settings"]["description"] = "The provider's own settings; of a credential, a reference to it."
        properties["secrets"]["description"] = "References to secrets. Left out: the endpoint keeps those that it has."
        schema["allOf"] = [_when("provider", key, {"settings": _settings_schema(providers[key])}) for key in providers]


def _secret_changes(item: Item, row: Endpoint | None) -> secrets.SecretChanges:
    if "secrets" not in item:
        return secrets.SecretChanges()
    return secrets.compare(item["secrets"], row, now=timezone.now())


def _credentials(provider: Any) -> frozenset[str]:
    preset = providers.get(str(provider))
    return preset.secret_settings if preset else frozenset()


def _refers(value: Any) -> bool:
    return isinstance(value, str) and is_reference(value)


def _settings_schema(preset: Provider) -> dict[str, Any]:
    schema = dict(preset.settings_schema)
    hidden = preset.secret_settings
    schema["properties"] = {
        name: {**entry, "pattern": "^(env:HUB_SECRET_|file:)"} if name in hidden else entry
        for name, entry in schema.get("properties", {}).items()
    }
    return schema


def _when(field: str, value: str, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {field: {"const": value}}, "required": [field]}, "then": {"properties": then}}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
