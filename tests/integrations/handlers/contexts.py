"""A context whose steps, lines and events a test can look at, also over several attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from integrations.contracts import Context, InboundEvent
from integrations.flows.record import MemoryRecord
from tests.integrations.handlers.test_http_forward import EVENT, NOW

KEY = "6b1f2d0e-6f0b-4f0e-9a55-2f6f6a6f9d11"


class Kept:
    """A journal that keeps everything in memory, steps over all attempts."""

    def __init__(self) -> None:
        self.flow = MemoryRecord()
        self.steps: dict[str, Any] = {}
        self.lines: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: list[Mapping[str, Any]] = []
        self.calls: list[Mapping[str, Any]] = []
        self.emitted: list[tuple[str, Any, str]] = []

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        self.lines.append((message, fields))

    def once(self, key: str, run: Callable[[], Any]) -> Any:
        if key not in self.steps:
            self.steps[key] = run()
        return self.steps[key]

    async def aonce(self, key: str, run: Any) -> Any:
        raise AssertionError("no coroutine is expected")

    def response(self, summary: Mapping[str, Any]) -> None:
        self.answers.append(summary)

    def sent(self, call: Mapping[str, Any]) -> None:
        self.calls.append(call)

    def emit(self, event_type: str, payload: Any, endpoint: str) -> None:
        self.emitted.append((event_type, payload, endpoint))


def event_of(payload: Any, **changes: Any) -> InboundEvent:
    return replace(EVENT, payload=payload, **changes)


def context_of(config: Mapping[str, Any], journal: Kept, *, attempt: int = 1) -> Context:
    return Context(config, "d", KEY, "r", attempt, 20, NOW, journal)
