"""The kept results of a delivery's steps: what ``context.once`` reads and writes, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connections, router, transaction
from django.db.models import FilteredRelation, Q

from deliveries.models import Delivery, DeliveryStatus, StepResult
from integrations.errors import AttemptLost

logger = structlog.get_logger(__name__)

T = TypeVar("T")

STEP_BYTES = 1024 * 1024
_LONGEST_KEY = 200
#: So long a result that is there is offered to a database that is away: the step would have to be done again.
_PATIENCE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 2.0
#: Connections that a process opens at most for queries aside of its handler threads.
_aside = threading.BoundedSemaphore(4)


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
        if _in_event_loop():
            kept = _finished(_started(lambda: _tried(lambda: self._recall(key))))
        else:
            _refuse_transaction()
            kept = self._recall(key)
        if kept is None:
            kept = self._keep(key, _encoded(run()))
        value: T = kept.value
        return value

    async def aonce(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """Do the same with a coroutine function; the event loop goes on meanwhile."""
        _check_key(key)
        kept = await asyncio.wrap_future(_started(lambda: _tried(lambda: self._recall(key))))
        if kept is None:
            done = _encoded(await run())
            kept = await asyncio.wrap_future(_started(lambda: _patiently(lambda: self._store(key, done))))
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

    def _keep(self, key: str, done: _Kept) -> _Kept:
        if not _in_event_loop():
            try:
                return self._store(key, done)
            except (OperationalError, InterfaceError):
                connections[router.db_for_write(StepResult)].close()
        # Aside, because there it also goes on when the time of this handler is over.
        return _finished(_started(lambda: _patiently(lambda: self._store(key, done))))

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


def _refuse_transaction() -> None:
    if connections[router.db_for_write(StepResult)].in_atomic_block:
        raise RuntimeError(
            "A step is kept in a transaction of its own: call context.once outside of transaction.atomic(). A rollback "
            "would undo what the step did and leave it marked as done."
        )


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


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _started(query: Callable[[], T]) -> Future[T]:
    """Run ``query`` in a thread of its own: Django refuses queries inside an event loop.

    A daemon: a worker that has to end does not wait for a database that is away.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # whoever waits may be cancelled, the query is not

    def work() -> None:
        try:
            future.set_result(query())
        except BaseException as exc:
            future.set_exception(exc)

    threading.Thread(target=work, name="step", daemon=True).start()
    return future


def _finished(future: Future[T]) -> T:
    """Wait for the result, in short naps: an interruption is not felt in a long one."""
    while True:
        try:
            return future.result(timeout=0.1)
        except TimeoutError:
            if future.done():
                raise


def _tried(query: Callable[[], T]) -> T:
    """Run ``query`` with a connection that is closed afterwards."""
    with _aside:
        try:
            return query()
        finally:
            connections.close_all()


def _patiently(query: Callable[[], T]) -> T:
    """Run ``query``, again and again while the database is away."""
    until, pause = time.monotonic() + _PATIENCE_SECONDS, 0.1
    while True:
        try:
            return _tried(query)
        except (OperationalError, InterfaceError):
            if time.monotonic() > until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
