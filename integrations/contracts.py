"""The frozen values that cross a border: what came in, and what a handler is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, ItemsView, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID, uuid5

from django.utils.datastructures import CaseInsensitiveMapping

from integrations.errors import ConnectionMissing

if TYPE_CHECKING:
    import httpx

    from integrations.calling.opening import AsyncHttpClient
    from integrations.connectors.client import HttpClient
    from integrations.connectors.http import Reply
    from integrations.connectors.system import System
    from integrations.connectors.unnamed import Unnamed
    from integrations.flows.record import FlowRecord

T = TypeVar("T")

# JSON as Python has it: dict, list, str, int, float (finite), bool or None.
Json = Any

_step: ContextVar[str] = ContextVar("step", default="")
_flow_step: ContextVar[str] = ContextVar("flow_step", default="")


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

    @cached_property
    def content_type(self) -> str:
        """The media type alone, lower-case: ``application/json``."""
        return self.headers.get("Content-Type", "").split(";", 1)[0].strip().lower()

    def with_body(self, body: bytes) -> InboundRequest:
        """Return the request with its body; what `dataclasses.replace` does, in a tenth of the time."""
        whole = object.__new__(InboundRequest)
        whole.__dict__.update(self.__dict__, body=body)
        return whole

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query string's parameters; of a repeated one, the last. One of more than a thousand is read as none."""
        try:
            return dict(parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=1000))
        except ValueError:
            return {}


class _Headers(CaseInsensitiveMapping[str]):
    """Django's mapping, whose inherited methods go through several others for each name."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._store = {name.lower(): (name, value) for name, value in headers.items()}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._store

    def get(self, name: str, default: Any = None) -> Any:
        found = self._store.get(name.lower())
        return default if found is None else found[1]

    def items(self) -> ItemsView[str, str]:
        return dict(self._store.values()).items()


def case_insensitive(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``headers`` as an immutable mapping that ignores the case of names."""
    return _Headers(headers)


@dataclass(frozen=True)
class InboundEvent:
    """What a handler is given: one event, as it came.

    ``payload`` is the decoded body (JSON value, form fields) or None where the body is opaque; ``body`` are the raw
    bytes. ``headers`` are complete, credentials included: do not log them. In a step of a flow, ``steps`` are the
    outputs of the steps before, by name, None for one that was skipped; outside of flows it is None.
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
    steps: Mapping[str, Json] | None = None


class Journal(Protocol):
    """Where a `Context` writes: implemented by the runner, replaced by a recording one in tests."""

    @property
    def flow(self) -> FlowRecord:
        """What is kept of the steps of the delivery's flow."""

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        """Keep one log line on the attempt."""

    def once(self, key: str, run: Callable[[], Json]) -> Json:
        """Return the kept result of step ``key``, running it first if there is none."""

    async def aonce(self, key: str, run: Callable[[], Awaitable[Json]]) -> Json:
        """Do the same with a coroutine function."""

    def response(self, summary: Mapping[str, Any]) -> None:
        """Keep what an outside system answered, on the attempt."""

    def sent(self, call: Mapping[str, Any]) -> None:
        """Keep a call of an outside system, with what was sent, on the attempt."""

    def emit(self, event_type: str, payload: Json, endpoint: str) -> None:
        """Keep an event, to be stored as the delivery succeeds."""


class Connections(Protocol):
    """Where a `Context` gets its clients from: the database, or a recording one in tests."""

    def client(self, name: str, context: Context) -> HttpClient:
        """Return a client of the connection ``name``; raises `ConnectionMissing`."""

    def async_client(self, name: str, context: Context) -> AsyncHttpClient:
        """Return the same for coroutines."""

    def system(self, name: str, context: Context) -> System:
        """Return a connection of another kind than HTTP; raises `ConnectionMissing`."""

    def outside(self, name: str, context: Context) -> HttpClient | System:
        """Return a connection of any kind; raises `ConnectionMissing`."""

    def unnamed(self, unnamed: Unnamed, context: Context) -> System:
        """Return an outside system that there is no connection for."""

    def send(self, request: httpx.Request, context: Context, *, seconds: float, kept_body_bytes: int) -> Reply:
        """Send a request to an address without a connection, and keep what was sent."""


