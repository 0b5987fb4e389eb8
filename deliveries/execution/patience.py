"""How long the loop of a drain waits for a lock of the database: it has leases to renew meanwhile."""

from __future__ import annotations

import threading

from django.db import connection

#: Then the wait fails, as if the database were away, and comes round again after a rest.
LONGEST_WAIT_SECONDS = 3


class _Bounded(threading.local):
    connection: object = None


_bounded = _Bounded()


def bound_waits() -> None:
    """Bound the waits of this thread's connection, if that is not done already. Raises Django's database errors.

    Handlers, which use connections of other threads, wait as long as they like.
    """
    connection.ensure_connection()
    if _bounded.connection is connection.connection:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET lock_timeout = '{LONGEST_WAIT_SECONDS}s'")
        else:
            cursor.execute(f"PRAGMA busy_timeout = {LONGEST_WAIT_SECONDS * 1000}")
    _bounded.connection = connection.connection
