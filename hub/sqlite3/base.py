"""Who writes waits in a queue of the process, and looks for SQLite's lock at short intervals.

SQLite lets who finds the lock taken sleep, each time longer, up to a tenth of a second, and in the meantime others find
it free. Among a dozen threads some then wait for seconds while the lock is free half of the time; and a statement that
stood in no queue, while others do, would find it taken until its time is over.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from hub.sqlite3.queue import Place, queue_of

_LOOK_SECONDS = 0.001


_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class Cursor(base.SQLiteCursorWrapper):
    """Django's cursor; outside of a transaction a statement that writes waits for its turn, too."""

    #: What lets a statement wait; None where all pass.
    in_turn: Callable[[Callable[[], Any]], Any] | None = None

    def execute(self, query: str, params: Any = None) -> Any:
        """Run a statement, a lone one that writes in its turn."""
        if self.in_turn is None or self.connection.in_transaction or not _WRITES.match(query):
            return super().execute(query, params)
        return self.in_turn(lambda: super(Cursor, self).execute(query, params))


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's connection to SQLite, whose writers have their turn in the order in which they asked for it."""

    _place: Place | None = None

    def create_cursor(self, name: str | None = None) -> Cursor:
        """Return a cursor whose lone statements stand in the queue."""
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        cursor.in_turn = self._alone
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        self._enter(super()._start_transaction_under_autocommit)  # type: ignore[misc]

    def _alone(self, statement: Callable[[], Any]) -> Any:
        """Return what ``statement`` does, which is a transaction of its own."""
        try:
            return self._enter(statement)
        finally:
            self._leave()

    def _enter(self, begin: Callable[[], Any]) -> Any:
        """Wait for the turn and for SQLite's lock, and ``begin``; the turn is kept, unless that fails."""
        seconds = self._timeout_milliseconds() / 1000
        ends_at = time.monotonic() + seconds
        queue, self._place = queue_of(self.settings_dict["NAME"]), Place()
        try:
            queue.enter(self._place, seconds=seconds)
            found = self._begun(begin, ends_at)
            queue.take(self._place)
        except BaseException:
            self._leave()
            raise
        return found

    def _begun(self, begin: Callable[[], Any], ends_at: float) -> Any:
        """Return what ``begin`` returns as soon as SQLite's lock is free, if it is before ``ends_at``.

        A statement that finds it taken has done nothing.
        """
        self.connection.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    return begin()
                except (OperationalError, sqlite3.OperationalError) as exc:
                    if not _is_busy(exc) or time.monotonic() > ends_at:
                        raise
                time.sleep(_LOOK_SECONDS)
        finally:
            self.connection.execute(f"PRAGMA busy_timeout={self._timeout_milliseconds()}")

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._leave_if_ended()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._leave_if_ended()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._leave()

    def _leave_if_ended(self) -> None:
        if self.connection is None or not self.connection.in_transaction:
            self._leave()

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            queue_of(self.settings_dict["NAME"]).leave(place)

    def _timeout_milliseconds(self) -> int:
        return int(1000 * float(self.settings_dict["OPTIONS"].get("timeout", 5)))


def _is_busy(exc: Exception) -> bool:
    """Return whether SQLite's lock was taken; ``exc`` is SQLite's own error, or Django's for it."""
    own = exc if isinstance(exc, sqlite3.Error) else exc.__cause__
    return getattr(own, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
