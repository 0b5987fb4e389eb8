"""A queue that is nearly full."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule

_CAPACITY = 10_000


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find that so much of the capacity is waiting for a worker; nothing is counted beyond that."""
    capacity = rule.capacity or _CAPACITY
    least = max(1, ceil(capacity * rule.limit / 100))
    found = look.queue(rule, most=least)
    if found.depth < least:
        return
    text = gettext(
        "%(least)s deliveries or more wait for a worker, %(limit)s %% of the %(capacity)s that are planned for."
    ) % {"least": f"{least:,}", "limit": f"{rule.limit:g}", "capacity": f"{capacity:,}"}
    mend = gettext(
        "More HUB_WORKERS or HUB_WORKER_THREADS take more at once; slow or failing routes can be paused meanwhile."
    )
    place = Place(Page.DELIVERIES, filters={"status": "pending"})
    yield Finding("queue_depth", gettext("Queue"), text, mend, place, rule.endpoint_id)
