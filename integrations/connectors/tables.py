"""A table outside of the hub that grows with what is written to it, a row at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from integrations.connectors.postgres import Database, DatabaseRefused, Identifier

EVENT_ID, EVENT_KEY, EVENT_TIME = "event_id", "event_key", "event_time"

#: The types that columns get, and which types of columns that are there take a value of each, as PostgreSQL calls them.
FITTING: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "character varying"}),
    "bigint": frozenset({"bigint", "integer", "smallint", "numeric", "double precision"}),
    "double precision": frozenset({"double precision", "numeric", "real"}),
    "boolean": frozenset({"boolean"}),
    "timestamptz": frozenset({"timestamp with time zone"}),
    "jsonb": frozenset({"jsonb", "json"}),
}
#: The types as they stand in a statement: nothing else ever does.
_TYPES = {
    "text": sql.SQL("text"),
    "bigint": sql.SQL("bigint"),
    "double precision": sql.SQL("double precision"),
    "boolean": sql.SQL("boolean"),
    "timestamptz": sql.SQL("timestamptz"),
    "jsonb": sql.SQL("jsonb"),
}
#: Beyond it a floating-point column would keep another whole number than the one that came.
_EXACT = 2**53

_COLUMNS = sql.SQL(
    "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped"
)


@dataclass(frozen=True)
class Cell:
    """A value and the type of the column that it makes; a ``type`` of None makes none: it is not known for a null."""

    value: Any
    type: str | None


@dataclass(frozen=True)
class Table:
    """A table by its name; ``schema`` "" is the one in which the user's tables are made."""

    schema: str
    name: str

    def write(self, row: Mapping[str, Cell], to: Database) -> bool:
        """Insert ``row``, or, where it has a key, let it replace an older one of that key; return whether it did.

        Makes the table and columns that are missing. Raises `DatabaseRefused` if a column has a type that does not
        take its value, or if the hub's own tables stand in the schema, and what ``to`` raises.
        """
        there = self._in_schema(to)
        columns = there._columns(to)
        if missing := {name: cell.type for name, cell in row.items() if cell.type and name not in columns}:
            there._make(missing, to=to, is_new=not columns)
            columns = there._columns(to)
        cells = {name: _fitted(name, cell, columns[name]) for name, cell in row.items() if name in columns}
        return bool(to.run(there._insert(cells), list(cells.values())))

    def _in_schema(self, database: Database) -> Table:
        """Return the table with its schema, in which Django keeps nothing."""
        ((schema, is_djangos),) = database.run(
            sql.SQL(
                "SELECT s.name, EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                " ON n.oid = c.relnamespace WHERE n.nspname = s.name AND c.relname = 'django_migrations')"
                " FROM (SELECT coalesce(nullif(%s, ''), current_schema()::text) AS name) s"
            ),
            [self.schema],
        )
        if schema is None:
            raise DatabaseRefused("table: the user has no schema to make tables in; name one")
        if is_djangos:
            raise DatabaseRefused("table: an application's own tables (django_migrations) stand in this schema")
        return Table(schema, self.name)

    def _columns(self, database: Database) -> dict[str, str]:
        rows = database.run(_COLUMNS, [self.schema, self.name])
        return {str(name): str(kind) for name, kind in rows}

    def _make(self, columns: Mapping[str, str | None], *, to: Database, is_new: bool) -> None:
        """Make the table if it ``is_new``, else the columns; whoever else is about to do so has to wait.

        Two CREATE TABLE IF NOT EXISTS at once can fail in PostgreSQL.
        """
        to.run(sql.SQL("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))"), [self.schema, self.name])
        fixed = [name for name in (EVENT_KEY, EVENT_ID, EVENT_TIME) if name in columns]
        if not is_new and fixed:
            raise DatabaseRefused(f"table: it is there, without the column {fixed[0]} that this route needs")
        table = sql.Identifier(self.schema, self.name)
        primary = EVENT_KEY if EVENT_KEY in columns else EVENT_ID
        if is_new:
            made = [_definition(name, kind, primary) for name, kind in columns.items() if name in fixed]
            to.run(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(table, sql.SQL(", ").join(made)))
        added = [
            sql.SQL("ADD COLUMN IF NOT EXISTS ") + _definition(name, kind)
            for name, kind in columns.items()
            if name not in fixed
        ]
        if added:
            to.run(sql.SQL("ALTER TABLE {} {}").format(table, sql.SQL(", ").join(added)))

    def _insert(self, names: Mapping[str, Any]) -> sql.Composed:
        parts: dict[str, sql.Composable] = {
            "table": Identifier(self.schema, self.name),
            "names": sql.SQL(", ").join(map(Identifier, names)),
            "values": sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            "target": Identifier(EVENT_KEY if EVENT_KEY in names else EVENT_ID),
            "set": sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(Identifier(name)) for name in names),
        }
        # Of two events of one moment the one that came later stays, whichever is written last: ids rise.
        resolved: LiteralString = (
            ' UPDATE SET {set} WHERE (stored.event_time, stored.event_id COLLATE "C")'
            ' < (excluded.event_time, excluded.event_id COLLATE "C")'
            if EVENT_KEY in names
            else " NOTHING"
        )
        insert: LiteralString = "INSERT INTO {table} AS stored ({names}) VALUES ({values}) ON CONFLICT ({target}) DO"
        return sql.SQL(insert + resolved + " RETURNING 1").format(**parts)


def _definition(name: str, kind: str | None, primary: str = "") -> sql.Composed:
    rule: LiteralString = " PRIMARY KEY" if name == primary else " NOT NULL" if primary else ""
    return sql.SQL("{} {}{}").format(sql.Identifier(name), _TYPES[kind or "text"], sql.SQL(rule))


def _fitted(name: str, cell: Cell, column: str) -> Any:
    """Return the value as it is sent to a column of type ``column``."""
    if cell.type is None:
        return None
    is_exact = cell.type != "bigint" or column != "double precision" or abs(cell.value or 0) <= _EXACT
    if column not in FITTING[cell.type] or not is_exact:
        raise DatabaseRefused(f"columns/{name}: the column is {column}, the value would be {cell.type}")
    return Jsonb(cell.value) if cell.type == "jsonb" and cell.value is not None else cell.value
