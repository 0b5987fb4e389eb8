"""Outside systems of a test, behind the fixture ``connections``: everything is the hub's own but the network."""

from __future__ import annotations

import json as json_library
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NoReturn
from urllib.parse import parse_qsl
from uuid import UUID

import httpx

from integrations.calling.opening import StoredConnections
from integrations.connectors.client import HttpClient
from integrations.connectors.exchange import Exchange
from integrations.connectors.http import CallFailed, Reply
from integrations.connectors.sent import noted
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import Sent as SentToSystem
from integrations.connectors.system import System, SystemFailed
from integrations.contracts import Context
from integrations.errors import ConnectionMissing, GiveUp
from integrations.models import Connection

#: As short as they can be: a test does not wait.
_RETRY = {"max_attempts": 3, "initial_seconds": 0.001, "max_seconds": 0.01}


class UnexpectedCall(GiveUp):
    """A handler made a call that the test has no answer for."""


@dataclass(frozen=True)
class Sent:
    """One call as it went out, proof and idempotency key included; ``path`` begins below the base URL."""

    connection: str
    method: str
    path: str
    params: Mapping[str, str]
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)

    @cached_property
    def json(self) -> Any:
        """The body's JSON value; raises `ValueError` if it is none."""
        return json_library.loads(self.content)

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of a form that was sent."""
        return dict(parse_qsl(self.content.decode(), keep_blank_values=True))

    @property
    def idempotency_key(self) -> str:
        """The key of the call, "" if it carries none."""
        return str(self.headers.get("Idempotency-Key", ""))

    def __str__(self) -> str:
        return f"{self.connection}: {self.method} {self.path}"


@dataclass(frozen=True)
class _Planned:
    connection: str
    method: str
    path: str
    reply: Reply | CallFailed

    def fits(self, sent: Sent) -> bool:
        return (self.connection, self.method) == (sent.connection, sent.method) and fnmatchcase(sent.path, self.path)


class FakeConnections:
    """Answers what handlers ask of connections, and keeps what they ``sent``.

    The connections are rows, the client is the hub's own: tries, keys, rate and circuit are as they are outside tests.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.unexpected: list[str] = []
        self._planned: list[_Planned] = []

    def connection(self, name: str, **values: Any) -> Connection:
        """Return the connection of that name, made if need be: ``values`` are its fields, such as ``auth``.

        One of another kind than HTTP needs its ``kind`` and ``base_url``.
        """
        row = Connection.objects.live().filter(name=name).first()
        if row is None:
            usual = {"base_url": f"https://{name}.example.com", "idempotency_header": "Idempotency-Key"}
            row = Connection(name=name, **{**usual, "retry": _RETRY, **values})
        for field_name, value in values.items():
            setattr(row, field_name, value)
        row.full_clean()
        row.save()
        return row

    def answer(
        self,
        connection: str,
        method: str,
        path: str,
        *,
        status: int = 200,
        json: Any = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer calls of ``path``, in which ``*`` stands for anything.

        Of another kind than HTTP, ``method`` and ``path`` are what attempts name, such as ``XADD`` and ``orders``, and
        ``json`` is what came of it.
        Several answers to the same are given one after the other, and the last again and again.
        """
        self.connection(connection)
        body = content if json is None else json_library.dumps(json).encode()
        kind = {} if json is None else {"Content-Type": "application/json"}
        reply = Reply(status, httpx.Headers({**kind, **(headers or {})}), body, is_whole=True, seconds=0.0)
        self._planned.append(_Planned(connection, method.upper(), _below(path), reply))

    def fail(self, connection: str, method: str, path: str) -> None:
        """Leave a call without an answer, as `answer` gives one: the handler gets `CallFailed`."""
        self.connection(connection)
        failure = CallFailed(f"{connection} broke off, as the test wants it")
        self._planned.append(_Planned(connection, method.upper(), _below(path), failure))

    def check(self) -> None:
        """Raise `AssertionError` if a handler made a call without an answer; the fixture does so at the end."""
        if self.unexpected:
            answers = ", ".join(f"{item.connection}: {item.method} {item.path}" for item in self._planned) or "none"
            raise AssertionError(
                f"Handlers called what the test does not answer: {', '.join(self.unexpected)}. "
                f"There are connections.answer(...) to: {answers}."
            )

    def for_endpoint(self, endpoint_id: UUID) -> StoredConnections:
        """Return what the worker gives the handlers of an endpoint."""
        return _Watched(endpoint_id, make_exchange=self._exchange, fake=self)

    def reply(self, sent: Sent) -> Reply:
        """Keep a call and return its answer; raises `CallFailed` and `UnexpectedCall`."""
        self.sent.append(sent)
        fitting = [item for item in self._planned if item.fits(sent)]
        if not fitting:
            self.unexpected.append(str(sent))
            raise UnexpectedCall(f"{sent} is a call that the test has no answer for")
        if len([item for item in fitting if item.path == fitting[0].path]) > 1:
            self._planned.remove(fitting[0])
        if isinstance(fitting[0].reply, CallFailed):
            raise fitting[0].reply
        return fitting[0].reply

    def _exchange(self, spec: ConnectionSpec, answer_bytes: int) -> Exchange:
        return _FakeExchange(spec, answer_bytes, fake=self)


@dataclass(frozen=True)
class _Watched(StoredConnections):
    fake: FakeConnections = field(kw_only=True)

    def client(self, name: str, context: Context) -> HttpClient:
        try:
            return super().client(name, context)
        except ConnectionMissing:
            self.fake.unexpected.append(name)
            raise

    def system(self, name: str, context: Context) -> System:
        try:
            found = super().system(name, context)
        except ConnectionMissing:
            self.fake.unexpected.append(name)
            raise
        return _FakeSystem(found, self.fake)


class _FakeSystem(System):
    """Sends nothing: what it would send is kept, and the answer is the test's."""

    def __init__(self, real: System, fake: FakeConnections) -> None:
        vars(self).update(vars(real))
        self._fake = fake

    def call(self, what: str) -> NoReturn:
        self._fake.unexpected.append(f"{self.spec.name}: {what}")
        raise UnexpectedCall(f"{self.spec.name}: {what} is a call that no test can answer")

    def tried(self, what: str, run: Callable[[float], Any], *, is_safe: bool, sent: SentToSystem | None = None) -> Any:
        del run, is_safe
        method, _, path = what.partition(" ")
        sent = sent or SentToSystem(b"", {})
        request = self.shown(what, sent)
        with super().call(what), noted(self._frame.sent, request, request, self.spec):
            try:
                call = Sent(self.spec.name, method, _below(path), {}, request.headers, sent.body)
                reply = self._fake.reply(call)
            except CallFailed as exc:
                raise SystemFailed(str(exc)) from None
        return json_library.loads(reply.body)


@dataclass(frozen=True)
class _FakeExchange(Exchange):
    fake: FakeConnections = field(kw_only=True)

    def send(self, request: httpx.Request, *, seconds: float, token: str = "") -> Reply:
        del seconds  # the answer is there at once
        if self.spec.auth_settings.get("token_url") == str(request.url):
            body = b'{"access_token": "a-token-of-the-test"}'
            return Reply(200, httpx.Headers(), body, is_whole=True, seconds=0.0)
        proven = self._proven(request, token)
        with noted(self.note, request, proven, self.spec) as call:
            reply = self._answered(proven)
            call.status = reply.status
        return reply

    def _answered(self, proven: httpx.Request) -> Reply:
        base = httpx.URL(self.spec.base_url).path.rstrip("/")
        path = _below(proven.url.path.removeprefix(base))
        params = dict(proven.url.params)
        return self.fake.reply(Sent(self.spec.name, proven.method, path, params, proven.headers, proven.content))


def _below(path: str) -> str:
    return f"/{path.lstrip('/')}"
