"""Write the rows of a list as a file, line by line: never more than a batch in memory, no statement that stays open."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet

from deliveries.models import AuditEntry, Delivery, Event, Rejection
from deliveries.models.sealing import storable
from deliveries.paging import Place

#: Rows of one file; what a list has beyond is for a narrower filter.
MOST_ROWS = 200_000
#: Rows that are read at once, and payloads: each of those may be as large as `PAYLOAD_BYTES`.
BATCH, PAYLOAD_BATCH = 500, 50
#: Larger payloads are left out, as on a page.
PAYLOAD_BYTES = 512 * 1024
#: The name of the column that says that a file is cut.
CUT = "cut"
# A spreadsheet takes a text that begins with one of these for a formula, whatever a stranger wrote behind it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Columns = Mapping[str, Callable[[Any], Any]]

#: What is written of each row, by model. No column holds what a request said in its headers or its body.
COLUMNS: Mapping[type[Model], Columns] = {
    Event: {
        "id": lambda row: str(row.pk),
        "received_at": lambda row: _moment(row.received_at),
        "endpoint": lambda row: row.endpoint.slug,
        "provider": lambda row: row.provider,
        "verdict": lambda row: row.verdict,
        "flags": lambda row: row.flags,
        "event_id": lambda row: row.event_id,
        "event_type": lambda row: row.event_type,
        "request_id": lambda row: row.request_id,
        "source": lambda row: row.source,
        "content_type": lambda row: row.content_type,
        "body_bytes": lambda row: row.body_bytes,
        "duplicates": lambda row: row.duplicates,
    },
    Delivery: {
        "id": lambda row: str(row.pk),
        "created_at": lambda row: _moment(row.created_at),
        "endpoint": lambda row: row.endpoint.slug,
        "route": lambda row: row.route.name,
        "handler": lambda row: row.route.handler,
        "status": lambda row: row.status,
        "attempt_count": lambda row: row.attempt_count,
        "due_at": lambda row: _moment(row.due_at),
        "finished_at": lambda row: _moment(row.finished_at),
        "last_error": lambda row: row.last_error,
        "fingerprint": lambda row: row.fingerprint,
        "event": lambda row: str(row.event_id),
        "event_id": lambda row: row.event.event_id,
        "event_type": lambda row: row.event.event_type,
    },
    Rejection: {
        "id": lambda row: str(row.pk),
        "received_at": lambda row: _moment(row.received_at),
        "endpoint": lambda row: row.endpoint.slug,
        "reason": lambda row: row.reason,
        "source": lambda row: row.source,
        "request_id": lambda row: row.request_id,
        "content_type": lambda row: row.content_type,
        "body_bytes": lambda row: row.body_bytes,
    },
    AuditEntry: {
        "id": lambda row: str(row.pk),
        "at": lambda row: _moment(row.at),
        "who": lambda row: row.who,
        "via": lambda row: row.via,
        "source": lambda row: row.source,
        "request_id": lambda row: row.request_id,
        "action": lambda row: row.action,
        "object_type": lambda row: row.object_type,
        "object_id": lambda row: row.object_id,
        "object_name": lambda row: row.object_name,
        "endpoint": lambda row: str(row.endpoint_id or ""),
        "message": lambda row: row.message,
        "before": lambda row: row.before,
        "after": lambda row: row.after,
    },
}


@dataclass(frozen=True)
class Format:
    """How a file is written: its name's ending, its media type, and what writes it."""

    key: str
    suffix: str
    content_type: str
    write: Callable[[QuerySet[Any], str], Iterator[str]]


def in_batches(rows: QuerySet[Any], column: str, *, size: int) -> Iterator[list[Any]]:
    """Yield ``rows`` from the newest by ``column`` to the oldest, up to `MOST_ROWS` and one more, each batch by itself.

    Between two batches nothing is open: neither a transaction nor a cursor waits for who reads slowly. What comes in
    after the beginning is not among them, as each batch begins where the one before ended.
    """
    ordered, left = rows.order_by(f"-{column}", "-pk"), MOST_ROWS + 1
    part = ordered
    while left > 0:
        batch = list(part[: min(size, left)])
        if not batch:
            return
        yield batch
        left -= len(batch)
        part = ordered.filter(Place(getattr(batch[-1], column), batch[-1].pk).older(column))


