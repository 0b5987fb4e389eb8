"""Routes whose handler keeps failing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID

from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule
from deliveries.models.rollup import Measure

#: Of fewer attempts a part says nothing.
_FEWEST = 10


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the routes of which so many of the attempts in the window failed."""
    sight = look.sight(rule)
    counts: defaultdict[UUID, Counter[Measure]] = defaultdict(Counter)
    for (_, route, measure), count in look.counted(rule).items():
        counts[route][measure] += count
    for pk, found in counts.items():
        failed = found[Measure.FAILED]
        attempts = failed + found[Measure.SUCCEEDED]
        if pk not in sight.routes or attempts < _FEWEST or failed * 100 < rule.limit * attempts:
            continue
        row = sight.routes[pk]
        text = gettext("%(failed)s of %(attempts)s attempts failed in the last %(minutes)s minutes.") % {
            "failed": f"{failed:,}",
            "attempts": f"{attempts:,}",
            "minutes": rule.window // 60,
        }
        mend = gettext("Open one that failed: its error says why. Pause the route while its outside system is down.")
        place = Place(Page.DELIVERIES, filters={"route": str(pk)})
        yield Finding(f"failure_rate:{pk}", f"{row.endpoint.slug} → {row.name}", text, mend, place, row.endpoint_id)
