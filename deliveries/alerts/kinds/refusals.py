"""Endpoints that refuse much of what they are sent."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule
from deliveries.models.rollup import Measure

#: Fewer may be a stranger's who found the address.
_FEWEST = 10


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the endpoints that refused so many of the requests in the window."""
    sight = look.sight(rule)
    for pk, counts in look.by_endpoint(rule).items():
        refused = counts[Measure.REFUSED]
        heard = refused + counts[Measure.ACCEPTED] + counts[Measure.DUPLICATE]
        if refused < _FEWEST or refused * 100 < rule.limit * heard:
            continue
        text = gettext("It refused %(refused)s of %(heard)s requests in the last %(minutes)s minutes.") % {
            "refused": f"{refused:,}",
            "heard": f"{heard:,}",
            "minutes": rule.window // 60,
        }
        mend = gettext("Open a refusal: its page says what would have matched. Was a secret changed at the provider?")
        place = Place(Page.REJECTIONS, filters={"endpoint": str(pk)})
        yield Finding(f"refusals:{pk}", sight.endpoints[pk].slug, text, mend, place, pk)
