"""The frozen values that cross a border: what came in, and what a handler is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

from django.utils.datastructures import CaseInsensitiveMapping

T = TypeVar("T")

# JSON as Python has it: dict, list, str, int, float (finite), bool or None.
Json = Any


@dataclass(frozen=True)
class InboundRequest:
    """One HTTP request as it came, before anything is believed of it.

    ``url`` is the public address as the provider knows it (``HUB_BASE_URL`` + path + query string), never the Host
    header. ``headers`` are case-insensitive; repeated ones are joined with "," as WSGI does. ``received_at`` is taken
    on arrival: timestamps are judged against it, so that queueing does not count.
    """

    method: str
    url: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    source: str = ""
    request_id: str = ""

    @property
    def content_type(self) -> str:
        """The media type alone, lower-case: ``application/json``."""
        return self.headers.get("Content-Type", "").split(";", 1)[0].strip().lower()

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query string's parameters; of a repeated one, the last. One of more than a thousand is read as none."""
        try:
            return dict(parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=1000))
        except ValueError:
            return {}


def case_insensitive(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``headers`` as an immutable mapping that ignores the case of names."""
    return CaseInsensitiveMapping(headers)


@dataclass(frozen=True)
class InboundEvent:
    """What a handler is given: one event, as it came.

    ``payload`` is the decoded body (JSON value, form fields) or None where the body is opaque; ``body`` are the raw
    bytes. ``headers`` are complete, credentials included: do not log them.
    """

    id: str
    endpoint: str
    provider: str
    verdict: str
    event_id: str
    event_type: str
    received_at: datetime
    content_type: str
    headers: Mapping[str, str]
    body: bytes
    payload: Json
    query_string: str = ""


class Journal(Protocol):
    """Where a `Context` writes: implemented by the runner, replaced by a recording one in tests."""

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        """Keep one log line on the attempt."""

    def once(self, key: str, run: Callable[[], Json]) -> Json:
        """Return the kept result of step ``key``, running it first if there is none."""

    async def aonce(self, key: str, run: Callable[[], Awaitable[Json]]) -> Json:
        """Do the same with a coroutine function."""

    def response(self, summary: Mapping[str, Any]) -> None:
        """Keep what an outside system answered, on the attempt."""


@dataclass(frozen=True)
class Context:
    """What a handler may use: its route's ``config``, and what is kept with the attempt.

    ``attempt`` counts from 1 over the delivery's whole life. ``timeout_seconds`` is the route's: when it is over, the
    handler is interrupted, between two lines of Python or at an ``await``. A call that waits outside Python (a socket
    without a timeout) cannot be interrupted and costs the whole worker process: give such calls a timeout.
    """

    config: Mapping[str, Any]
    delivery_id: str
    route: str
    attempt: int
    timeout_seconds: float
    journal: Journal = field(repr=False)

    def log(self, message: str, **fields: Any) -> None:
        """Keep ``message`` and plain values on the attempt, where the operator reads them."""
        self.journal.log(message, fields)

    def once(self, key: str, run: Callable[[], T]) -> T:
        """Return ``run()``, whose JSON value is kept: a retry or a replay gets the kept one and does not run it again.

        What comes back has been through JSON, also the first time: a tuple is a list. Raises `TypeError` if the value
        is not JSON, `ValueError` if it is larger than 1 MiB or ``key`` longer than 200 characters. A crash after
        ``run`` did its work and before the value is committed runs it again: pass ``key`` on as an idempotency key
        where the other side takes one.
        """
        result: T = self.journal.once(key, run)
        return result

    async def aonce(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """Do what `once` does with a coroutine function, in an ``async def`` handler."""
        result: T = await self.journal.aonce(key, run)
        return result

    def record_response(self, **summary: Any) -> None:
        """Keep a summary of what an outside system answered (status, headers, start of the body)."""
        self.journal.response(summary)


@dataclass(frozen=True)
class Sample:
    """An example request of a provider, still to be signed: for test events and the command line."""

    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
