"""How often one call is tried, and how long is waited in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.schemas import check_schema

TRIES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_attempts": {"type": "integer", "minimum": 1, "maximum": 10},
        "initial_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 60},
        "max_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 300},
    },
}


@dataclass(frozen=True)
class Tries:
    """The tries of one call, the first included; the wait before the n-th retry is up to ``initial_seconds`` x 2^n."""

    max_attempts: int = 3
    initial_seconds: float = 0.5
    max_seconds: float = 10

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Tries:
        """Return the tries of a connection; what it does not say is the default."""
        return cls(**{name: value for name, value in stored.items() if name in cls.__dataclass_fields__})

    def as_json(self) -> dict[str, Any]:
        """Return them as they are stored."""
        return dict(vars(self))


def default_tries() -> dict[str, Any]:
    """Return those of a new connection, as they are stored."""
    return Tries().as_json()


def validate_tries(value: Any) -> None:
    """Check the tries of a connection."""
    check_schema(value, TRIES_SCHEMA)
