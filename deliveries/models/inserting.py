"""New events and deliveries, stored with statements whose text is built once.

Building both inserts anew with the ORM took more processor time than all else in an accepted event together. On
PostgreSQL an event and its deliveries are one statement, and so one round trip that is its own transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models

from deliveries.models import pause_lock
from deliveries.models.delivery import Delivery
from deliveries.models.event import Event
from deliveries.models.known_bodies import TYPES as LOOK_TYPES
from deliveries.models.known_bodies import Look
from deliveries.models.prepared import Statement
from deliveries.models.raw import row_of_last, takes_pipelines
from integrations.identifiers import uuid7

#: The flag of an event whose body is known under another id.
POSSIBLE_REPLAY = "possible_replay"
#: What differs between new deliveries; all else is as the model makes it.
_OF_EACH = ("id", "event", "endpoint", "route", "status", "due_at", "created_at")
_ROWS_AT_ONCE = 400
#: For so many routes there is a statement for each number of them; more are handed over as a list.
_MOST_ROUTES_WRITTEN = 16
#: Fields whose values Django hands on to the database as they are, after it has looked at each.
_AS_IT_IS: set[type[models.Field[Any, Any]]] = {
    models.BooleanField,
    models.CharField,
    models.TextField,
    models.PositiveBigIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.BigIntegerField,
    models.BinaryField,
}
_AS_IT_IS_ON_POSTGRES: set[type[models.Field[Any, Any]]] = {
    models.DateTimeField,
    models.UUIDField,
}


def _as_json(value: Any, _: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _as_hex(value: UUID | None, _: Any) -> str | None:
    return None if value is None else value.hex


def _as_text(value: datetime | None, connection: Any) -> str | None:
    if value is not None and value.tzinfo is UTC and connection.timezone is UTC:
        return str(value.replace(tzinfo=None))
    text: str | None = connection.ops.adapt_datetimefield_value(value)
    return text


#: What makes the values of fields for the database, as the fields do; those of the last two are for SQLite alone.
_MADE_AT_ONCE: dict[type[models.Field[Any, Any]], Callable[[Any, Any], Any]] = {
    models.JSONField: _as_json,
    models.UUIDField: _as_hex,
    models.DateTimeField: _as_text,
}
_HELD = """CASE WHEN EXISTS (SELECT 1 FROM integrations_endpoint e WHERE e.id = %s AND e.state = 'paused')
    OR EXISTS (SELECT 1 FROM integrations_route r WHERE r.id = w.route_id AND r.paused)
    THEN 'held' ELSE 'pending' END"""
#: Who has the key is counted on if it has the same body, too, and came after the parameter.
_COUNTED = """DO UPDATE SET duplicates = deliveries_event.duplicates + 1
    WHERE deliveries_event.body_sha256 = excluded.body_sha256 AND deliveries_event.received_at > %s"""


class Inserted(NamedTuple):
    """What became of an event: the ``holder`` of its dedupe key, which is itself where it was stored.

    Another one it was counted on; None: another has the key, and nothing was done.
    """

    holder: UUID | None
    is_due: bool


def insert_event(event: Event, look: Look | None, *, using: str) -> bool:
    """Store ``event``; return False if another has its dedupe key.

    If ``look`` finds its body, it is flagged as a possible replay.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        statement = _event_statement(look.statement(connection.vendor) if look else "", connection.vendor)
        cursor.execute(f"{statement} DO NOTHING", _event_values(event, look, connection))
        return bool(cursor.rowcount)


def insert_deliveries(rows: Sequence[Delivery], *, using: str) -> None:
    """Store ``rows``, as they are."""
    connection = connections[using]
    columns = _Columns.of(Delivery, connection.vendor)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        values = [value for row in some for value in columns.values(row, connection)]
        places = f"({', '.join(columns.places)})"
        with connection.cursor() as cursor:
            cursor.execute(f"{columns.insert} VALUES {', '.join([places] * len(some))}", values)


def insert_at_once(
    event: Event,
    routes: Sequence[UUID],
    *,
    look: Look | None,
    now: datetime,
    counts_after: datetime,
    looks_at_pause: bool,
    using: str,
) -> Inserted:
    """Store ``event`` with a delivery for each of ``routes``, due ``now``: one statement, all or nothing.

    Where another event has its dedupe key and the same body, and came after ``counts_after``, it is counted on that
    one. With ``looks_at_pause`` those deliveries are held whose endpoint or route is paused, and who resumes waits
    until they are stored.

    To be called where `can_insert_at_once`.
    """
    connection = connections[using]
    values = _event_values(event, look, connection)
    endpoint = event.endpoint_id
    values += [counts_after, endpoint, *([endpoint] if looks_at_pause else []), now, now]
    count = len(routes) if len(routes) <= _MOST_ROUTES_WRITTEN else None
    if count:
        values += [value for route in routes for value in (uuid7(), route)]
    else:
        values += [[uuid7() for _ in routes], list(routes)]
    values.append(event.pk)
    statement = _at_once(look.statement(connection.vendor) if look else "", looks_at_pause, count, using)
    first = [(pause_lock.SHARED, pause_lock.name_of(endpoint))] if looks_at_pause else []
    return Inserted(*row_of_last([*first, (statement, values)], using=using))


def can_insert_at_once(using: str) -> bool:
    """Return whether the database takes several inserts as one statement."""
    return connections[using].vendor == "postgresql" and takes_pipelines()


