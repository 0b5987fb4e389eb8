"""A queue that grows old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns import executing
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find that what is due first has waited for too long."""
    sight = look.sight(rule)
    for concern in executing.queue_age(sight):
        if concern.since is not None and look.now - concern.since > timedelta(seconds=rule.limit):
            yield Finding.of(concern, sight)
