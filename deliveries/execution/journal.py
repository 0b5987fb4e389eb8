"""What a handler leaves behind, within bounds: log lines, an outside system's answer, the results of its steps."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections
from django.utils import timezone

from deliveries.models import StepResult
from deliveries.models.sealing import storable

T = TypeVar("T")

LOG_LINES = 200
LOG_BYTES = 16 * 1024
RESPONSE_BYTES = 32 * 1024
STEP_BYTES = 1024 * 1024
_DEPTH = 6
_ITEMS = 100


class AttemptJournal:
    """The `integrations.contracts.Journal` of one attempt. Lines and answer are kept in memory until it is closed."""

    def __init__(self, delivery_id: UUID) -> None:
        self._delivery_id = delivery_id
        self._lines: list[dict[str, Any]] = []
        self._bytes = 0
        self._response: dict[str, Any] | None = None

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log lines so far: ``{"at": ISO 8601, "message": text, "fields": {...}}``."""
        return list(self._lines)

    @property
    def summary(self) -> dict[str, Any] | None:
        """What an outside system answered, or None."""
        return self._response

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        """Keep one line; after `LOG_LINES` lines or `LOG_BYTES` one last line says that more were dropped."""
        if self._bytes < 0:
            return
        at = timezone.now().isoformat(timespec="milliseconds")
        line = {"at": at, "message": _text(message, 1000), "fields": plain(dict(fields), 1000)}
        self._bytes += len(json.dumps(line)) + 2  # and the separator
        if len(self._lines) == LOG_LINES or self._bytes > LOG_BYTES:
            line = {"at": at, "message": "further lines were not kept", "fields": {}}
            self._bytes = -1
        self._lines.append(line)

    def response(self, summary: Mapping[str, Any]) -> None:
        """Keep ``summary``; its texts are cut until the whole fits into `RESPONSE_BYTES`."""
        for limit in (8192, 1024, 100):
            kept: dict[str, Any] = plain(dict(summary), limit)
            if len(json.dumps(kept)) <= RESPONSE_BYTES:
                self._response = kept
                return
        self._response = {"note": "the answer's summary was too large to keep"}

    def once(self, key: str, run: Callable[[], T]) -> T:
        """Return the kept result of step ``key``, or run it and keep what it returns.

        Raises `TypeError` if that is not JSON, `ValueError` if it is larger than `STEP_BYTES`.
        """
        kept = self._recall(key)
        value: T = json.loads(kept if kept is not None else self._keep(key, run()))
        return value

    async def aonce(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """Do the same with a coroutine function."""
        kept = self._recall(key)
        value: T = json.loads(kept if kept is not None else self._keep(key, await run()))
        return value

    def _recall(self, key: str) -> str | None:
        if not 0 < len(key) <= 200:
            raise ValueError("The key of a step has to have 1 to 200 characters.")
        steps = StepResult.objects.filter(delivery_id=self._delivery_id, key=key)
        return _outside_event_loop(lambda: steps.values_list("value", flat=True).first())

    def _keep(self, key: str, value: Any) -> str:
        """Store ``value`` and return what is stored; of two that run the step at once, the first to store wins."""
        # As a text within the JSON column: jsonb cannot hold a NUL, and every run has to see exactly the same.
        text = _json(value)
        if len(text) > STEP_BYTES:
            raise ValueError(f"The result of a step can have at most {STEP_BYTES} bytes as JSON.")

        def store() -> str:
            step, _ = StepResult.objects.get_or_create(delivery_id=self._delivery_id, key=key, defaults={"value": text})
            return str(step.value)

        return _outside_event_loop(store)


def plain(value: Any, limit: int, depth: int = _DEPTH) -> Any:
    """Return ``value`` as JSON that every database stores: texts of at most ``limit`` characters, 100 items a level."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:_ITEMS]
        return {_text(key, 200): plain(item, limit, depth - 1) for key, item in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [plain(item, limit, depth - 1) for item in list(value)[:_ITEMS]]
    return _text(value, limit)


def _text(value: Any, limit: int) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as exc:  # __str__ is anybody's code, and a log line must not fail a delivery
        text = f"<{type(value).__name__} whose text fails: {type(exc).__name__}>"
    return storable(text, limit) if len(text) <= limit else storable(text[: limit - 1], limit - 1) + "…"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise TypeError(f"The result of a step has to be JSON: {exc}") from exc


def _outside_event_loop(query: Callable[[], T]) -> T:
    """Run ``query`` here, or, inside an event loop, where Django refuses queries, in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return query()

    def query_and_close() -> T:
        try:
            return query()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(query_and_close).result()
