"""The client behind ``context.http(name)``: one outside system, called for one attempt of a delivery.

What it may do twice, how long it waits and when it does not call at all is decided here; what all workers share (the
rate, the circuit, tokens) is behind `Gate` and `Tokens`.
"""

from __future__ import annotations

import json as json_library
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from integrations.connectors.addresses import join
from integrations.connectors.answers import Answer, summary
from integrations.connectors.exchange import Exchange
from integrations.connectors.headers import HOP_BY_HOP
from integrations.connectors.http import CallFailed, CallImpossible, Reply
from integrations.connectors.proving import needs_token
from integrations.connectors.runs import LonelyRuns, Runs
from integrations.connectors.sent import Note, nowhere
from integrations.connectors.spec import ConnectionSpec, spellings
from integrations.connectors.waits import Budget, budget, is_for_now, retry_after
from integrations.contracts import current_step
from integrations.errors import GiveUp, HubError, NotCalled, RetryLater

#: An answer that is longer is an error: a handler gets the whole or nothing.
ANSWER_BYTES = 10 * 1024 * 1024

#: Methods that do the same when they are done twice (RFC 9110, section 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
#: What says that nothing was done: these may be tried again whatever the method.
_NOT_DONE = frozenset({425, 429})
_METHODS = frozenset({*_IDEMPOTENT, "POST", "PATCH"})


_NO_REPLY = Reply(0, httpx.Headers(), b"", is_whole=False, seconds=0.0)


class Gate(Protocol):
    """What all workers share about one connection."""

    def enter(self) -> float:
        """Take a place; return how many seconds to wait before the call. Raises `NotCalled`."""

    def answered(self, status: int, *, told: Budget | None, wait: timedelta | None) -> None:
        """Note an answer: what it says of calls to come, and whether the system is well."""

    def failed(self, text: str) -> None:
        """Note that there was no answer."""


class Tokens(Protocol):
    """Access tokens, fetched once for all workers."""

    def current(self, seconds: float) -> str:
        """Return a token, fetching one within ``seconds`` if need be; raises `CallFailed` or `GiveUp`."""

    def refused(self, token: str) -> None:
        """Note that the system does not take ``token`` any more."""


class AnswerTooLarge(HubError):
    """An answer has more bytes than a handler is given."""


class OutOfTime(HubError):
    """The attempt has no time left for another call."""


@dataclass(frozen=True)
class Frame:
    """What a client takes from the attempt it works for.

    ``left`` returns the seconds until the attempt's deadline, ``key`` the idempotency key of a named call, ``record``
    keeps the summary of an answer, ``sent`` what was sent. ``made`` are the calls that the attempt has made, by
    whichever client: once there is one, the attempt counts, whatever comes. ``numbers`` counts, also by whichever
    client, the calls that carry a key.
    """

    left: Callable[[], float]
    key: Callable[[str], str]
    record: Callable[[Mapping[str, Any]], None]
    sleep: Callable[[float], None] = time.sleep
    sent: Note = nowhere
    made: list[str] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)


class _TryAgain(Exception):
    """A try that may be followed by another: ``reply`` asks for it, or there was only an ``error``."""

    def __init__(self, reply: Reply, *, error: CallFailed | None = None, wait: float = 0.0) -> None:
        super().__init__()
        self.reply, self.error, self.wait = reply, error, wait


def entered(gate: Gate, frame: Frame, *, call: str, seconds: float) -> float:
    """Wait for a place; return the time that the call may take, ``seconds`` at most.

    Raises `RetryLater` (`NotCalled` if the attempt has called nothing yet) and `OutOfTime`.
    """
    try:
        wait = gate.enter()
    except NotCalled as exc:
        if frame.made:  # else a delivery that opens the circuit itself would never come to an end
            raise RetryLater(exc.after, str(exc)) from None
        raise
    if wait > 0:
        frame.sleep(wait)
    left = frame.left()
    if left <= 0:
        raise OutOfTime(f"{call}: the attempt has no time left")
    return min(seconds, left)


