"""The kept results of a delivery's steps: what ``context.once`` reads and writes, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import structlog
from django.db import router, transaction
from django.db.models import FilteredRelation, Q

from deliveries.execution import aside
from deliveries.models import Delivery, DeliveryStatus, StepResult
from integrations.errors import AttemptLost

logger = structlog.get_logger(__name__)

T = TypeVar("T")

STEP_BYTES = 1024 * 1024
_LONGEST_KEY = 200


class _Kept(NamedTuple):
    """A result as it is stored: bytes as ``data``, all else as ``text``, which is JSON.

    As a text within the JSON column: jsonb cannot hold a NUL, and every run has to see exactly the same.
    """

    text: str | None
    data: bytes | None

    @property
    def value(self) -> Any:
        return json.loads(self.text or "null") if self.data is None else self.data


class Steps:
    """The steps of the delivery of which attempt ``number`` runs."""

    def __init__(self, delivery_id: UUID, number: int) -> None:
        self._delivery_id = delivery_id
        self._number = number

    def once(self, key: str, run: Callable[[], T]) -> T:
        """Return the kept result of step ``key``, or run it and keep what it returns.

        Raises `TypeError` if that is neither JSON nor bytes, `ValueError` if it is larger than `STEP_BYTES`,
        `RuntimeError` within a transaction, `AttemptLost` if another worker has taken the delivery over.
        """
        _check_key(key)
        if aside.in_event_loop():
            kept = aside.finished(aside.started(lambda: aside.tried(lambda: self._recall(key))))
        else:
            aside.refuse_transaction()
            kept = self._recall(key)
        if kept is None:
            done = _encoded(run())
            kept = aside.kept(lambda: self._store(key, done))
        value: T = kept.value
        return value

    async def aonce(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """Do the same with a coroutine function; the event loop goes on meanwhile."""
        _check_key(key)
        kept = await asyncio.wrap_future(aside.started(lambda: aside.tried(lambda: self._recall(key))))
        if kept is None:
            done = _encoded(await run())
            kept = await asyncio.wrap_future(aside.started(lambda: aside.patiently(lambda: self._store(key, done))))
        value: T = kept.value
        return value

    def _recall(self, key: str) -> _Kept | None:
        rows = Delivery.objects.filter(pk=self._delivery_id).annotate(
            step=FilteredRelation("step_results", condition=Q(step_results__key=key))
        )
        found = rows.values_list("status", "attempt_count", "step__pk", "step__value", "step__data").first()
        if found is None or found[:2] != (DeliveryStatus.RUNNING, self._number):
            raise AttemptLost(f"Another worker has taken the delivery over; the step {key!r} is left to it.")
        return None if found[2] is None else _Kept(found[3], None if found[4] is None else bytes(found[4]))

    def _store(self, key: str, done: _Kept) -> _Kept:
        """Store ``done`` and return what is stored: of two that run the step at once, the first to store wins.

        Of an attempt that has lost its lease too: the work is done, and whoever has taken over need not repeat it. Only
        after a replay from the start nothing of earlier attempts is kept; its order holds the lock on the row, too.
        """
        with transaction.atomic(using=router.db_for_write(StepResult)):
            rows = Delivery.objects.select_for_update(no_key=True).filter(pk=self._delivery_id)
            start = rows.values_list("steps_start", flat=True).first()
            if start is None or self._number <= start:
                logger.warning("step.not_kept", delivery=str(self._delivery_id), attempt=self._number)
                return done
            step, _ = StepResult.objects.get_or_create(
                delivery_id=self._delivery_id, key=key, defaults={"value": done.text, "data": done.data}
            )
        return _Kept(step.value, None if step.data is None else bytes(step.data))


def _check_key(key: str) -> None:
    if not 0 < len(key) <= _LONGEST_KEY:
        raise ValueError(f"The key of a step has to have 1 to {_LONGEST_KEY} characters.")


def _encoded(value: Any) -> _Kept:
    if isinstance(value, bytes | bytearray | memoryview):
        kept = _Kept(None, bytes(value))
    else:
        try:
            kept = _Kept(json.dumps(value, allow_nan=False), None)
        except (TypeError, ValueError, RecursionError) as exc:
            raise TypeError(f"The result of a step has to be JSON or bytes: {exc}") from exc
    if len(kept.text or kept.data or "") > STEP_BYTES:
        raise ValueError(f"The result of a step can have at most {STEP_BYTES} bytes, as JSON or as they are.")
    return kept
