"""Endpoints whose last secret is about to expire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Max, Q
from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.concerns.receiving import receives
from deliveries.models import AlertRule
from integrations.models import Secret

#: What expired longer ago is not told any more.
_TOLD_FOR = timedelta(days=30)


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the endpoints that will accept nothing in so many days, as no secret is left."""
    sight = look.sight(rule)
    last = Secret.objects.values_list("endpoint_id").annotate(
        last=Max("expires_at"), unlimited=Count("pk", filter=Q(expires_at=None))
    )
    soon = last.filter(unlimited=0, last__lt=look.now + timedelta(days=rule.limit), last__gt=look.now - _TOLD_FOR)
    for pk, expires_at, _ in soon.order_by("last"):
        row = sight.endpoints.get(pk)
        if row is None or not receives(row):
            continue
        if expires_at > look.now:
            text = gettext("Its last secret expires on %(day)s at %(time)s UTC; then every request is refused.")
        else:
            text = gettext("Its last secret expired on %(day)s at %(time)s UTC; since then every request is refused.")
        text %= {"day": f"{expires_at:%Y-%m-%d}", "time": f"{expires_at:%H:%M}"}
        mend = gettext("Make another at the provider and add it here before the old one ends, or take its end away.")
        yield Finding(f"secret_expiry:{pk}", row.slug, text, mend, Place(Page.ENDPOINT, pk), pk)
