"""Workers that are gone: fewer are alive than there should be, or one went silent at its work."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext, ngettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns import executing
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find that none takes deliveries, that too few do, and those that went silent."""
    sight = look.sight(rule)
    missing = list(executing.no_worker(sight))
    taking = sum(not row.stopping for row in sight.workers_alive)
    if not missing and taking < rule.limit:
        text = ngettext(
            "%(count)s of %(limit)s workers is heard of.", "%(count)s of %(limit)s workers are heard of.", taking
        ) % {"count": f"{taking:,}", "limit": f"{rule.limit:g}"}
        mend = gettext("See which is missing, and why its machine or process ended.")
        yield Finding("too_few_workers", "", text, mend, Place(Page.WORKERS))
    for concern in (*missing, *executing.silent_workers(sight)):
        yield Finding.of(concern, sight)