class NoConnections:
    """The `Connections` of a context that was made without any."""

    def client(self, name: str, context: Context) -> HttpClient:
        """Raise `ConnectionMissing`."""
        raise ConnectionMissing(f"There is no connection {name!r}.")

    def async_client(self, name: str, context: Context) -> AsyncHttpClient:
        """Raise `ConnectionMissing`."""
        raise ConnectionMissing(f"There is no connection {name!r}.")

    def system(self, name: str, context: Context) -> System:
        """Raise `ConnectionMissing`."""
        raise ConnectionMissing(f"There is no connection {name!r}.")

    def outside(self, name: str, context: Context) -> HttpClient | System:
        """Raise `ConnectionMissing`."""
        raise ConnectionMissing(f"There is no connection {name!r}.")

    def unnamed(self, unnamed: Unnamed, context: Context) -> System:
        """Return it, behind no circuit."""
        from integrations.connectors.unnamed import FreeGate, frame_without_deadline, unnamed_system

        return unnamed_system(unnamed, gate=FreeGate(), frame=frame_without_deadline(context))

    def send(self, request: httpx.Request, context: Context, *, seconds: float, kept_body_bytes: int) -> Reply:
        """Send it: that needs no connection, and asks no circuit."""
        from integrations.connectors.http import send_once
        from integrations.connectors.sent import noted

        with noted(context.journal.sent, request, request, None) as call:
            reply = send_once(request, seconds=seconds, kept_body_bytes=kept_body_bytes)
            call.status = reply.status
        return reply


