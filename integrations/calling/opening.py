"""From a connection's name to a client that calls it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import Q

from integrations.calling.batching import StoredBatches
from integrations.calling.gate import SharedGate
from integrations.calling.running import StoredRuns
from integrations.calling.tokens import SharedTokens
from integrations.connectors.answers import Answer
from integrations.connectors.client import ANSWER_BYTES, Frame, Gate, HttpClient
from integrations.connectors.exchange import Exchange
from integrations.connectors.http import Reply, shown
from integrations.connectors.kinds import is_http
from integrations.connectors.proving import needs_token
from integrations.connectors.reach import networks_of
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import System
from integrations.connectors.tries import Tries
from integrations.connectors.unnamed import Unnamed, address_client, unnamed_system
from integrations.contracts import Context
from integrations.errors import ConnectionMissing, ReferenceMissing
from integrations.models import Connection

#: Left of the attempt's time for recording how it ended.
_RESERVE_SECONDS = 1.0
MakeExchange = Callable[[ConnectionSpec, int], Exchange]


def spec_of(connection: Connection) -> ConnectionSpec:
    """Return what a client has to know; raises `ConnectionMissing` if a credential cannot be had."""
    try:
        credentials = connection.resolved()
    except (ReferenceMissing, ImproperlyConfigured) as exc:
        raise ConnectionMissing(f"The credentials of the connection {connection.name!r} cannot be had: {exc}") from None
    return ConnectionSpec(
        name=connection.name,
        base_url=connection.base_url,
        kind=connection.kind,
        auth=connection.auth,
        auth_settings=connection.auth_settings,
        credentials=credentials,
        headers=connection.headers,
        connect_timeout=connection.connect_timeout_seconds,
        read_timeout=connection.read_timeout_seconds,
        timeout=connection.timeout_seconds,
        tries=Tries.from_json(connection.retry),
        allow=networks_of(connection.egress),
        proxy=connection.proxy,
        follow_redirects=connection.follow_redirects,
        idempotency_header=connection.idempotency_header,
        kept_response_bytes=connection.kept_response_bytes,
    )


def client_for(
    connection: Connection,
    frame: Frame,
    *,
    make_exchange: MakeExchange = Exchange,
    gate: Gate | None = None,
    tries: Tries | None = None,
) -> HttpClient:
    """Return a client of ``connection`` that takes time, keys and a place for its answers from ``frame``.

    ``gate`` and ``tries`` take the place of the connection's own. Raises `ConnectionMissing`.
    """
    if not is_http(connection.kind):
        raise ConnectionMissing(f"The connection {connection.name!r} is of kind {connection.kind!r}, and not HTTP.")
    spec = spec_of(connection)
    if tries is not None:
        spec = replace(spec, tries=tries)
    exchange = make_exchange(spec, ANSWER_BYTES)
    tokens: Any = SharedTokens(connection, spec, exchange) if needs_token(spec) else None
    noting = replace(exchange, note=frame.sent)  # the tokens' own calls stay apart: they carry nothing but secrets
    gate, runs = gate or SharedGate(connection), StoredRuns(str(connection.pk))
    return HttpClient(spec, gate=gate, tokens=tokens, frame=frame, exchange=noting, runs=runs)


def system_for(connection: Connection, frame: Frame, *, gate: Gate | None = None, tries: Tries | None = None) -> System:
    """Return ``connection``, of another kind than HTTP, behind the gate of all workers; raises `ConnectionMissing`.

    ``gate`` and ``tries`` take the place of the connection's own.
    """
    if is_http(connection.kind):
        raise ConnectionMissing(f"The connection {connection.name!r} is of kind {connection.kind!r}.")
    spec = spec_of(connection)
    if tries is not None:
        spec = replace(spec, tries=tries)
    gate = gate or SharedGate(connection)
    return System(spec, identity=str(connection.pk), gate=gate, frame=frame, batches=StoredBatches())


@dataclass(frozen=True)
class StoredConnections:
    """The `integrations.contracts.Connections` of running hubs: those in the database.

    One that belongs to a group is for the endpoints of that group; ``endpoint_id`` says for which endpoint is called.
    One for each attempt: ``made`` are the calls that it has made, ``numbers`` counts those that carry a key.
    """

    endpoint_id: UUID
    make_exchange: MakeExchange = field(default=Exchange)
    made: list[str] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)

    def client(self, name: str, context: Context) -> HttpClient:
        """Return a client for one attempt; raises `ConnectionMissing`."""
        connection = self._row(name)
        frame = frame_of(context, made=self.made, numbers=self.numbers)
        return client_for(connection, frame, make_exchange=self.make_exchange)

    def system(self, name: str, context: Context) -> System:
        """Return a connection of another kind than HTTP, for one attempt; raises `ConnectionMissing`."""
        connection = self._row(name)
        return system_for(connection, frame_of(context, made=self.made, numbers=self.numbers))

    def outside(self, name: str, context: Context) -> HttpClient | System:
        """Return a connection of any kind, for one attempt; raises `ConnectionMissing`."""
        return self.client(name, context) if is_http(self._row(name).kind) else self.system(name, context)

    def async_client(self, name: str, context: Context) -> AsyncHttpClient:
        """Return the same for ``async def`` handlers; whether there is such a connection shows at the first call."""
        return AsyncHttpClient(lambda: self.client(name, context))

    def unnamed(self, unnamed: Unnamed, context: Context) -> System:
        """Return an outside system that there is no connection for, behind a gate that all workers share."""
        frame = frame_of(context, made=self.made, numbers=self.numbers)
        return unnamed_system(unnamed, gate=SharedGate(unnamed), frame=frame)

    def send(self, request: httpx.Request, context: Context, *, seconds: float, kept_body_bytes: int) -> Reply:
        """Send a request to an address without a connection; the route has a gate of its own for each host."""
        place = shown(request.url)
        # Not the host alone: behind one there can be many systems, and routes of others.
        parts = (str(self.endpoint_id), context.route, place)
        client = address_client(
            request,
            gate=SharedGate(Unnamed("address", f"{place} ({context.route})", parts)),
            frame=frame_of(context, made=self.made, numbers=self.numbers),
            seconds=seconds,
            kept_body_bytes=kept_body_bytes,
            allow=tuple(settings.HUB_EGRESS_ALLOW),
        )
        return client.send(request)

    def _row(self, name: str) -> Connection:
        for_this = Q(group=None) | Q(group__endpoints=self.endpoint_id)
        connection = Connection.objects.live().filter(for_this, name=name).first()
        if connection is None:
            raise ConnectionMissing(f"There is no connection {name!r}.")
        return connection


class AsyncHttpClient:
    """An `HttpClient` whose calls are awaited: each runs in a thread of its own while the event loop goes on."""

    def __init__(self, make: Callable[[], HttpClient]) -> None:
        self._make = make
        self._client: HttpClient | None = None
        self._lock = asyncio.Lock()

    async def get(self, path: str = "", **options: Any) -> Answer:
        """Make a GET; ``options`` are those of `HttpClient.request`."""
        return await self.request("GET", path, **options)

    async def head(self, path: str = "", **options: Any) -> Answer:
        """Make a HEAD."""
        return await self.request("HEAD", path, **options)

    async def post(self, path: str = "", **options: Any) -> Answer:
        """Make a POST."""
        return await self.request("POST", path, **options)

    async def put(self, path: str = "", **options: Any) -> Answer:
        """Make a PUT."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str = "", **options: Any) -> Answer:
        """Make a PATCH."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str = "", **options: Any) -> Answer:
        """Make a DELETE."""
        return await self.request("DELETE", path, **options)

    async def request(self, method: str, path: str = "", **options: Any) -> Answer:
        """Do what `HttpClient.request` does; calls of one client are made one after the other."""
        async with self._lock:
            return await asyncio.to_thread(self._call, method, path, options)

    def _call(self, method: str, path: str, options: dict[str, Any]) -> Answer:
        try:
            self._client = self._client or self._make()
            return self._client.request(method, path, **options)
        finally:
            connections.close_all()


def frame_of(context: Context, *, made: list[str], numbers: Counter[str]) -> Frame:
    """Return what a client takes from an attempt; ``made`` and ``numbers`` are where its calls are noted."""
    reserve = min(_RESERVE_SECONDS, context.timeout_seconds / 10)

    def left() -> float:
        return (context.deadline - datetime.now(UTC)).total_seconds() - reserve

    return Frame(
        left=left,
        key=context.idempotency_key_for,
        record=lambda summary: context.record_response(**summary),
        made=made,
        numbers=numbers,
        sent=lambda call: context.record_call(**call),
    )
