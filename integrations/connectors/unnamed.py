"""Outside systems that are called without a connection: an address, the mail server, a database by reference."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import httpx

from integrations.connectors.batches import Batch, Item, Limits
from integrations.connectors.client import Frame, Gate, HttpClient, Tokens
from integrations.connectors.egress import Network
from integrations.connectors.exchange import Exchange
from integrations.connectors.http import Reply, shown
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import System
from integrations.connectors.tries import Tries
from integrations.connectors.waits import Budget
from integrations.errors import GiveUp

if TYPE_CHECKING:
    from integrations.contracts import Context

#: Another try is the delivery's: how many, and when, its route says.
_ONE_TRY = Tries(1)
#: Of an answer, kept with the attempt; the body as base64 is then the 8 KiB of text that a journal keeps.
_KEPT_BYTES = 6 * 1024
#: As long as the attempt has time: no operator has said less.
_NO_LIMIT = 3600.0


class FreeGate:
    """Lets everything through and notes nothing: where workers share nothing, or nothing is to be touched."""

    def enter(self) -> float:
        """Return no wait."""
        return 0.0

    def answered(self, status: int, *, told: Budget | None, wait: timedelta | None) -> None:
        """Forget it."""

    def failed(self, text: str) -> None:
        """Forget it."""


class NoTokens:
    """Stands for access tokens where none is asked for."""

    def current(self, seconds: float) -> str:
        """Return none."""
        return ""

    def refused(self, token: str) -> None:
        """Forget it."""


class NoBatches:
    """Stands for batches where none is written."""

    def bring(self, item: Item, *, limits: Limits, lease: timedelta, write: Callable[[Batch], None]) -> NoReturn:
        """Raise `GiveUp`."""
        raise GiveUp("batches are for connections")


@dataclass(frozen=True)
class Unnamed:
    """One such system, with the limits that a new connection has.

    ``kind`` is how it is called, such as ``smtp``, ``name`` says to people where it is, and ``identity`` tells it from
    others: of that only a hash is kept.
    """

    kind: str
    name: str
    identity: tuple[str, ...]
    state: str = "active"
    rate_per_second: float | None = None
    burst: int | None = None
    breaker_failures: int = 5
    breaker_seconds: float = 30.0
    timeout_seconds: float = 30.0

    @property
    def pk(self) -> str:
        """What workers know it by."""
        return hashlib.sha256(json.dumps([self.kind, *self.identity]).encode()).hexdigest()

    def spec(self) -> ConnectionSpec:
        """Return what a client has to know of it: one try, for as long as there is time; another is the delivery's."""
        return ConnectionSpec(self.name, "", kind=self.kind, is_named=False, tries=_ONE_TRY, timeout=_NO_LIMIT)


def frame_without_deadline(context: Context) -> Frame:
    """Return what a client takes from an attempt that is none of a worker's: its time is the route's."""
    return Frame(
        left=lambda: context.timeout_seconds,
        key=context.idempotency_key_for,
        record=lambda summary: context.record_response(**summary),
        sent=lambda call: context.record_call(**call),
    )


def unnamed_system(unnamed: Unnamed, *, gate: Gate, frame: Frame) -> System:
    """Return one that is not called over HTTP, behind ``gate``."""
    return System(unnamed.spec(), identity="", gate=gate, frame=frame, batches=NoBatches())


class AddressClient(HttpClient):
    """Calls an address once; of a long answer its start is enough."""

    def send(self, request: httpx.Request) -> Reply:
        """Return the answer; raises what `HttpClient.request` does, but for a long answer."""
        call = f"{request.method} {shown(request.url)}"
        return self._tried(request, call, is_safe=False)

    def _exchanged(self, request: httpx.Request, seconds: float, call: str) -> Reply:
        self._frame.made.append(call)
        return self._exchange.send(request, seconds=max(0.001, seconds))


def address_client(
    request: httpx.Request,
    *,
    gate: Gate,
    frame: Frame,
    seconds: float,
    kept_body_bytes: int,
    allow: tuple[Network, ...],
    tokens: Tokens | None = None,
) -> AddressClient:
    """Return a client for one ``request``, which may take ``seconds``; of the answer ``kept_body_bytes`` are read."""
    spec = ConnectionSpec(
        shown(request.url),
        shown(request.url),
        is_named=False,
        read_timeout=seconds,
        timeout=seconds,
        tries=_ONE_TRY,
        allow=allow,
        kept_response_bytes=_KEPT_BYTES,
    )
    exchange = Exchange(spec, kept_body_bytes, note=frame.sent)
    return AddressClient(spec, gate=gate, tokens=tokens or NoTokens(), frame=frame, exchange=exchange)
