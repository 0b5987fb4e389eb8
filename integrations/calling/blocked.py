"""Running a handler with every outside effect of its context blocked and noted: nothing is sent, nothing is kept.

What a handler does past its context (a client of its own, a query, a file) cannot be blocked: only handlers are run so
that say of themselves that they do nothing of the kind (``@handler(..., dry_run=True)``).
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, NoReturn
from uuid import UUID

import httpx

from integrations.calling.opening import StoredConnections, frame_of, spec_of
from integrations.connectors.batches import Batch, Item, Limits
from integrations.connectors.client import ANSWER_BYTES, HttpClient, shown_path
from integrations.connectors.exchange import Exchange
from integrations.connectors.http import Reply
from integrations.connectors.sent import record
from integrations.connectors.system import Sent, System
from integrations.connectors.unnamed import FreeGate, Unnamed
from integrations.contracts import Context, InboundEvent, Json
from integrations.errors import GiveUp
from integrations.flows.record import MemoryRecord
from integrations.handlers import Handler


@dataclass
class Blocked:
    """What a handler wanted to do: the ``calls`` that it would have made, and the events that it would have emitted.

    It is the `integrations.contracts.Journal` of the run, and keeps all in memory.
    """

    calls: list[dict[str, Any]] = field(default_factory=list)
    emitted: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    flow: MemoryRecord = field(default_factory=MemoryRecord)
    _steps: dict[str, Json] = field(default_factory=dict)

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        """Keep the message."""
        self.lines.append(message)

    def once(self, key: str, run: Callable[[], Json]) -> Json:
        """Run the step, and keep its result for the rest of the run."""
        if key not in self._steps:
            self._steps[key] = run()
        return self._steps[key]

    async def aonce(self, key: str, run: Callable[[], Awaitable[Json]]) -> Json:
        """Do the same with a coroutine function."""
        if key not in self._steps:
            self._steps[key] = await run()
        return self._steps[key]

    def response(self, summary: Mapping[str, Any]) -> None:
        """Forget it: nobody has answered."""

    def sent(self, call: Mapping[str, Any]) -> None:
        """Keep a call, without the status of an answer that nobody gave."""
        self.calls.append({name: value for name, value in call.items() if name != "status"})

    def emit(self, event_type: str, payload: Json, endpoint: str) -> None:
        """Keep an event; raises `TypeError` where its payload is not JSON."""
        copied = json.loads(json.dumps(payload, allow_nan=False))
        self.emitted.append({"endpoint": endpoint, "event_type": event_type, "payload": copied})


def run_blocked(handler: Handler, event: InboundEvent, context: Context, *, endpoint_id: UUID) -> Blocked:
    """Run ``handler`` and return what it wanted to do; raises what the handler raises, with ``context``'s journal kept.

    ``context.journal`` is a `Blocked`. Calls are answered with status 200 and what the handler's ``dry_run`` says.
    """
    answers = handler.dry_run if isinstance(handler.dry_run, Mapping) else {}
    blocked = replace(context, connections=_BlockedConnections(endpoint_id, answers=answers))
    result = handler.run(event, blocked)
    if inspect.isawaitable(result):
        asyncio.run(_awaited(result, seconds=context.timeout_seconds))
    assert isinstance(context.journal, Blocked)  # noqa: S101 - the caller has made it
    return context.journal


async def _awaited(result: Awaitable[Json], *, seconds: float) -> None:
    await asyncio.wait_for(result, timeout=seconds)


@dataclass(frozen=True)
class _BlockedConnections(StoredConnections):
    """The connections in the database, of which no client sends anything."""

    answers: Mapping[str, Json] = field(default_factory=dict, kw_only=True)

    def client(self, name: str, context: Context) -> HttpClient:
        frame = replace(frame_of(context, made=self.made, numbers=self.numbers), sleep=lambda _seconds: None)
        spec = spec_of(self._row(name))
        exchange = _Unsent(spec, ANSWER_BYTES, note=frame.sent, answers=self.answers)
        return HttpClient(spec, gate=FreeGate(), tokens=_NoTokens(), frame=frame, exchange=exchange)

    def system(self, name: str, context: Context) -> System:
        frame = frame_of(context, made=self.made, numbers=self.numbers)
        row = self._row(name)
        return _UnsentSystem(spec_of(row), identity=str(row.pk), gate=FreeGate(), frame=frame, batches=_NoBatches())

    def unnamed(self, unnamed: Unnamed, context: Context) -> System:
        frame = frame_of(context, made=self.made, numbers=self.numbers)
        return _UnsentSystem(unnamed.spec(), identity="", gate=FreeGate(), frame=frame, batches=_NoBatches())

    def send(self, request: httpx.Request, context: Context, *, seconds: float, kept_body_bytes: int) -> Reply:
        context.record_call(**record(request, request, None))
        return _reply({})


class _UnsentSystem(System):
    """Notes what would be sent, and has nothing done."""

    def call(self, what: str) -> NoReturn:
        raise GiveUp(f"{self.spec.name}: {what} cannot be shown, and is not done in a dry run")

    def tried(self, what: str, run: Callable[[float], Any], *, is_safe: bool, sent: Sent | None = None) -> Any:
        if sent is not None:
            request = self.shown(what, sent)
            self._frame.sent(record(request, request, self.spec))
        return {}


class _NoBatches:
    """Stands for the batches, in the database, of which nothing is written."""

    def bring(self, item: Item, *, limits: Limits, lease: timedelta, write: Callable[[Batch], None]) -> NoReturn:
        raise GiveUp("a batch is not written in a dry run")


@dataclass(frozen=True)
class _Unsent(Exchange):
    """Notes what would be sent, with the connection's proof on it, and answers itself."""

    answers: Mapping[str, Json] = field(default_factory=dict, kw_only=True)

    def send(self, request: httpx.Request, *, seconds: float, token: str = "") -> Reply:
        self.note(record(request, self._proven(request, token), self.spec))
        return _reply(self._answer(request))

    def _answer(self, request: httpx.Request) -> Json:
        below = request.url.path.removeprefix(httpx.URL(self.spec.base_url).path.rstrip("/"))
        call = f"{request.method} {shown_path(below.lstrip('/'))}"
        return next((answer for pattern, answer in self.answers.items() if fnmatchcase(call, pattern)), {})


class _NoTokens:
    """Stands for access tokens, of which none is fetched."""

    def current(self, seconds: float) -> str:
        return "not-fetched-in-a-dry-run"

    def refused(self, token: str) -> None:
        return None


def _reply(answer: Json) -> Reply:
    content = json.dumps(answer).encode()
    return Reply(200, httpx.Headers({"Content-Type": "application/json"}), content, is_whole=True, seconds=0.0)
