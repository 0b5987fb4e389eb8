"""Identifiers: UUIDv7, ordered by the time they were made, so that inserts go to the end of an index."""

from __future__ import annotations

import uuid

from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7 (RFC 9562)."""
    return uuid.UUID(int=_uuid7().int)