@dataclass(frozen=True)
class Context:
    """What a handler may use: its route's ``config``, and what is kept with the attempt.

    ``attempt`` counts from 1 over the delivery's whole life. ``timeout_seconds`` is the route's, ``deadline`` the
    moment (with a time zone) at which they are over: then the handler is interrupted, between two lines of Python or
    at an ``await``. A call that waits outside Python (a socket without a timeout) cannot be interrupted and costs the
    whole worker process: give such calls a timeout.

    ``idempotency_key`` is for outside systems that take one, so that they act once: a UUID that is the same at every
    attempt, takeover and replay of the delivery, and another one after a replay from the start.
    """

    config: Mapping[str, Any]
    delivery_id: str
    idempotency_key: str
    route: str
    attempt: int
    timeout_seconds: float
    deadline: datetime
    journal: Journal = field(repr=False)
    connections: Connections = field(default_factory=NoConnections, repr=False)

    def http(self, connection: str) -> HttpClient:
        """Return the client of a connection, by its name: paths below its base URL, its credentials, its limits.

        Raises `ConnectionMissing`; what calls raise says
        `integrations.connectors.client.HttpClient.request`.
        """
        return self.connections.client(connection, self)

    def ahttp(self, connection: str) -> AsyncHttpClient:
        """Return the same client with methods to be awaited, for an ``async def`` handler."""
        return self.connections.async_client(connection, self)

    def system(self, connection: str) -> System:
        """Return a connection of another kind than HTTP, such as ``redis``, for the connectors that speak with it.

        Raises `ConnectionMissing`.
        """
        return self.connections.system(connection, self)

    def outside(self, connection: str) -> HttpClient | System:
        """Return a connection by its name, whatever its kind: what `http` or `system` returns.

        Raises `ConnectionMissing`.
        """
        return self.connections.outside(connection, self)

    def send(self, request: httpx.Request, *, seconds: float, kept_body_bytes: int = 64 * 1024) -> Reply:
        """Send a request to an address of which there is no connection, once, and return the answer.

        The address is guarded by ``HUB_EGRESS_ALLOW``, no redirect is followed, nothing is tried again within the
        attempt. The route's calls of the host have a circuit, which all workers share. What was sent is kept
        (`record_call`). Raises what `http` clients raise: `NotCalled`, `RetryLater` for a long wait that is asked for,
        `CallFailed` and the like. Not to be called from a coroutine, which has `ahttp`.
        """
        return self.connections.send(request, self, seconds=seconds, kept_body_bytes=kept_body_bytes)

    def unnamed(self, unnamed: Unnamed) -> System:
        """Return an outside system that is reached by something else than a connection, such as a setting.

        It is behind a circuit that all workers share, and what is sent to it is kept, as with a connection.
        """
        return self.connections.unnamed(unnamed, self)

    def log(self, message: str, **fields: Any) -> None:
        """Keep ``message`` and plain values on the attempt, where the operator reads them."""
        self.journal.log(message, fields)

    def once(self, key: str, run: Callable[[], T]) -> T:
        """Return ``run()``, JSON or bytes, which is kept at once: a retry or a replay does not run it again.

        What comes back has been through JSON, also the first time: a tuple is a list. Raises `TypeError` if the value
        is neither JSON nor bytes, `ValueError` if it is larger than 1 MiB or ``key`` longer than 200 characters,
        `RuntimeError` inside an open transaction, whose rollback would undo the step and not the kept result, and
        `AttemptLost`, before it runs anything, where another worker has taken the delivery over. A crash after ``run``
        did its work and before the value is committed runs it again: hand `idempotency_key_for` (``key``) to the other
        side if it takes one.
        """

        def within_step() -> T:
            with _within(key):
                return run()

        result: T = self.journal.once(key, within_step)
        return result

    async def aonce(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """Do what `once` does with a coroutine function, in an ``async def`` handler."""

        async def within_step() -> T:
            with _within(key):
                return await run()

        result: T = await self.journal.aonce(key, within_step)
        return result

    def idempotency_key_for(self, step: str) -> str:
        """Return a UUID that stays the same as `idempotency_key` does, for one step of several."""
        return str(uuid5(UUID(self.idempotency_key), step))

    def emit(self, event_type: str, payload: Json, *, endpoint: str = "") -> None:
        """Make a follow-up event, stored with its deliveries in the transaction in which this delivery succeeds.

        If the attempt fails, or another worker has taken over, there is none. A replay that emits the same again makes
        no second one, unless it is one from the start. ``endpoint`` is the slug of an endpoint of preset ``internal``,
        "" the event's own. The event's verdict is ``internal``. Raises `TypeError` if ``payload`` is not JSON,
        `ValueError` for a type that is empty or longer than 255 characters and for what goes beyond 100 events or
        4 MiB in an attempt. That there is no such endpoint, or that it is the end of a chain of 16 events each of which
        a handler made of the one before, fails the attempt after the handler has returned.
        """
        self.journal.emit(event_type, payload, endpoint)

    def record_response(self, **summary: Any) -> None:
        """Keep a summary of what an outside system answered (status, headers, start of the body)."""
        self.journal.response(summary)

    def record_call(self, **call: Any) -> None:
        """Keep what was sent to an outside system, encrypted, beside the other calls of the attempt.

        Clients of `http` do so themselves. ``method``, ``url``, ``headers``, ``body`` (a text) and ``status`` have
        their places on pages; a dry run compares method, url and body. Leave out what is a credential.
        """
        self.journal.sent(call)


def current_step() -> str:
    """Return the key of the step that `Context.once` or `Context.aonce` runs here, the inner of two; "" outside.

    In a step of a flow its name stands before that: the steps of a flow may use the same keys.
    """
    return "/".join(name for name in (_flow_step.get(), _step.get()) if name)


@contextmanager
def within_flow_step(name: str) -> Iterator[None]:
    """Run what is inside as the step ``name`` of a flow."""
    token = _flow_step.set(name)
    try:
        yield
    finally:
        _flow_step.reset(token)


@contextmanager
def _within(key: str) -> Iterator[None]:
    token = _step.set(key)
    try:
        yield
    finally:
        _step.reset(token)


@dataclass(frozen=True)
class Sample:
    """An example request of a provider, still to be signed: for test events and the command line."""

    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
