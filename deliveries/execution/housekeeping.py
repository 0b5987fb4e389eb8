"""What workers do now and then beside deliveries: feed bulk replays, remove what is too old, mend what is stranded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import structlog
from django.db import router

from deliveries import erasing
from deliveries.alerts.evaluating import Watch
from deliveries.execution.backfiller import Backfiller
from deliveries.execution.feeder import Feeder
from deliveries.models import Delivery
from deliveries.models.ordering import mend_stranded
from deliveries.payload_index.rounds import Indexer
from deliveries.retention import (
    BATCH,
    prune_some_alerts,
    prune_some_answers,
    prune_some_backfill_runs,
    prune_some_counts,
    prune_some_health,
    prune_some_of_the_audit_log,
    prune_some_rejections,
    prune_some_replay_items,
    prune_some_rollups,
    prune_some_shapes,
)
from deliveries.retention.sweep import sweep
from deliveries.schedules.firing import Scheduler
from deliveries.shapes.rounds import Learner

logger = structlog.get_logger(__name__)

_EVERY_SECONDS = 1800.0
#: While there is more to remove than one batch; deliveries go on in between.
_NEXT_BATCH_SECONDS = 1.0
#: So often a worker looks whether something is to be erased.
_ERASURES_SECONDS = 5.0
#: After a batch of events; a busy hub has many more of them than of anything else.
_NEXT_EVENTS_SECONDS = 0.5
#: So long a worker looks for events to remove before it turns to its deliveries again.
_LOOKING_SECONDS = 0.05
#: So long a key may stand still after its route's policy has changed.
_MEND_SECONDS = 10.0


class Housekeeping:
    """The clock of one worker process. Several processes may tidy up at once: each removes what it finds."""

    def __init__(self) -> None:
        self._at = self._mend_at = self._erase_at = float("-inf")
        self._feeder = Feeder()
        self._backfiller = Backfiller()
        self._scheduler = Scheduler()
        self._sweeper = _Sweeper()
        self._watch = Watch()
        self._learner = Learner()
        self._indexer = Indexer()

    def tidy_up(self, now: datetime, *, at_leisure: bool = True) -> None:
        """Do each in its time.

        Fire what is due by schedule, feed what is to be fed, have providers asked, look for what people are to
        be told, learn what payloads look like, index them, let stranded deliveries go on, and remove a batch of what
        is too old. ``at_leisure`` is that no delivery waits or runs in this process. Raises Django's database errors.
        """
        self._scheduler.step(now)
        self._feeder.step(now)
        self._backfiller.step(now)
        self._watch.step(now)
        self._learner.step(now)
        self._indexer.step(now, at_leisure=at_leisure)
        if time.monotonic() >= self._mend_at:
            self._mend_at = time.monotonic() + _MEND_SECONDS
            if mended := mend_stranded(now=now, using=router.db_for_write(Delivery)):
                logger.warning("keys.stranded", keys=mended)
        if time.monotonic() >= self._at:
            self._remove(now)
        self._sweeper.step(now)
        if time.monotonic() >= self._erase_at:
            waits = 0.0 if erasing.step(now=now) else _ERASURES_SECONDS
            self._erase_at = time.monotonic() + waits

    def _remove(self, now: datetime) -> None:
        removed = prune_some_rejections(now=now)
        counts = prune_some_counts(now=now)
        items = prune_some_replay_items(now=now)
        entries = prune_some_of_the_audit_log(now=now)
        answers = prune_some_answers(now=now)
        rollups = prune_some_rollups(now=now)
        runs = prune_some_backfill_runs(now=now)
        shapes = prune_some_shapes(now=now)
        alerts = prune_some_alerts(now=now)
        health = prune_some_health(now=now)
        has_more = max(removed, counts, items, entries, answers, rollups, runs, shapes, alerts, health) >= BATCH
        self._at = time.monotonic() + (_NEXT_BATCH_SECONDS if has_more else _EVERY_SECONDS)
        if removed:
            logger.info("rejections.pruned", removed=removed)
        if entries:
            logger.info("audit_log.pruned", removed=entries)


class _Sweeper:
    """Goes round through old events, a short transaction at a time."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._round: Iterator[Counter[str]] | None = None
        self._removed: Counter[str] = Counter()

    def step(self, now: datetime) -> None:
        """Remove a batch, if it is time for one. Raises Django's database errors; the next round starts anew then."""
        if time.monotonic() < self._at:
            return
        steps = self._round or sweep(now=now)
        self._round = None
        try:
            self._go_on(steps)
        except OSError:  # the archive cannot be written: nothing is removed, and deliveries go on
            logger.exception("archive.failed")
            self._at = time.monotonic() + _EVERY_SECONDS

    def _go_on(self, steps: Iterator[Counter[str]]) -> None:
        until = time.monotonic() + _LOOKING_SECONDS
        for counts in steps:
            self._removed += counts
            if counts or time.monotonic() >= until:
                self._round = steps
                self._at = time.monotonic() + (_NEXT_EVENTS_SECONDS if counts else 0)
                return
        if self._removed:
            logger.info("events.pruned", **self._removed)
        self._removed = Counter()
        self._at = time.monotonic() + _EVERY_SECONDS
