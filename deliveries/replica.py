"""Lists from a read replica: HUB_READ_DATABASE_URL takes what people look through away from the database that receives.

Only what is read inside of `reading` goes there: lists of history in the admin. Receiving, workers, orders and pages of
single rows never enter it, so they never see a state that is behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connections
from django.utils.translation import gettext as _

#: The name of the replica among the databases; there is none without HUB_READ_DATABASE_URL.
REPLICA = "replica"
_APPS = frozenset({"deliveries", "integrations"})
_reading: ContextVar[bool] = ContextVar("reading", default=False)


class Router:
    """Sends reads inside of `reading` to the replica, and everything else to the one database that is written to."""

    def db_for_read(self, model: Any, **_hints: Any) -> str:
        """Return the replica for the hub's own tables inside of `reading`, else the default."""
        return REPLICA if _reading.get() and model._meta.app_label in _APPS else "default"

    def db_for_write(self, _model: Any, **_hints: Any) -> str:
        """Return the default: nothing is ever written to a replica."""
        return "default"

    def allow_relation(self, _one: Any, _other: Any, **_hints: Any) -> bool:
        """Let rows of both be related: they are the same rows."""
        return True

    def allow_migrate(self, db: str, _app_label: str, **_hints: Any) -> bool:
        """Leave the replica's schema to replication."""
        return db != REPLICA


def is_there() -> bool:
    """Return whether there is a replica."""
    return REPLICA in connections.settings


@contextmanager
def reading() -> Iterator[None]:
    """Send the hub's reads in this block to the replica; only where there is one."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def seconds_behind() -> float | None:
    """Return how old the newest change on the replica is, in seconds; 0 if all that came is there, None if unknown.

    On a database where nothing happens the newest change is old without anything being late, unless all that was
    received has been replayed, too: then it is 0.
    """
    connection = connections[REPLICA]
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
            " ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float END"
        )
        (seconds,) = cursor.fetchone()
    return None if seconds is None else float(seconds)


def in_words() -> str:
    """Return, for the foot of a list, that it comes from the replica, and how far that may be behind."""
    seconds = seconds_behind()
    if seconds is None:
        return _("From the replica, which may be behind")
    if seconds < 1:
        return _("From the replica, which has all it was sent")
    return _("From the replica, %(seconds)d s behind") % {"seconds": seconds}
