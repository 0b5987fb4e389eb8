"""When a secret last proved a request, and when an endpoint last answered its provider's check of the URL."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from cachetools import TTLCache
from django.db import DatabaseError, transaction
from django.db.models import Q

from integrations.models import Endpoint, Secret

log = structlog.get_logger(__name__)

#: The time on the row may be behind by as much: one write a minute, not one for each event or each stranger's check.
_EVERY = timedelta(minutes=1)
_noted: TTLCache[UUID, bool] = TTLCache(10_000, ttl=_EVERY.total_seconds())
_lock = threading.Lock()


def note(secret_id: UUID | None, *, at: datetime) -> None:
    """Remember that the secret proved a request; never fails, as the event is stored already."""
    if secret_id is not None and _is_first(secret_id):
        before = Q(last_used_at=None) | Q(last_used_at__lt=at)
        try:
            with transaction.atomic():
                Secret.objects.filter(before, pk=secret_id).update(last_used_at=at)
        except DatabaseError as exc:
            log.warning("secret.last_use_not_noted", error_type=type(exc).__name__)


def note_handshake(endpoint_id: UUID, *, at: datetime) -> None:
    """Remember that the endpoint answered its provider's check; never fails, as the answer is made already."""
    if _is_first(endpoint_id):
        before = Q(handshake_at=None) | Q(handshake_at__lt=at)
        try:
            with transaction.atomic():
                Endpoint.objects.filter(before, pk=endpoint_id).update(handshake_at=at)
        except DatabaseError as exc:
            log.warning("endpoint.handshake_not_noted", error_type=type(exc).__name__)


def _is_first(pk: UUID) -> bool:
    """Return whether nothing was noted of the row with this id for a while."""
    with _lock:
        if pk in _noted:
            return False
        _noted[pk] = True
        return True