class HttpClient:
    """Calls paths below one connection's base URL; not to be shared between threads."""

    def __init__(
        self,
        spec: ConnectionSpec,
        *,
        gate: Gate,
        tokens: Tokens,
        frame: Frame,
        exchange: Exchange,
        runs: Runs | None = None,
    ) -> None:
        #: What workers agree on who have the system begin something that serves many deliveries.
        self.runs = runs or LonelyRuns()
        self._spec = spec
        self._gate = gate
        self._tokens = tokens
        self._frame = frame
        self._exchange = exchange
        self._token = ""

    @property
    def kind(self) -> str:
        """The connection's kind, such as ``http``."""
        return self._spec.kind

    @property
    def base_url(self) -> str:
        """Where the connection leads to."""
        return self._spec.base_url

    def get(self, path: str = "", **options: Any) -> Answer:
        """Make a GET; ``options`` are those of `request`."""
        return self.request("GET", path, **options)

    def head(self, path: str = "", **options: Any) -> Answer:
        """Make a HEAD."""
        return self.request("HEAD", path, **options)

    def post(self, path: str = "", **options: Any) -> Answer:
        """Make a POST."""
        return self.request("POST", path, **options)

    def put(self, path: str = "", **options: Any) -> Answer:
        """Make a PUT."""
        return self.request("PUT", path, **options)

    def patch(self, path: str = "", **options: Any) -> Answer:
        """Make a PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str = "", **options: Any) -> Answer:
        """Make a DELETE."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str = "",
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        content: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str = "",
    ) -> Answer:
        """Call ``path`` below the base URL; return the answer, whatever its status.

        Of ``json``, ``data`` (a form) and ``content`` at most one. Where the connection names a header for it, a call
        that changes something carries an idempotency key: the same at each attempt of the delivery for the n-th call
        of this method and path, counted within each step (`Context.once`) and outside of all, so that a step that is
        not run again shifts no number. ``idempotency_key`` takes its place, and is sent in any case.

        Tried again, as the connection says, are connection errors, 408, 425, 429 and 5xx, where the method or the key
        makes that safe. Raises `NotCalled` (the delivery waits, no attempt is spent) if the circuit is open or the
        rate used up; `RetryLater` if the answer wants a longer wait than this attempt has time for; `CallFailed` if
        there was no answer; `EgressRefused`, `AddressRefused`, `CallImpossible`; `AnswerTooLarge`; `OutOfTime`.
        """
        method = method.upper()
        call = f"{self._spec.name}: {method} {shown_path(path)}"
        if method not in _METHODS:
            raise CallImpossible(f"{call}: there is no such method")
        body, kind = _body(json=json, data=data, content=content, call=call)
        own = self._headers(headers or {}, kind, call)
        header = self._spec.idempotency_header or ("Idempotency-Key" if idempotency_key else "")
        names_message = self._spec.auth == "standard_webhooks"
        if (header or names_message) and method not in _READING:
            key = idempotency_key or self._key(method, path)
            if header:
                own[header] = key
            if names_message:  # by which the receiver knows a message that comes again
                own.setdefault("webhook-id", f"msg_{key}")
        is_safe = bool(header) or method in _IDEMPOTENT
        url = join(self._spec.base_url, path)
        if params:
            url = url.copy_merge_params({name: value for name, value in params.items() if value is not None})
        request = httpx.Request(method, url, headers=own, content=body)
        reply = self._tried(request, call, is_safe=is_safe)
        return Answer(reply.status, reply.headers, reply.body, call, self._secrets())

    def _tried(self, request: httpx.Request, call: str, *, is_safe: bool) -> Reply:
        tries = self._spec.tries
        most = stop_after_attempt(tries.max_attempts)
        usual = wait_random_exponential(multiplier=tries.initial_seconds, max=tries.max_seconds)
        retrying = Retrying(
            stop=lambda state: most(state) or state.upcoming_sleep >= self._frame.left(),
            wait=lambda state: max(usual(state), _asked(state)),
            retry=retry_if_exception_type(_TryAgain),
            sleep=self._frame.sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, request, call, is_safe)
        except _TryAgain as end:
            if end.error is not None:
                raise end.error from None
            return end.reply

    def _once(self, request: httpx.Request, call: str, is_safe: bool) -> Reply:
        seconds = entered(self._gate, self._frame, call=call, seconds=self._spec.timeout)
        try:
            reply = self._sent(request, seconds, call)
        except CallFailed as exc:
            self._gate.failed(f"{call}: {exc}")
            self._frame.record({"call": call, "error": str(exc)})
            if is_safe or exc.was_not_sent:
                raise _TryAgain(_NO_REPLY, error=exc) from None
            raise
        now = datetime.now(UTC)
        wait = retry_after(reply.status, reply.headers, now=now)
        self._gate.answered(reply.status, told=budget(reply.headers, now=now), wait=wait)
        kept = summary(reply, kept_bytes=self._spec.kept_response_bytes, secrets=self._secrets())
        self._frame.record({"call": call, **kept})
        if wait is not None and wait.total_seconds() > min(self._spec.tries.max_seconds, self._frame.left()):
            raise RetryLater(wait, f"{call} answered {reply.status} and asks for a wait of {wait}")
        if is_for_now(reply.status) and (is_safe or reply.status in _NOT_DONE):
            raise _TryAgain(reply, wait=wait.total_seconds() if wait else 0.0)
        return reply

    def _sent(self, request: httpx.Request, seconds: float, call: str) -> Reply:
        if not needs_token(self._spec):
            return self._exchanged(request, seconds, call)
        ends_at = time.monotonic() + seconds
        self._token = self._tokens.current(seconds)
        reply = self._exchanged(request, ends_at - time.monotonic(), call)
        if reply.status != 401:
            return reply
        self._gate.answered(reply.status, told=budget(reply.headers, now=datetime.now(UTC)), wait=None)
        self._tokens.refused(self._token)  # it may have been withdrawn before its time
        seconds = entered(self._gate, self._frame, call=call, seconds=self._spec.timeout)
        seconds = min(seconds, ends_at - time.monotonic())
        self._token = self._tokens.current(seconds)
        return self._exchanged(request, min(seconds, ends_at - time.monotonic()), call)

    def _exchanged(self, request: httpx.Request, seconds: float, call: str) -> Reply:
        """Return the whole answer; raises `CallFailed` for one that broke off, and `AnswerTooLarge`."""
        self._frame.made.append(call)
        reply = self._exchange.send(request, seconds=max(0.001, seconds), token=self._token)
        if not reply.is_whole and len(reply.body) >= ANSWER_BYTES:
            self._gate.answered(reply.status, told=None, wait=None)
            raise AnswerTooLarge(f"{call}: the answer has more than {ANSWER_BYTES} bytes")
        if not reply.is_whole:
            raise CallFailed("the answer broke off or came too slowly")
        return reply

    def _secrets(self) -> tuple[str, ...]:
        return (*self._spec.secrets, *spellings(self._token))

    def _headers(self, given: Mapping[str, str], kind: str, call: str) -> httpx.Headers:
        """Return the headers of a call: the client's, the connection's, the caller's; none that the client must say."""
        headers = httpx.Headers({"User-Agent": "automation-hub", "Accept": "*/*", "Accept-Encoding": "identity"})
        if kind:
            headers["Content-Type"] = kind
        headers.update(dict(self._spec.headers))
        for name, value in given.items():
            if name.lower() in HOP_BY_HOP:
                raise CallImpossible(f"{call}: the header {name} is the client's own")
            headers[name] = value
        return headers

    def _key(self, method: str, path: str) -> str:
        place = f"{self._spec.name} {method} {path}"
        if step := current_step():
            place = f"{place} in {step}"
        self._frame.numbers[place] += 1
        return self._frame.key(f"{place} {self._frame.numbers[place]}")


def _asked(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.wait if isinstance(error, _TryAgain) else 0.0


def shown_path(path: str) -> str:
    """Return ``path`` as an attempt names it: without the query, which can hold a secret."""
    return path.partition("?")[0][:200] or "/"


def _body(*, json: Any, data: Mapping[str, Any] | None, content: bytes | str | None, call: str) -> tuple[bytes, str]:
    """Return the body and its content type, "" if it is the caller's to name."""
    if sum(value is not None for value in (json, data, content)) > 1:
        raise TypeError("json, data and content exclude each other")
    if json is not None:
        try:
            return json_library.dumps(json, ensure_ascii=False, allow_nan=False).encode(), "application/json"
        except (TypeError, ValueError, RecursionError) as exc:
            raise GiveUp(f"{call}: what is to be sent is not JSON: {exc}") from None
    if data is not None:
        form = {name: value for name, value in data.items() if value is not None}
        return str(httpx.QueryParams(form)).encode(), "application/x-www-form-urlencoded"
    if content is None:
        return b"", ""
    return (content.encode(), "") if isinstance(content, str) else (content, "")
