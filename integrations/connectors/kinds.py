"""What a connection can lead to. A connector adds its kind here, next to the handlers that use it."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError

from integrations.registry import Registry, load_handlers


@dataclass(frozen=True)
class ConnectionKind:
    """One kind of outside system: its ``name`` for people, and what a new connection of it starts from."""

    name: str
    base_url: str = ""
    auth: str = "none"
    test_path: str = ""


kinds: Registry[ConnectionKind] = Registry("connection kind", load_handlers)
kinds.register("http")(ConnectionKind("HTTP API"))


def kind_choices() -> list[tuple[str, str]]:
    """Return (key, name) of every kind, for a model's field."""
    return [(key, kinds[key].name) for key in kinds]


def validate_kind(value: str) -> None:
    """Refuse a kind that no installed app registers."""
    if value not in kinds:
        raise ValidationError(f"There is no connection kind {value!r}.")
