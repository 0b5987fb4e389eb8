"""Adding counts to rows that may not be there yet, in one statement on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, models

from deliveries.models.raw import raw_cursor

#: The columns of PostgreSQL's types by the names that rows of statistics have.
_TYPES = {
    "grain_minutes": "int",
    "measure": "text",
    "starts_at": "timestamptz",
    "endpoint_id": "uuid",
    "route": "uuid",
    "bucket": "int",
    "name": "text",
    "count": "bigint",
}


def add(model: type[models.Model], fields: Sequence[str], counts: Mapping[Any, int], *, using: str) -> None:
    """Add each of ``counts`` to the row of ``model`` whose unique ``fields`` its key has; in the caller's transaction.

    Keys are tuples. They are always taken in the same order: two processes that add at once must not wait for each
    other in a circle.
    """
    rows = [(*key, counts[key]) for key in sorted(counts)]
    columns = {field.name: field.column for field in model._meta.concrete_fields}
    names = [str(columns[name]) for name in (*fields, "count")]
    if not rows:
        return
    if connections[using].vendor == "postgresql":
        _add_at_once(model, names, rows, using)
    else:
        _add_one_by_one(model, names, rows, using)


def _statement(model: type[models.Model], names: Sequence[str], values: str) -> str:
    table, key = model._meta.db_table, ", ".join(names[:-1])
    return f"""
        INSERT INTO {table} ({", ".join(names)}) {values}
        ON CONFLICT ({key}) DO UPDATE SET count = {table}.count + excluded.count
    """


def _add_at_once(model: type[models.Model], names: Sequence[str], rows: Sequence[tuple[Any, ...]], using: str) -> None:
    named = [dict(zip(names, map(_as_json, row), strict=True)) for row in rows]
    typed = ", ".join(f"{name} {_TYPES[name]}" for name in names)
    values = f"SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r({typed})"  # noqa: S608 - our own words
    with raw_cursor(using) as cursor:
        cursor.execute(_statement(model, names, values), {"rows": json.dumps(named)})


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _add_one_by_one(
    model: type[models.Model], names: Sequence[str], rows: Sequence[tuple[Any, ...]], using: str
) -> None:
    connection = connections[using]
    values = f"VALUES ({', '.join(['%s'] * len(names))})"

    def stored(value: Any) -> Any:
        if isinstance(value, datetime):
            return connection.ops.adapt_datetimefield_value(value)
        return value.hex if isinstance(value, UUID) else value

    with connection.cursor() as cursor:
        cursor.executemany(_statement(model, names, values), [tuple(map(stored, row)) for row in rows])