class _Columns:
    """A model's columns, in the order in which they are written."""

    def __init__(self, model: type[models.Model], vendor: str) -> None:
        self.is_postgres = vendor == "postgresql"
        self._fields: list[Any] = list(model._meta.concrete_fields)
        self.insert = f"INSERT INTO {model._meta.db_table} ({', '.join(field.column for field in self._fields)})"
        json_place = "%s::jsonb" if self.is_postgres else "%s"
        self.places = [json_place if _is_json(field) else "%s" for field in self._fields]
        self._names: list[str] = [field.attname for field in self._fields]
        as_it_is = _AS_IT_IS | (_AS_IT_IS_ON_POSTGRES if self.is_postgres else set())
        self._made = [
            (at, _MADE_AT_ONCE.get(_kind(field)) or field.get_db_prep_save)
            for at, field in enumerate(self._fields)
            if _kind(field) not in as_it_is
        ]

    @staticmethod
    @cache
    def of(model: type[models.Model], vendor: str) -> _Columns:
        """Return those of ``model`` for a kind of database."""
        return _Columns(model, vendor)

    def values(self, row: models.Model, connection: Any) -> list[Any]:
        """Return what to write of ``row``, in the database's own types."""
        values: list[Any] = [getattr(row, name) for name in self._names]
        for at, made in self._made:
            values[at] = made(values[at], connection)
        return values

    def types(self, connection: Any) -> list[str]:
        """Return the types of the columns, as the database calls them."""
        return [field.db_type(connection) for field in self._fields]

    def value(self, name: str, value: Any, connection: Any) -> Any:
        """Return what to write as ``value`` of the field ``name``."""
        index = self.index(name)
        return next((made(value, connection) for at, made in self._made if at == index), value)

    def index(self, name: str) -> int:
        """Return the place of the field ``name``."""
        return self._names.index(name)


def _is_json(field: Any) -> bool:
    return _kind(field) is models.JSONField


def _kind(field: Any) -> type[models.Field[Any, Any]]:
    """Return the class of what ``field`` holds: that of the key, where it is a reference."""
    return type(field.target_field if field.is_relation else field)


def _event_values(event: Event, look: Look | None, connection: Any) -> list[Any]:
    """Return the parameters of the statement that stores ``event``."""
    columns = _Columns.of(Event, connection.vendor)
    values = columns.values(event, connection)
    if look is not None:
        flags = columns.index("flags")
        flagged = columns.value("flags", [*event.flags, POSSIBLE_REPLAY], connection)
        values[flags : flags + 1] = [*look.values(event, connection), flagged, values[flags]]
    return values


@cache
def _event_statement(look: str, vendor: str) -> str:
    """Return the insert of an event, up to what is to be done where its key is taken."""
    columns = _Columns.of(Event, vendor)
    places = list(columns.places)
    if look:
        flags = columns.index("flags")
        places[flags] = f"CASE WHEN EXISTS ({look}) THEN {places[flags]} ELSE {places[flags]} END"
    values = f"VALUES ({', '.join(places)})"
    return f"{columns.insert} {values} ON CONFLICT (endpoint_id, dedupe_key)"


@cache
def _at_once(look: str, looks_at_pause: bool, count: int | None, using: str) -> Statement:
    connection: Any = connections[using]
    insert = _event_statement(look, connection.vendor)
    same = {field: value for field, value in _of_all(connection).items() if field.name not in _OF_EACH}
    of_each: list[Any] = [Delivery._meta.get_field(name) for name in _OF_EACH]
    names: list[str] = [field.column for field in [*of_each, *same]]
    status = _HELD if looks_at_pause else "'pending'"
    # The server plans a statement once for all only where it knows how many rows there will be.
    rows = ", ".join(["(%s::uuid, %s::uuid)"] * (count or 0))
    wanted = f"(VALUES {rows})" if rows else "unnest(%s::uuid[], %s::uuid[])"
    constants = "".join(f", {connection.ops.compose_sql('%s', [value])}" for value in same.values())
    text = f"""
        WITH event AS ({insert} {_COUNTED} RETURNING id),
        made AS (
            INSERT INTO deliveries_delivery ({", ".join(names)})
            SELECT w.id, event.id, %s::uuid, w.route_id, {status}, %s::timestamptz, %s::timestamptz{constants}
            FROM event, {wanted} AS w(id, route_id)
            WHERE event.id = %s
            RETURNING status
        )
        SELECT (SELECT id FROM event), EXISTS (SELECT 1 FROM made WHERE status = 'pending')
    """.strip()  # noqa: S608 - of our own names and constants
    types = _event_types(bool(look), connection)
    moment = "timestamp with time zone"
    pairs = ["uuid", "uuid"] * count if count else ["uuid[]", "uuid[]"]
    endpoints = ["uuid", "uuid"] if looks_at_pause else ["uuid"]
    return Statement(text, [*types, moment, *endpoints, moment, moment, *pairs, "uuid"])


def _event_types(looks: bool, connection: Any) -> list[str]:
    """Return the types of `_event_values`."""
    columns = _Columns.of(Event, connection.vendor)
    types = columns.types(connection)
    flags = columns.index("flags")
    if looks:
        types[flags : flags + 1] = [*LOOK_TYPES, types[flags], types[flags]]
    return types


def _of_all(connection: Any) -> dict[Any, Any]:
    """Return the values with which the model makes a delivery, by field."""
    fields: list[Any] = list(Delivery._meta.concrete_fields)
    return dict(zip(fields, _Columns.of(Delivery, connection.vendor).values(Delivery(), connection), strict=True))
