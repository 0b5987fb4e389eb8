"""Queries aside of a handler's own thread, and results that are offered to the database until it takes them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections, router

from deliveries.models import StepResult

T = TypeVar("T")

#: So long a result that is there is offered to a database that is away: the step would have to be done again.
PATIENCE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 2.0
#: Connections that a process opens at most for queries aside of its handler threads.
_aside = threading.BoundedSemaphore(4)


def refuse_transaction() -> None:
    """Raise `RuntimeError` inside an open transaction, whose rollback would undo a step and not the kept result."""
    if connections[router.db_for_write(StepResult)].in_atomic_block:
        raise RuntimeError(
            "A step is kept in a transaction of its own: call context.once outside of transaction.atomic(). A rollback "
            "would undo what the step did and leave it marked as done."
        )


def kept(store: Callable[[], T]) -> T:
    """Return what ``store`` returns, which writes a result: at once, or aside for as long as the database is away.

    Aside, because there it also goes on when the time of this handler is over.
    """
    if not in_event_loop():
        try:
            return store()
        except (OperationalError, InterfaceError):
            connections[router.db_for_write(StepResult)].close()
    return finished(started(lambda: patiently(store)))


def in_event_loop() -> bool:
    """Return whether the caller runs in an event loop, where Django refuses queries."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def started(query: Callable[[], T]) -> Future[T]:
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


def finished(future: Future[T]) -> T:
    """Wait for the result, in short naps: an interruption is not felt in a long one."""
    while True:
        try:
            return future.result(timeout=0.1)
        except TimeoutError:
            if future.done():
                raise


def tried(query: Callable[[], T]) -> T:
    """Run ``query`` with a connection that is closed afterwards."""
    with _aside:
        try:
            return query()
        finally:
            connections.close_all()


def patiently(query: Callable[[], T]) -> T:
    """Run ``query``, again and again while the database is away."""
    until, pause = time.monotonic() + PATIENCE_SECONDS, 0.1
    while True:
        try:
            return tried(query)
        except (OperationalError, InterfaceError):
            if time.monotonic() > until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
