"""Events that came again with another body."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.utils.translation import gettext, ngettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule, EventVariant

#: So many of the newest are looked at.
_MOST = 1000


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the endpoints at which so many other bodies were kept in the window."""
    since = look.now - timedelta(seconds=rule.window)
    newest = EventVariant.objects.order_by("-pk").values_list("event__endpoint_id", "event_id", "received_at")[:_MOST]
    recent = [(endpoint, event) for endpoint, event, at in newest if at >= since]
    counts: Counter[UUID] = Counter(endpoint for endpoint, _ in recent)
    latest = dict(reversed(recent))
    sight = look.sight(rule)
    for pk, count in counts.items():
        if pk in sight.endpoints and count >= rule.limit:
            text = ngettext(
                "Under ids that are known already %(count)s other body came.",
                "Under ids that are known already %(count)s other bodies came.",
                count,
            ) % {"count": f"{count:,}"}
            mend = gettext(
                "The first body was handled. Open the event, compare, and take the other as an event if it is right."
            )
            place = Place(Page.EVENT, latest[pk])
            yield Finding(f"changed_duplicates:{pk}", sight.endpoints[pk].slug, text, mend, place, pk)
