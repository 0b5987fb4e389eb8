"""What a database holds, read where Django's connection does not lead: within a copy, or within a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deliveries.models import Delivery, Event

#: Runs a statement and returns its rows.
Ask = Callable[[str], list[Any]]


@dataclass(frozen=True)
class Facts:
    """Which migrations are applied, how many rows there are, and which ``version`` the database is of."""

    migrations: tuple[str, ...]
    counts: dict[str, int]
    version: str


def read_facts(ask: Ask, *, version: str) -> Facts:
    """Read them. It counts rows, which is little beside reading all of them, as a backup does."""
    migrations = ask("SELECT app, name FROM django_migrations ORDER BY app, name")
    return Facts(
        migrations=tuple(f"{app}.{name}" for app, name in migrations),
        counts={"events": _count(ask, Event), "deliveries": _count(ask, Delivery)},
        version=version,
    )


def _count(ask: Ask, model: type[Event | Delivery]) -> int:
    ((count,),) = ask(f'SELECT COUNT(*) FROM "{model._meta.db_table}"')  # noqa: S608 - a table's name of ours
    return int(count)
