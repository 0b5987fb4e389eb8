"""Replay and discard: an operator's orders about deliveries, each with its entry in the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from deliveries import audit
from deliveries.models import Delivery, DeliveryStatus
from deliveries.models.ordering import lock_keys_of
from deliveries.models.states import DISCARDABLE, FINISHED
from deliveries.models.transitions import DeliveryQuerySet
from deliveries.stats import outcomes

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: A delivery in one of these can be replayed; any other is left alone.
REPLAYABLE = FINISHED

_BATCH = 500  # ids in one statement; SQLite takes 32,766 parameters, locks are held for a batch at a time


def replay(
    deliveries: DeliveryQuerySet, *, by: User, now: datetime | None = None, from_start: bool = False, via: str = ""
) -> int:
    """Make the finished ones of ``deliveries`` due at once, with a new retry budget; return how many.

    The others (running, waiting, held, and those whose body was removed) are left alone. Attempt numbers go on. With
    ``from_start`` the kept results of ``context.once`` are forgotten, so that every step runs again. Each delivery gets
    an entry in the audit log that names ``by``; ``via`` overrides where the surrounding request came from.
    """
    at = now or timezone.now()

    def move(rows: DeliveryQuerySet) -> int:
        return rows.replay(now=at, requested_by=by.get_username(), from_start=from_start)

    entry = "Replayed from the start." if from_start else "Replayed."
    return _moved(deliveries.with_body(), REPLAYABLE, move, by=by, entry=entry, via=via)


def discard(
    deliveries: DeliveryQuerySet, *, by: User, now: datetime | None = None, reason: str = "", via: str = ""
) -> int:
    """End those of ``deliveries`` that wait to run or gave up; return how many. The others stay as they are.

    ``reason`` is kept on the delivery; ``via`` is as with `replay`.
    """
    at = now or timezone.now()
    stated = f"{reason} (by {by.get_username()})" if reason else f"by {by.get_username()}"

    def move(rows: DeliveryQuerySet) -> int:
        ended = list(rows.only("endpoint_id", "route_id"))
        moved = rows.discard(now=at, reason=stated)
        transaction.on_commit(partial(outcomes.discarded, ended, now=at), using=rows.db)
        return moved

    return _moved(deliveries, DISCARDABLE, move, by=by, entry="Discarded.", via=via)


def _moved(
    deliveries: DeliveryQuerySet,
    legal: tuple[DeliveryStatus, ...],
    move: Callable[[DeliveryQuerySet], int],
    *,
    by: User,
    entry: str,
    via: str,
) -> int:
    ids = list(deliveries.filter(status__in=legal).order_by("pk").values_list("pk", flat=True))
    total = 0
    for start in range(0, len(ids), _BATCH):
        with transaction.atomic(using=deliveries.db):
            # The status is asked again under the lock: what a worker or another operator took meanwhile is not logged.
            batch = Delivery.objects.using(deliveries.db).filter(pk__in=ids[start : start + _BATCH], status__in=legal)
            lock_keys_of(batch)
            taken = list(batch.order_by("pk").select_for_update())
            total += move(Delivery.objects.using(deliveries.db).filter(pk__in=[row.pk for row in taken]))
            audit.record_all(audit.Action.ORDERED, taken, by=by, message=entry, via=via)
    return total