def as_csv(rows: QuerySet[Any], column: str) -> Iterator[str]:
    """Yield a CSV file of ``rows``: a line of names, one for each row, and one that says so where the file is cut."""
    columns = COLUMNS[rows.model]
    yield _csv_line(columns)
    for batch, beyond in _bounded(in_batches(rows, column, size=BATCH)):
        yield "".join(_csv_line(harmless(read(row)) for read in columns.values()) for row in batch)
        if beyond is not None:
            yield _csv_line([_cut(beyond, column)])


def as_jsonl(rows: QuerySet[Any], column: str) -> Iterator[str]:
    """Yield a line of JSON for each of ``rows``, and one with the field `CUT` where the file is cut."""
    return _jsonl(in_batches(rows, column, size=BATCH), COLUMNS[rows.model], column)


def as_jsonl_with_payloads(rows: QuerySet[Event], column: str) -> Iterator[str]:
    """Yield what `as_jsonl` does of events, with their payloads.

    A payload is null where a page would not show it: what a sensitive endpoint received, what is too large, what is no
    data, what is stored encrypted under a key that is lost. Credentials in it are masked.
    """
    batches = (_with_payloads(batch) for batch in in_batches(rows, column, size=PAYLOAD_BATCH))
    return _jsonl(batches, {**COLUMNS[Event], "payload": lambda row: row.exported}, column)


def _jsonl(batches: Iterable[list[Any]], columns: Columns, column: str) -> Iterator[str]:
    for batch, beyond in _bounded(batches):
        yield "".join(_json_line({name: read(row) for name, read in columns.items()}) for row in batch)
        if beyond is not None:
            yield _json_line({CUT: _cut(beyond, column)})


#: The formats of a file, by what the page calls them.
FORMATS: Mapping[str, Format] = {
    each.key: each
    for each in (
        Format("csv", "csv", "text/csv; charset=utf-8", as_csv),
        Format("jsonl", "jsonl", "application/jsonl", as_jsonl),
        Format("jsonl_payloads", "jsonl", "application/jsonl", as_jsonl_with_payloads),
    )
}


def formats_of(model: type[Model]) -> list[tuple[str, str]]:
    """Return the keys of the formats that rows of ``model`` can be written in, each with its name."""
    offered = [("csv", "CSV"), ("jsonl", "JSONL")]
    return [*offered, ("jsonl_payloads", "JSONL with payloads")] if model is Event else offered


def harmless(value: Any) -> str:
    """Return ``value`` as a cell that no spreadsheet takes for a formula: an apostrophe stands before what it might."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    elif isinstance(value, dict):
        value = json.dumps(value, default=str, ensure_ascii=False)
    text = "" if value is None else storable(str(value))
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _bounded(batches: Iterable[list[Any]]) -> Iterator[tuple[list[Any], Any]]:
    """Yield what of the batches is written, and with the last the first row that is not; else None."""
    left = MOST_ROWS
    for batch in batches:
        beyond = batch[left] if len(batch) > left else None
        yield batch[:left], beyond
        left -= len(batch)
        if beyond is not None:
            return


def _with_payloads(batch: list[Event]) -> list[Event]:
    wanted = [row.pk for row in batch if not row.hides_body and row.body_bytes <= PAYLOAD_BYTES]
    # Without what is sealed: a key that is lost would end the file.
    whole = Event.objects.select_related("endpoint", "batch").defer("sealed", "batch__sealed").in_bulk(wanted)
    for row in batch:
        row.exported = _payload(whole.get(row.pk))  # type: ignore[attr-defined]
    return batch


def _payload(row: Event | None) -> Any:
    try:
        return None if row is None else row.shown_payload
    except ImproperlyConfigured:
        return None


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cut(row: Any, column: str) -> str:
    at = _moment(getattr(row, column))
    return f"Cut after {MOST_ROWS} rows: for what is older choose a span of time that ends at {at}."


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _json_line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, default=str) + "\n"
