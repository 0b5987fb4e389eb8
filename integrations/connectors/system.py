"""An outside system that is not called over HTTP: its connection, for one attempt, behind the gate of all workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from integrations.connectors.batches import Batches
from integrations.connectors.client import Frame, Gate, entered
from integrations.connectors.spec import ConnectionSpec
from integrations.errors import GiveUp, HubError


class SystemFailed(HubError):
    """The system cannot be reached, broke off, or cannot do it now; the message holds no credential and no value."""


class SystemRefused(GiveUp):
    """The system will not do it, however often it is asked; the message holds no credential and no value."""


class ClientMissing(GiveUp):
    """The package that speaks with this kind of system is not installed; the message names it."""


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
