"""When a secret last proved a request."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from cachetools import TTLCache
from django.db import DatabaseError, transaction
from django.db.models import Q

from integrations.models import Secret

log = structlog.get_logger(__name__)

#: The time on the secret may be behind by as much: one write a minute, not one for each event.
_EVERY = timedelta(minutes=1)
_noted: TTLCache[UUID, bool] = TTLCache(10_000, ttl=_EVERY.total_seconds())
_lock = threading.Lock()


def note(secret_id: UUID | None, *, at: datetime) -> None:
    """Remember that the secret proved a request; never fails, as the event is stored already."""
    if secret_id is None:
        return
    with _lock:
        if secret_id in _noted:
            return
        _noted[secret_id] = True
    before = Q(last_used_at=None) | Q(last_used_at__lt=at)
    try:
        with transaction.atomic():
            Secret.objects.filter(before, pk=secret_id).update(last_used_at=at)
    except DatabaseError as exc:
        log.warning("secret.last_use_not_noted", error_type=type(exc).__name__)
