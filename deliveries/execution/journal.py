"""What a handler leaves behind, within bounds: log lines, calls and an answer, events that it emits."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone

from deliveries.execution.bounded import plain, shortened, text_of
from deliveries.execution.flow_record import DatabaseRecord
from deliveries.execution.steps import Steps
from deliveries.models.sealing import storable
from deliveries.receiving.emitting import Emission
from integrations.encryption import encrypt

T = TypeVar("T")

LOG_LINES = 200
LOG_BYTES = 16 * 1024
RESPONSE_BYTES = 32 * 1024
MOST_CALLS = 20
CALL_BYTES = 32 * 1024
CALLS_BYTES = 64 * 1024
MOST_EMISSIONS = 100
EMISSION_BYTES = 4 * 1024 * 1024
_LONGEST_TYPE = 255


class AttemptJournal:
    """The `integrations.contracts.Journal` of one attempt. All but steps is kept in memory until it is closed."""

    def __init__(self, delivery_id: UUID, number: int) -> None:
        self._steps = Steps(delivery_id, number)
        self._flow = DatabaseRecord(delivery_id, number)
        self._emissions: list[Emission] = []
        self._emitted_bytes = 0
        self._lines: list[dict[str, Any]] = []
        self._bytes = 0
        self._response: dict[str, Any] | None = None
        self._calls: list[dict[str, Any]] = []
        self._calls_bytes = 0

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log lines so far: ``{"at": ISO 8601, "message": text, "fields": {...}}``."""
        return list(self._lines)

    @property
    def summary(self) -> dict[str, Any] | None:
        """What an outside system answered, or None."""
        return self._response

    @property
    def calls(self) -> str:
        """The calls of outside systems so far, encrypted as their column keeps them; "" where there were none."""
        return encrypt(json.dumps(self._calls).encode()).decode("ascii") if self._calls else ""

    @property
    def flow(self) -> DatabaseRecord:
        """What is kept of the steps of the delivery's flow."""
        return self._flow

    @property
    def emissions(self) -> list[Emission]:
        """The events that the handler has emitted so far, in order."""
        return list(self._emissions)

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        """Keep one line; after `LOG_LINES` lines or `LOG_BYTES` one last line says that more were dropped."""
        if self._bytes < 0:
            return
        at = timezone.now().isoformat(timespec="milliseconds")
        line = {"at": at, "message": text_of(message, 1000), "fields": plain(dict(fields), 1000)}
        self._bytes += len(json.dumps(line)) + 2  # and the separator
        if len(self._lines) == LOG_LINES or self._bytes > LOG_BYTES:
            line = {"at": at, "message": "further lines were not kept", "fields": {}}
            self._bytes = -1
        self._lines.append(line)

    def response(self, summary: Mapping[str, Any]) -> None:
        """Keep ``summary``; its texts are cut until the whole fits into `RESPONSE_BYTES`."""
        self._response = shortened(dict(summary), RESPONSE_BYTES, note="the answer's summary was too large to keep")

    def sent(self, call: Mapping[str, Any]) -> None:
        """Keep a call; beyond `CALLS_BYTES` without its body, after `MOST_CALLS` one line says that more were made."""
        if len(self._calls) > MOST_CALLS:
            return
        if len(self._calls) == MOST_CALLS:
            self._calls.append({"note": "further calls were not kept"})
            return
        at = timezone.now().isoformat(timespec="milliseconds")
        kept = shortened({"at": at, **call}, CALL_BYTES, note="the call was too large to keep")
        if self._calls_bytes + len(json.dumps(kept)) > CALLS_BYTES and "body" in kept:
            kept |= {"body": "", "body_is_whole": False}
        self._calls_bytes += len(json.dumps(kept))
        self._calls.append(kept)

    def once(self, key: str, run: Callable[[], T]) -> T:
        """Return the kept result of step ``key``, or run it and keep what it returns (`Steps.once`)."""
        return self._steps.once(key, run)

    async def aonce(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """Do the same with a coroutine function."""
        return await self._steps.aonce(key, run)

    def emit(self, event_type: str, payload: Any, endpoint: str) -> None:
        """Keep an event for when the attempt succeeds.

        Raises `TypeError` if ``payload`` is not JSON, `ValueError` for a type that no event has, and beyond
        `MOST_EMISSIONS` events or `EMISSION_BYTES` bytes.
        """
        if not 0 < len(event_type) <= _LONGEST_TYPE or storable(event_type) != event_type:
            raise ValueError(f"The type of an event is a text of 1 to {_LONGEST_TYPE} characters.")
        try:
            body = json.dumps(payload, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as exc:
            raise TypeError(f"The payload of an event has to be JSON: {exc}") from exc
        if len(self._emissions) == MOST_EMISSIONS:
            raise ValueError(f"An attempt can emit at most {MOST_EMISSIONS} events.")
        if self._emitted_bytes + len(body) > EMISSION_BYTES:
            raise ValueError(f"The payloads that an attempt emits can have at most {EMISSION_BYTES} bytes together.")
        self._emitted_bytes += len(body)
        self._emissions.append(Emission(event_type, body, endpoint))
