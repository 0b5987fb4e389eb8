"""Traffic of weeks, as rollup rows."""

from __future__ import annotations

from datetime import datetime, timedelta

from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from integrations.models import Endpoint


def hear(endpoint: Endpoint, at: datetime, count: int, *, measure: Measure = Measure.ACCEPTED) -> None:
    """Count ``count`` of ``measure`` at ``at``."""
    counting.add(measure, endpoint.pk, at=at, count=count)
    counting.flush()


def hear_every_week(endpoint: Endpoint, now: datetime, counts: list[int], *, hours: float = 1.0) -> None:
    """Count ``counts``, the latest week's first, ``hours`` before the same moment of the weeks before ``now``."""
    for week, count in enumerate(counts, start=1):
        hear(endpoint, now - timedelta(weeks=week, hours=hours), count)
