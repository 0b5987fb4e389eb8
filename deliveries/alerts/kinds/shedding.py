"""Endpoints that refuse what they are sent because there is more than the hub can take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Sum
from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule, RejectionCount
from deliveries.overload.shedding import DISK_FULL, SHED


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the endpoints that refused so many requests, in the hours that the window reaches into."""
    sight = look.sight(rule)
    hour = _hour_of(look.now - timedelta(seconds=rule.window))
    rows = RejectionCount.objects.filter(hour__gte=hour, reason__in=(SHED, DISK_FULL), endpoint__in=sight.endpoints)
    for pk, refused in rows.values_list("endpoint").annotate(sum=Sum("count")).order_by("endpoint"):
        if refused < rule.limit:
            continue
        text = gettext("It answered 503 to %(refused)s requests since %(time)s UTC, for want of room.") % {
            "refused": f"{refused:,}",
            "time": f"{hour:%H:%M}",
        }
        mend = gettext("See Load for why: requests wait for a thread, deliveries for a worker, or the disk is full.")
        yield Finding(f"shedding:{pk}", sight.endpoints[pk].slug, text, mend, Place(Page.OVERLOAD), pk)


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
