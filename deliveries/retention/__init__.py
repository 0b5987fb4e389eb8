"""What is kept for a limited time goes, by age, in batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from deliveries.long_work import Report, unheard
from deliveries.models import (
    Alert,
    AlertState,
    AuditEntry,
    BackfillRun,
    NamedCount,
    Rejection,
    RejectionCount,
    ReplayItem,
    Rollup,
    RollupTotal,
    Shape,
)
from deliveries.models.replay import UNDER_WAY
from deliveries.models.rollup import Grain
from integrations.models import Endpoint, StoredAnswer, UnnamedHealth
from integrations.models.stored_answer import KEPT

BATCH = 1000
#: The counts of refusals are small, and tell of trends long after the requests themselves are gone.
COUNT_AGE = timedelta(days=90)
#: What a bulk replay ran is listed for so long after its end; the order itself and its counts stay.
REPLAY_ITEM_AGE = timedelta(days=30)
#: Statistics by the minute and by the hour serve short windows; those by the day are kept for ``HUB_STATS_DAYS``.
MINUTES_AGE, HOURS_AGE = timedelta(days=1), timedelta(days=35)
#: Counts by name serve the last 24 hours.
NAMED_AGE = timedelta(days=2)
#: What a run of a backfill found is shown for so long after its end; its events stay.
BACKFILL_RUN_AGE = timedelta(days=30)


def prune_rejections(*, now: datetime, dry_run: bool = False, report: Report = unheard) -> int:
    """Remove rejections older than ``HUB_REJECTION_DAYS``; return how many (or how many it would be).

    Their counts by the hour go too, when they are older than `COUNT_AGE`, and the lists of what bulk replays ran, after
    `REPLAY_ITEM_AGE`, old alerts, old statistics, and what is known of systems that nobody calls any more; these are
    not in the number. ``report`` is told how many of how many rejections are done.
    """
    if dry_run:
        return _old_rejections(now).count()
    others = (prune_some_counts, prune_some_replay_items, prune_some_alerts, prune_some_rollups, prune_some_health)
    while any(some(now=now) for some in others):
        pass
    return _all(lambda: prune_some_rejections(now=now), _old_rejections(now).count(), report)


def prune_some_rejections(*, now: datetime) -> int:
    """Remove up to `BATCH` old rejections, the oldest first, in one transaction; return how many.

    Receiving does not wait for longer than one batch.
    """
    ids = list(_old_rejections(now).order_by("received_at").values_list("pk", flat=True)[:BATCH])
    return Rejection.objects.filter(pk__in=ids).delete()[0] if ids else 0


def prune_some_counts(*, now: datetime) -> int:
    """Remove up to `BATCH` counts of refusals older than `COUNT_AGE`; return how many."""
    old = RejectionCount.objects.filter(hour__lt=now - COUNT_AGE)
    ids = list(old.values_list("pk", flat=True)[:BATCH])
    return RejectionCount.objects.filter(pk__in=ids).delete()[0] if ids else 0


def prune_some_replay_items(*, now: datetime) -> int:
    """Remove up to `BATCH` items of bulk replays that ended more than `REPLAY_ITEM_AGE` ago; return how many."""
    ended = ReplayItem.objects.filter(replay__finished_at__lt=now - REPLAY_ITEM_AGE).exclude(state__in=UNDER_WAY)
    ids = list(ended.values_list("pk", flat=True)[:BATCH])
    return ReplayItem.objects.filter(pk__in=ids).delete()[0] if ids else 0


def prune_some_rollups(*, now: datetime) -> int:
    """Remove up to `BATCH` rows of statistics whose time is over, of each grain; return how many of most."""
    longest = timedelta(days=settings.HUB_STATS_DAYS)
    ages = {Grain.MINUTE: min(MINUTES_AGE, longest), Grain.HOUR: min(HOURS_AGE, longest), Grain.DAY: longest}
    removed = 0
    for grain, age in ages.items():
        for rows in (Rollup.objects.all(), RollupTotal.objects.all()):
            removed = max(removed, rows.prune(grain=grain, before=now - age, limit=BATCH))
    return max(removed, NamedCount.objects.prune(before=now - NAMED_AGE, limit=BATCH))


def prune_some_backfill_runs(*, now: datetime) -> int:
    """Remove up to `BATCH` runs of backfills that ended more than `BACKFILL_RUN_AGE` ago; return how many."""
    return BackfillRun.objects.prune(before=now - BACKFILL_RUN_AGE, limit=BATCH)


def prune_some_shapes(*, now: datetime) -> int:
    """Remove up to `BATCH` shapes of types that did not come for ``HUB_SHAPE_DAYS``, or that must not be kept.

    Those are the shapes of endpoints that were made sensitive, and all of them where nothing is learned. Return how
    many.
    """
    return Shape.objects.prune(before=now - timedelta(days=settings.HUB_SHAPE_DAYS), limit=BATCH)


def prune_some_alerts(*, now: datetime) -> int:
    """Remove up to `BATCH` alerts that were over more than ``HUB_ALERT_DAYS`` ago; return how many.

    Those that are open, or whose end is still to be told, stay.
    """
    before = now - timedelta(days=settings.HUB_ALERT_DAYS)
    # What began later cannot have been over before: that is what the index of states knows.
    over = Alert.objects.filter(state=AlertState.RESOLVED, ended_told=True, since__lt=before, resolved_at__lt=before)
    ids = list(over.order_by("since").values_list("pk", flat=True)[:BATCH])
    return Alert.objects.filter(pk__in=ids).delete()[0] if ids else 0


def prune_some_health(*, now: datetime) -> int:
    """Remove up to `BATCH` outside systems without a connection that nothing was heard of for long; return how many."""
    return UnnamedHealth.objects.prune(now=now, limit=BATCH)


def prune_audit_log(*, now: datetime, dry_run: bool = False, report: Report = unheard) -> int:
    """Remove entries of the audit log older than ``HUB_AUDIT_DAYS``; return how many (or how many it would be)."""
    old = AuditEntry.objects.filter(at__lt=_end_of_audit(now)).count()
    return old if dry_run else _all(lambda: prune_some_of_the_audit_log(now=now), old, report)


def prune_some_of_the_audit_log(*, now: datetime) -> int:
    """Remove up to `BATCH` old entries of the audit log; return how many."""
    return AuditEntry.objects.prune(before=_end_of_audit(now), limit=BATCH)


def prune_answers(*, now: datetime, dry_run: bool = False, report: Report = unheard) -> int:
    """Remove stored answers to requests with an ``Idempotency-Key`` after a day; return how many (or would be)."""
    old = StoredAnswer.objects.filter(created_at__lte=now - KEPT).count()
    return old if dry_run else _all(lambda: prune_some_answers(now=now), old, report)


def prune_some_answers(*, now: datetime) -> int:
    """Remove up to `BATCH` stored answers whose time is over; return how many."""
    return StoredAnswer.objects.prune(now=now, limit=BATCH)


def _all(some: Callable[[], int], old: int, report: Report) -> int:
    """Do ``some`` until there is nothing left; return how many it removed of about ``old``."""
    total = 0
    while removed := some():
        total += removed
        report(total, old)
    return total


def _end_of_audit(now: datetime) -> datetime:
    return now - timedelta(days=settings.HUB_AUDIT_DAYS)


def _old_rejections(now: datetime) -> QuerySet[Rejection]:
    """Return those past their endpoint's age, where it has one of its own; what is under a legal hold is not."""
    ages = set(Endpoint.objects.order_by().values_list("keep_rejections_days", flat=True).distinct())
    old = Q(pk__in=())
    for days in ages:
        if age := settings.HUB_REJECTION_DAYS if days is None else days:
            old |= Q(endpoint__keep_rejections_days=days, received_at__lt=now - timedelta(days=age))
    return Rejection.objects.filter(old, endpoint__legal_hold="")
