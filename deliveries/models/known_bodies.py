"""Whether a body came before, asked for every event whose id is not signed.

In SQL: to build this statement anew from a queryset took a fifth of the processor time of an accepted event.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, router

from deliveries.models.event import Event, Verdict

_KNOWN = "SELECT 1 FROM deliveries_event WHERE endpoint_id = %s AND body_sha256 = %s AND verdict <> %s"
_BUT_KEY = f"{_KNOWN} AND dedupe_key <> %s LIMIT 1"
_WITH_KEYS = f"{_KNOWN} AND dedupe_key LIKE %s LIMIT 1"


def came_under_another_key(event: Event) -> bool:
    """Return whether an event of the endpoint has the body of ``event`` and another key.

    The hub's own do not count: they never went over a wire.
    """
    return _finds(_BUT_KEY, event, event.dedupe_key)


def came_under_key_with(prefix: str, event: Event) -> bool:
    """Return whether one has its body and a key that begins with ``prefix``, which holds no wildcard; as above."""
    return _finds(_WITH_KEYS, event, f"{prefix}%")


def _finds(statement: str, event: Event, key: str) -> bool:
    connection = connections[router.db_for_write(Event)]
    endpoint: Any = event._meta.get_field("endpoint").get_db_prep_value(event.endpoint_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(statement, [endpoint, bytes(event.body_sha256), Verdict.INTERNAL.value, key])
        return cursor.fetchone() is not None
