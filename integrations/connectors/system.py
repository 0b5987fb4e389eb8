"""An outside system that is not called over HTTP: its connection, for one attempt, behind the gate of all workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from integrations.connectors.batches import Batches
from integrations.connectors.client import Frame, Gate, entered
from integrations.connectors.sent import noted
from integrations.connectors.spec import ConnectionSpec
from integrations.errors import GiveUp, HubError

T = TypeVar("T")


class SystemFailed(HubError):
    """The system cannot be reached, broke off, or cannot do it now; the message holds no credential and no value.

    ``was_not_done`` is whether it is certain that nothing was done.
    """

    def __init__(self, text: str, *, was_not_done: bool = False) -> None:
        super().__init__(text)
        self.was_not_done = was_not_done


class SystemRefused(GiveUp):
    """The system will not do it, however often it is asked; the message holds no credential and no value."""


@dataclass(frozen=True)
class Sent:
    """What goes to a system: a body, and what is said of it."""

    body: bytes
    headers: Mapping[str, str]


class System:
    """One connection; who talks to it does so within `call`, which all workers' rate, pause and circuit go through."""

    def __init__(self, spec: ConnectionSpec, *, identity: str, gate: Gate, frame: Frame, batches: Batches) -> None:
        self.spec = spec
        #: What the connection is known by however its fields change.
        self.identity = identity
        #: Where what is written together waits for each other.
        self.batches = batches
        self._gate = gate
        self._frame = frame

    @property
    def kind(self) -> str:
        """The connection's kind, such as ``redis``."""
        return self.spec.kind

    @contextmanager
    def call(self, what: str) -> Iterator[float]:
        """Yield the seconds that a call may take. Raises `NotCalled` and the like, as `HttpClient.request` does.

        `SystemFailed` is a failure of the system, which counts for its circuit; whatever else comes is none.
        """
        call = f"{self.spec.name}: {what}"
        seconds = entered(self._gate, self._frame, call=call, seconds=self.spec.timeout)
        self._frame.made.append(call)
        began_at = time.monotonic()
        try:
            yield seconds
        except SystemFailed as exc:
            self._gate.failed(f"{call}: {exc}")
            self._frame.record({"call": call, "error": str(exc)})
            raise
        except HubError as exc:
            self._gate.answered(400, told=None, wait=None)
            self._frame.record({"call": call, "error": str(exc)})
            raise
        self._gate.answered(200, told=None, wait=None)
        self._frame.record({"call": call, "duration_ms": round((time.monotonic() - began_at) * 1000)})

    def tried(self, what: str, run: Callable[[float], T], *, is_safe: bool, sent: Sent | None = None) -> T:
        """Return what ``run`` returns, which is given the seconds that it may take; raises what `call` does.

        After `SystemFailed` it is tried again as the connection says, while the attempt has time, where nothing was
        done or it ``is_safe`` to do it twice. What is ``sent`` is kept on the attempt, by each try.
        """
        tries = self.spec.tries
        most = stop_after_attempt(tries.max_attempts)
        retrying = Retrying(
            stop=lambda state: most(state) or state.upcoming_sleep >= self._frame.left(),
            wait=wait_random_exponential(multiplier=tries.initial_seconds, max=tries.max_seconds),
            retry=retry_if_exception(lambda exc: isinstance(exc, SystemFailed) and (is_safe or exc.was_not_done)),
            sleep=self._frame.sleep,
            reraise=True,
        )
        result: T = retrying(self._once, what, run, sent)
        return result

    def shown(self, what: str, sent: Sent) -> httpx.Request:
        """Return what stands on pages for something that is ``sent``: the order as the method, then where to."""
        method, _, place = what.partition(" ")
        headers = httpx.Headers(dict(sent.headers), encoding="utf-8")
        request = httpx.Request(
            method, f"{self.kind}://{self.spec.name}/{quote(place)}", headers=headers, content=sent.body
        )
        request.headers.pop("Content-Length", None)
        return request

    def _once(self, what: str, run: Callable[[float], T], sent: Sent | None) -> T:
        with self.call(what) as seconds:
            if sent is None:
                return run(seconds)
            request = self.shown(what, sent)
            with noted(self._frame.sent, request, request, self.spec):
                return run(seconds)
