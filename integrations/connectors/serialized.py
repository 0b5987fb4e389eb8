"""Events as the bytes of an object: JSON lines, or Parquet."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from integrations.connectors.extras import extra
from integrations.contracts import InboundEvent

#: The names that `event.form` may have, each with the end of an object's name.
FORMS = {"jsonl": ".jsonl", "jsonl.gz": ".jsonl.gz", "parquet": ".parquet"}
_TEXTS = ("id", "endpoint", "provider", "event_id", "event_type", "verdict", "content_type")


def line_of(event: InboundEvent) -> str:
    """Return the event as a line of JSON, as it came: its ``payload``, or its ``body`` in base64 if that is opaque."""
    fields = {name: getattr(event, name) for name in _TEXTS}
    content = {"payload": event.payload}
    if event.payload is None and event.body:
        content = {"payload": None, "body": b64encode(event.body).decode("ascii")}
    return json.dumps({**fields, "received_at": event.received_at.isoformat(), **content}, separators=(",", ":"))


def serialized(lines: Sequence[str], form: str) -> bytes:
    """Return the object that holds ``lines``: the same bytes each time, with the same packages."""
    if form == "parquet":
        return _parquet([json.loads(line) for line in lines])
    text = "".join(f"{line}\n" for line in lines).encode()
    return gzip.compress(text, mtime=0) if form == "jsonl.gz" else text


def check_form(form: str) -> None:
    """Raise `ClientMissing` if the package for ``form`` is not installed."""
    if form == "parquet":
        extra("pyarrow.parquet", package="pyarrow")


def _parquet(events: Sequence[dict[str, Any]]) -> bytes:
    arrow = extra("pyarrow", package="pyarrow")
    columns: dict[str, Any] = {name: (arrow.string(), [event[name] for event in events]) for name in _TEXTS}
    moments = [datetime.fromisoformat(event["received_at"]) for event in events]
    columns["received_at"] = (arrow.timestamp("us", tz="UTC"), moments)
    # As text: a column of one type for payloads of any shape.
    columns["payload"] = (arrow.string(), [json.dumps(event["payload"], separators=(",", ":")) for event in events])
    columns["body"] = (arrow.binary(), [b64decode(event["body"]) if "body" in event else None for event in events])
    schema = arrow.schema([(name, kind) for name, (kind, _) in columns.items()])
    table = arrow.table({name: values for name, (_, values) in columns.items()}, schema=schema)
    target = BytesIO()
    extra("pyarrow.parquet", package="pyarrow").write_table(table, target, compression="zstd")
    return target.getvalue()
