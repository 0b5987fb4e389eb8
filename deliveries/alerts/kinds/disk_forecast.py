"""The day on which the disk that the database fills is full."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext, ngettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.models import AlertRule
from deliveries.stats.disk import forecast


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find that the disk is full before the rule's days are over; nothing where its size is not known."""
    found = forecast(look.now)
    if found.full_in is None or found.full_in >= timedelta(days=rule.limit):
        return
    days = found.full_in.days
    text = ngettext(
        "At the growth of the last week, %(growth)s GiB a day, the database's disk is full in %(days)d day.",
        "At the growth of the last week, %(growth)s GiB a day, the database's disk is full in %(days)d days.",
        days,
    ) % {"growth": f"{found.growth / 1024**3:,.2f}", "days": days}
    mend = gettext(
        "Shorten how long history is kept, or give it a larger disk: when it is full no event can be stored."
    )
    yield Finding("disk_forecast", gettext("Disk"), text, mend)
