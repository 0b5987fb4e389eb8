"""What workers do now and then beside deliveries: let go what is kept for a limited time."""

from __future__ import annotations

import time
from datetime import datetime

import structlog

from deliveries.retention import (
    BATCH,
    prune_some_answers,
    prune_some_counts,
    prune_some_of_the_audit_log,
    prune_some_rejections,
)

logger = structlog.get_logger(__name__)

_EVERY_SECONDS = 1800.0
#: While there is more to remove than one batch; deliveries go on in between.
_NEXT_BATCH_SECONDS = 1.0


class Housekeeping:
    """The clock of one worker process. Several processes may tidy up at once: each removes what it finds."""

    def __init__(self) -> None:
        self._at = float("-inf")

    def tidy_up(self, now: datetime) -> None:
        """Remove a batch of what is too old, if it is time. Raises Django's database errors."""
        if time.monotonic() < self._at:
            return
        removed = prune_some_rejections(now=now)
        counts = prune_some_counts(now=now)
        entries = prune_some_of_the_audit_log(now=now)
        answers = prune_some_answers(now=now)
        has_more = max(removed, counts, entries, answers) >= BATCH
        self._at = time.monotonic() + (_NEXT_BATCH_SECONDS if has_more else _EVERY_SECONDS)
        if removed:
            logger.info("rejections.pruned", removed=removed)
        if entries:
            logger.info("audit_log.pruned", removed=entries)
