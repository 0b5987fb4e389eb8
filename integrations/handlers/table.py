"""`table.append`: events as rows of a PostgreSQL table that is not the hub's."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from integrations.connectors.postgres import database
from integrations.connectors.system import Sent
from integrations.connectors.tables import EVENT_ID, EVENT_KEY, EVENT_TIME, FITTING, Cell, Table
from integrations.connectors.unnamed import Unnamed
from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.handlers import Context, InboundEvent, handler
from integrations.references import is_reference, resolve
from integrations.routing import search
from integrations.values import root_of

_LONGEST_NAME_BYTES = 63  # PostgreSQL would cut a longer one off and say nothing
_EXPRESSION: dict[str, Any] = {"type": "string", "format": "jmespath", "minLength": 1, "maxLength": 1000}

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["database", "table"],
    "dependentRequired": {"time": ["key"]},
    "properties": {
        "database": {
            "type": "string",
            "format": "reference",
            "pattern": "^(env:HUB_SECRET_|file:)",
            "maxLength": 210,
            "description": "a reference, such as env:HUB_SECRET_WAREHOUSE or file:NAME, to postgres://USER:PASSWORD@"
            "HOST:PORT/NAME?sslmode=verify-full; never the address itself",
        },
        "table": {
            "type": "string",
            "pattern": r"^[^.\x00]{1,63}(\.[^.\x00]{1,63})?$",
            "description": "a table's name, or SCHEMA.TABLE; the table is made if it is not there, a schema never",
        },
        "columns": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 200,
            "propertyNames": {"minLength": 1, "maxLength": 63},
            "additionalProperties": _EXPRESSION,
            "description": "an object: names of columns, each with a JMESPath over the payload; left out, the event as "
            "it came: endpoint, event_type, received_at, payload",
        },
        "types": {
            "type": "object",
            "maxProperties": 200,
            "additionalProperties": {"enum": sorted(FITTING)},
            "description": "an object: names of columns, each with text, bigint, double precision, boolean, jsonb or "
            "timestamptz (ISO 8601 with a zone, or seconds since 1970), where the value's own is not meant",
        },
        "required": {
            "type": "array",
            "maxItems": 100,
            "items": _EXPRESSION,
            "description": "JMESPaths over the payload that have to find something; a payload in which one finds "
            "nothing, null or an empty text is a dead letter",
        },
        "key": {
            **_EXPRESSION,
            "description": "a JMESPath over the payload, such as customer.id: the table keeps one row for each, of "
            "the latest event",
        },
        "time": {
            **_EXPRESSION,
            "description": "a JMESPath over the payload: when it happened (ISO 8601 with a zone, or seconds since "
            "1970), for key; left out, when it was received",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the table and the row that would be written; raises `GiveUp` as `row_of` does."""
    return {"table": config["table"], "row": _shown(row_of(event, config))}


@handler("table.append", config_schema=CONFIG_SCHEMA, preview=preview, dry_run=True)
def append(event: InboundEvent, context: Context) -> Json:
    """Write the event as a row of a PostgreSQL table: each event once, or the latest one of each key.

    Returns whether it is ``written``, or was there already, or a later one.
    """
    config = context.config
    row = row_of(event, config)
    if not is_reference(config["database"]):
        raise GiveUp("database: it has to be a reference")
    schema, _, name = config["table"].rpartition(".")

    def write(seconds: float) -> bool:
        with database(resolve(config["database"]), seconds=seconds) as connection:
            return Table(schema, name).write(row, connection)

    reference = config["database"].partition(":")[2]
    system = context.unnamed(Unnamed("postgresql", reference, (config["database"],)))
    sent = Sent(json.dumps(_shown(row), ensure_ascii=False).encode("utf-8", "backslashreplace"), {})
    is_written = system.tried(f"INSERT {config['table']}", write, is_safe=False, sent=sent)
    context.log("written" if is_written else "it is there already, or a later one is", table=config["table"])
    return {"written": is_written}


def _shown(row: Mapping[str, Cell]) -> dict[str, Json]:
    """Return the values by the names of their columns, as JSON."""
    values = {name: cell.value for name, cell in row.items()}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def row_of(event: InboundEvent, config: Mapping[str, Any]) -> dict[str, Cell]:
    """Return the row: cells by the names of their columns.

    Raises `GiveUp`, which names fields and never a value, where something required is missing, or a value is not of
    the type that the config says.
    """
    missing = [path for path in config.get("required", ()) if search(path, root_of(event)) in (None, "")]
    if missing:
        raise GiveUp(f"required: {', '.join(missing)} missing from the payload")
    columns = _mapped(event, config) if "columns" in config else _raw(event)
    return {**_identity(event, config), **columns}


def _identity(event: InboundEvent, config: Mapping[str, Any]) -> dict[str, Cell]:
    cells = {EVENT_ID: Cell(event.id, "text")}
    if "key" not in config:
        return cells
    found = search(config["key"], root_of(event))
    key = None if isinstance(found, dict | list) else _as_text(found)
    if not key:
        raise GiveUp("key: it finds no text and no number in the payload")
    happened_at: datetime | None = event.received_at
    if "time" in config:
        happened_at = _as_time(search(config["time"], root_of(event)))
        if happened_at is None:
            raise GiveUp("time: it finds no ISO 8601 time with a zone, and no seconds, in the payload")
    return {EVENT_KEY: Cell(key, "text"), **cells, EVENT_TIME: Cell(happened_at, "timestamptz")}


def _raw(event: InboundEvent) -> dict[str, Cell]:
    return {
        "endpoint": Cell(event.endpoint, "text"),
        "event_type": Cell(event.event_type, "text"),
        "received_at": Cell(event.received_at, "timestamptz"),
        "payload": Cell(event.payload, "jsonb"),
    }


def _mapped(event: InboundEvent, config: Mapping[str, Any]) -> dict[str, Cell]:
    types = config.get("types", {})
    cells = {}
    for name, path in config["columns"].items():
        if name in (EVENT_ID, EVENT_KEY, EVENT_TIME):
            raise GiveUp(f"columns/{name}: this column is the hub's; take another name")
        if len(name.encode()) > _LONGEST_NAME_BYTES:
            raise GiveUp(f"columns/{name}: the name has more than {_LONGEST_NAME_BYTES} bytes")
        value = search(path, root_of(event))
        kind = types.get(name) or _type_of(value)
        if value is not None and kind is not None:
            value = _as(kind, value)
            if value is None:
                raise GiveUp(f"columns/{name}: the value is no {kind}")
        cells[name] = Cell(value, kind)
    return cells


def _type_of(value: Json) -> str | None:
    """Return the type of the column that ``value`` makes; None for a null, which makes none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint"
    return "double precision" if isinstance(value, float) else "text" if isinstance(value, str) else "jsonb"


def _as(kind: str, value: Json) -> Any:
    """Return ``value``, which is not null, as a ``kind``; None if it is none."""
    if kind == "text":
        return _as_text(value)
    if kind == "timestamptz":
        return _as_time(value)
    if kind == "double precision" and _type_of(value) == "bigint":
        return float(value) if abs(value) <= 2**53 else None
    return value if kind in ("jsonb", _type_of(value)) else None


def _as_text(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _as_time(value: Json) -> datetime | None:
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
