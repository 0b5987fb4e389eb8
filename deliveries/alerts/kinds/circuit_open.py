"""Outside systems that are not called any more."""

from __future__ import annotations

from collections.abc import Iterator

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns import calling
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the connections of which so many calls failed in a row that they rest."""
    sight = look.sight(rule)
    for concern in calling.open_circuits(sight):
        if concern.count >= rule.limit:
            yield Finding.of(concern, sight)
