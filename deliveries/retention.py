"""What is kept for a limited time goes, by age, in batches."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from deliveries.models import Rejection

BATCH = 1000


def prune_rejections(*, now: datetime, dry_run: bool = False) -> int:
    """Remove rejections older than ``HUB_REJECTION_DAYS``; return how many (or how many it would be)."""
    if dry_run:
        return _old_rejections(now).count()
    total = 0
    while removed := prune_some_rejections(now=now):
        total += removed
    return total


def prune_some_rejections(*, now: datetime) -> int:
    """Remove up to `BATCH` old rejections, the oldest first, in one transaction; return how many.

    Receiving does not wait for longer than one batch.
    """
    ids = list(_old_rejections(now).order_by("received_at").values_list("pk", flat=True)[:BATCH])
    return Rejection.objects.filter(pk__in=ids).delete()[0] if ids else 0


def _old_rejections(now: datetime) -> QuerySet[Rejection]:
    return Rejection.objects.filter(received_at__lt=now - timedelta(days=settings.HUB_REJECTION_DAYS))
