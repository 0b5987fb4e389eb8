"""Find events by a value in their payload: ``customer.id = cus_123``.

What is in the index (`deliveries.payload_index`) is found by it. Of the rest the database looks for the value's bytes
in the bodies as they came. Either way what is found is decoded and compared. Nobody finds what they would not be shown:
what sensitive endpoints received and what is stored encrypted is left out, and credentials are masked before that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import BinaryField, F, Func, IntegerField, Q, QuerySet, Value
from django.db.models.lookups import GreaterThan

from deliveries.models import Event

#: Bytes of bodies in no index that one page looks through.
LOOKED_THROUGH_BYTES = 64 * 1024 * 1024
#: Larger bodies are not looked through.
LARGEST_BYTES = 512 * 1024
_DECODED_AT_ONCE = 50


class NotASearch(ValueError):
    """The text does not say which field has which value; what it has to look like is the error's text."""


@dataclass(frozen=True)
class Wanted:
    """A field of the payload, by the names that lead to it, and its value as text."""

    path: tuple[str, ...]
    value: str

    @classmethod
    def read(cls, text: str) -> Wanted:
        """Return what ``customer.id = cus_123`` means; raises `NotASearch`. Quotes around the value are left out."""
        field, equals, value = text.partition("=")
        path, value = tuple(field.strip().split(".")), value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if not equals or not value or not all(path):
            raise NotASearch("Write a field of the payload and its value: customer.id = cus_123")
        return cls(path, value)

    def is_in(self, payload: Any) -> bool:
        """Return whether the field has the value. A name means any item of a list, a number one of them."""
        return any(text_of(found) == self.value for found in _at(payload, self.path))


class _Position(Func):
    """Where ``needle`` begins in ``raw_body``, from 1; 0 if it is not in it."""

    output_field = IntegerField()

    def __init__(self, needle: bytes) -> None:
        super().__init__(F("raw_body"), Value(needle, output_field=BinaryField()), function="instr")

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the call as PostgreSQL writes it: the other way round."""
        body, needle = self.get_source_expressions()
        sql, params = compiler.compile(body)
        sought, sought_params = compiler.compile(needle)
        return f"position({sought} in {sql})", (*sought_params, *params)


def candidates(rows: QuerySet[Event], wanted: Wanted) -> QuerySet[Event]:
    """Return those of ``rows`` in whose body the value's bytes are, in one of the forms that bodies have them in."""
    may_be = reduce(or_, (Q(GreaterThan(_Position(needle), 0)) for needle in needles(wanted.value)))
    return shown(rows).filter(may_be)


def shown(rows: QuerySet[Event]) -> QuerySet[Event]:
    """Return those of ``rows`` whose payload is looked at, and may be by anybody who sees the event."""
    return rows.filter(endpoint__sensitive=False, body_is_encrypted=False, body_bytes__lte=LARGEST_BYTES)


def matching(ids: Sequence[UUID], wanted: Wanted) -> Iterator[UUID]:
    """Yield those of the events ``ids``, in their order, whose payload as it is shown has the value."""
    for begin in range(0, len(ids), _DECODED_AT_ONCE):
        part = ids[begin : begin + _DECODED_AT_ONCE]
        events = Event.objects.select_related("endpoint", "batch").defer("sealed", "batch__sealed").in_bulk(part)
        yield from (pk for pk in part if pk in events and wanted.is_in(_shown(events[pk])))


def _shown(event: Event) -> Any:
    try:
        return event.shown_payload
    except ImproperlyConfigured:  # its batch is encrypted, under a key that is lost
        return None


def _at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        if path and path[0].isdecimal() and len(path[0]) < 10:
            yield from (found for item in value[int(path[0]) :][:1] for found in _at(item, path[1:]))
        yield from (found for item in value for found in _at(item, path))
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def text_of(value: Any) -> str:
    """Return a value of a payload as the text that it is compared as."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else json.dumps(value)  # the same, and most values that are no text


def needles(value: str) -> set[bytes]:
    """Return the value as it stands in JSON, with and without escapes, and in forms."""
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    escaped = json.dumps(value)[1:-1]
    in_json = {plain, escaped, plain.replace("/", "\\/"), escaped.replace("/", "\\/")}
    texts = in_json | {quote(value, safe=""), quote_plus(value)}
    return {text.encode("utf-8", "surrogatepass") for text in texts}
