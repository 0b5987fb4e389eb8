"""Waiting for a hint that something may be due: less than a look at the deliveries, and quicker than the next one."""

from __future__ import annotations

import time
from typing import Any, Protocol

from django.db import Error, connection

from deliveries.wakeup import CHANNEL

#: How often SQLite is asked whether somebody has committed: it costs a few microseconds.
_SQLITE_LOOK_SECONDS = 0.01


class Hints(Protocol):
    """What waits for a hint."""

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; return whether there was a hint. Raises Django's database errors."""


class NotifyHints:
    """PostgreSQL's notifications, on Django's connection of this process.

    Behind a pooler that shares connections between transactions none arrive, and the regular looks have to do.
    """

    def __init__(self) -> None:
        self._listening: Any = None

    def wait(self, seconds: float) -> bool:
        """Wait for a notification."""
        connection.ensure_connection()
        if self._listening is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening = connection.connection
        with connection.wrap_database_errors:
            return any(True for _ in connection.connection.notifies(timeout=seconds, stop_after=1))


class ChangeHints:
    """SQLite's count of the commits that others have made."""

    def __init__(self) -> None:
        self._seen: Any = None

    def wait(self, seconds: float) -> bool:
        """Wait for a commit of another process."""
        until = time.monotonic() + seconds
        while True:
            version = self._version()
            if version != self._seen:
                self._seen = version
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(_SQLITE_LOOK_SECONDS)

    def _version(self) -> Any:
        """Ask without Django's cursor, which would cost an idle hub more than all else that it does."""
        connection.ensure_connection()
        with connection.wrap_database_errors:
            return connection.connection.execute("PRAGMA data_version").fetchone()


class NoHints:
    """A database that gives none, or is away."""

    def wait(self, seconds: float) -> bool:
        """Wait."""
        time.sleep(seconds)
        return False


def hints() -> Hints:
    """Return what this process's database offers."""
    return NotifyHints() if connection.vendor == "postgresql" else ChangeHints()


def wait(source: Hints, seconds: float) -> bool:
    """Wait with ``source``, or without it while its database is away; the next look finds that out by itself."""
    try:
        return source.wait(seconds)
    except Error:
        connection.close()
        return NoHints().wait(seconds)
