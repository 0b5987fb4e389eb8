"""Answers that come close to what the provider waits."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule
from deliveries.stats.buckets import percentile
from integrations.providers import providers

_JUDGED = 99
#: Of fewer answers the slowest is chance.
_FEWEST = 20


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the endpoints whose slowest answers took so much of their provider's deadline."""
    sight = look.sight(rule)
    for pk, counts in look.answers(rule).items():
        row = sight.endpoints[pk]
        preset = providers.get(row.provider)
        deadline = preset.deadline_seconds if preset is not None else None
        slowest = percentile(counts, _JUDGED)
        if preset is None or not deadline or slowest is None or counts.total() < _FEWEST:
            continue
        if slowest * 100 >= rule.limit * deadline:
            text = gettext(
                "%(judged)s %% of the answers took up to %(slowest)s s; %(preset)s waits %(deadline)s s."
            ) % {"judged": _JUDGED, "slowest": f"{slowest:.1f}", "preset": preset.name, "deadline": f"{deadline:g}"}
            mend = gettext(
                "What is later is sent again, or lost. See what slows the web processes: database, disk, processor."
            )
            yield Finding(f"ack_deadline:{pk}", row.slug, text, mend, Place(Page.ENDPOINT, pk), pk)
