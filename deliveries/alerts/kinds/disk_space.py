"""The disk that the database fills."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.disk import disk
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:  # noqa: ARG001 - as all kinds
    """Find that too little is free; nothing where the disk cannot be seen from here."""
    found = disk()
    if found is None or found.free_percent >= rule.limit:
        return
    text = gettext("%(percent)s %% of the database's disk are free, %(free)s GiB.") % {
        "percent": f"{found.free_percent:.0f}",
        "free": f"{found.free_bytes / 1024**3:,.1f}",
    }
    mend = gettext(
        "Shorten how long history is kept, or give it a larger disk: when it is full no event can be stored."
    )
    yield Finding("disk_space", gettext("Disk"), text, mend)
