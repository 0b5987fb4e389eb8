"""Transactions wait in a queue of their process, and look for SQLite's lock at short intervals.

SQLite lets who finds the lock taken sleep, each time longer, up to a tenth of a second, and in the meantime others find
it free. Among a dozen threads some then wait for seconds while the lock is free half of the time.
"""

from __future__ import annotations

import sqlite3
import time

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from hub.sqlite3.queue import Place, queue_of

_LOOK_SECONDS = 0.001


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's connection to SQLite, whose transactions begin in the order in which they were asked for."""

    _place: Place | None = None

    def _start_transaction_under_autocommit(self) -> None:
        seconds = self._timeout_milliseconds() / 1000
        ends_at = time.monotonic() + seconds
        queue, self._place = queue_of(self.settings_dict["NAME"]), Place()
        try:
            queue.enter(self._place, seconds=seconds)
            self._begin(ends_at)
            queue.take(self._place)
        except BaseException:
            self._leave()
            raise

    def _begin(self, ends_at: float) -> None:
        """Begin a transaction as soon as SQLite's lock is free, if it is before ``ends_at``."""
        self.connection.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    super()._start_transaction_under_autocommit()  # type: ignore[misc]
                    return
                except OperationalError as exc:
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


def _is_busy(exc: OperationalError) -> bool:
    """Return whether SQLite's lock was taken."""
    return getattr(exc.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
