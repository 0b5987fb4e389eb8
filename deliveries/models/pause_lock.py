"""The lock between who makes held deliveries and who lets them go.

Without it a delivery could be held the moment after all that was held was let go, and nobody would come for it any
more. Who makes deliveries of an endpoint that it knows as paused shares the lock, before it looks whether that still
holds; who pauses or resumes has it alone. It is an advisory lock of PostgreSQL's because its queue is fair: the lock of
a row is either had by one receiver at a time, or shared by so many in turn that a resume never gets it.

On SQLite the transaction is the lock. It is taken before the locks of ordering keys (`deliveries.models.ordering`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from uuid import UUID

from django.db import connections

from deliveries.models.prepared import Statement

_SHARE = "SELECT pg_advisory_xact_lock_shared(%s::int, %s::int)"
_ALONE = "SELECT pg_advisory_xact_lock(%s::int, %s::int)"
#: What `share` does, for one endpoint, whose `name_of` are the parameters.
SHARED = Statement(_SHARE, ["integer", "integer"])
#: Namespace of these locks among PostgreSQL's advisory ones.
_CLASS = 0x9A05ED


def share(endpoints: Iterable[UUID], *, using: str) -> None:
    """Wait for who pauses or resumes any of ``endpoints``, and keep them waiting to the end of the transaction."""
    _take(_SHARE, endpoints, using)


def take(endpoint: UUID, *, using: str) -> None:
    """Wait for who makes held deliveries of ``endpoint``, and keep them waiting to the end of the transaction."""
    _take(_ALONE, [endpoint], using)


def name_of(endpoint: UUID) -> tuple[int, int]:
    """Return the parameters that name the lock; endpoints may share one."""
    return _CLASS, zlib.crc32(endpoint.bytes) - 2**31


def _take(statement: str, endpoints: Iterable[UUID], using: str) -> None:
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # Always in the same order: nobody waits in a circle.
        for lock in sorted({name_of(endpoint) for endpoint in endpoints}):
            cursor.execute(statement, lock)
