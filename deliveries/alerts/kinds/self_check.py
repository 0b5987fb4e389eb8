"""The hub's own event that does not come out."""

from __future__ import annotations

from collections.abc import Iterator

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns import executing
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find that the last one that came out is too old."""
    sight = look.sight(rule)
    for concern in executing.self_check(sight):
        if concern.since is not None and (look.now - concern.since).total_seconds() > rule.limit:
            yield Finding.of(concern, sight)
