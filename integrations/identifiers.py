"""Identifiers: UUIDv7, ordered by the time they were made, so that inserts go to the end of an index."""

from __future__ import annotations

import uuid
from datetime import datetime

from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7 (RFC 9562)."""
    return uuid.UUID(int=_uuid7().int)


def lowest_at(moment: datetime) -> uuid.UUID:
    """Return what no UUIDv7 that is made at ``moment`` or later is lower than."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)
