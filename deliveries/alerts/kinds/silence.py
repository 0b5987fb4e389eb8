"""Endpoints that have gone quiet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns import receiving
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule
from deliveries.models.rollup import Measure


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the endpoints that heard less than in weeks before, or less than the threshold if there is one."""
    if rule.limit > 0:
        yield from _below(rule, look)
        return
    sight = look.sight(rule)
    for concern in receiving.silence(sight):
        yield Finding.of(concern, sight)


def _below(rule: AlertRule, look: Look) -> Iterator[Finding]:
    counts = look.by_endpoint(rule)
    begun = look.now - timedelta(seconds=rule.window)
    for pk, row in look.sight(rule).endpoints.items():
        if not receiving.receives(row) or row.created_at > begun:
            continue
        if row.provider == "internal" and rule.endpoint_id is None:
            continue  # what the hub makes itself is silent for as long as nothing makes it
        heard = sum(counts[pk][name] for name in (Measure.ACCEPTED, Measure.DUPLICATE)) if pk in counts else 0
        if heard < rule.limit:
            text = gettext("%(heard)s came in the last %(minutes)s minutes; expected are %(limit)s or more.") % {
                "heard": f"{heard:,}",
                "minutes": rule.window // 60,
                "limit": f"{rule.limit:g}",
            }
            mend = gettext("See at the provider whether the webhook is still switched on, and what its deliveries say.")
            yield Finding(f"silence:{pk}", row.slug, text, mend, Place(Page.ENDPOINT, pk), pk)
