"""`object.append`: raw events in objects of a bucket or a folder, many in each, each event once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from integrations.connectors.batches import Batch, Item, Limits, Written
from integrations.connectors.objects import check_store, put
from integrations.connectors.serialized import FORMS, check_form, line_of, serialized
from integrations.contracts import Json
from integrations.handlers import Context, InboundEvent, handler

_FORM, _EVENTS, _SECONDS = "jsonl.gz", 1000, 60
#: One request takes so much, and a worker's memory several times as much.
_BATCH_BYTES = 16 * 2**20
#: Beyond the attempt's own end: whoever holds a batch has been interrupted by then.
_LEASE_RESERVE = timedelta(seconds=30)

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["connection"],
    "properties": {
        "connection": {
            "type": "string",
            "format": "connection",
            "description": "the name of a connection of kind s3, gcs, azure or folder",
        },
        "prefix": {
            "type": "string",
            "pattern": r"^([A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,99}(/(?!$)|$)){0,10}$",
            "default": "",
            "description": "folders below the connection's own that the objects are written to, such as raw/shop",
        },
        "form": {
            "enum": sorted(FORMS),
            "default": _FORM,
            "description": "jsonl (JSON lines), jsonl.gz, or parquet, which needs pyarrow",
        },
        "batch_events": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10_000,
            "default": _EVENTS,
            "description": "an object is written once so many events wait, or 16 MiB of them",
        },
        "batch_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 3600,
            "default": _SECONDS,
            "description": "how long an event waits for others at the most",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the object's name but for the batch's, and the event's line in it."""
    ending = FORMS[config.get("form", _FORM)]
    return {"object": f"{_folder(event, config)}/BATCH{ending}", "line": json.loads(line_of(event))}


@handler("object.append", config_schema=CONFIG_SCHEMA, preview=preview)
def append(event: InboundEvent, context: Context) -> Json:
    """Write the event, with others of its endpoint and day, into an object of a bucket or a folder; each event once.

    Returns the name of the ``object`` that holds it, now or since an earlier run. Raises `StillRunning` while it waits
    for its batch.
    """
    config = context.config
    form = config.get("form", _FORM)
    check_form(form)
    system = context.system(config["connection"])
    check_store(system)
    # Not the events' folder: the same event in the same place is the same, whatever its endpoint is called by then.
    place = hashlib.sha256(json.dumps([system.identity, config.get("prefix", ""), form]).encode()).hexdigest()
    item = Item(place, event.id, _folder(event, config), form, line_of(event))
    limits = Limits(
        items=config.get("batch_events", _EVENTS),
        bytes=_BATCH_BYTES,
        wait=timedelta(seconds=config.get("batch_seconds", _SECONDS)),
    )

    def write(batch: Batch) -> None:
        name = _name(batch)
        put(system, name, serialized(batch.lines, batch.form))
        context.log("written", object=name, events=len(batch.lines))

    lease = timedelta(seconds=context.timeout_seconds) + _LEASE_RESERVE
    found = system.batches.bring(item, limits=limits, lease=lease, write=write)
    if not found.is_new:
        context.log("it is there already", object=_name(found))
    return {"object": _name(found)}


def _name(batch: Batch | Written) -> str:
    return f"{batch.folder}/{batch.id}{FORMS[batch.form]}"


def _folder(event: InboundEvent, config: Mapping[str, Any]) -> str:
    """Return the partition: as Hive, Spark, DuckDB and BigQuery read names of folders."""
    prefix = config.get("prefix", "")
    day = event.received_at.astimezone(UTC).date().isoformat()
    return f"{prefix}/endpoint={event.endpoint}/date={day}".lstrip("/")
