"""Deliveries that gave up, by route."""

from __future__ import annotations

from collections.abc import Iterator

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns import executing
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the routes that have so many."""
    sight = look.sight(rule)
    for concern in executing.dead_letters(sight):
        if concern.count >= rule.limit:
            yield Finding.of(concern, sight)
