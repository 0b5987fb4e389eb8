"""How an endpoint's answers stand against the time that its provider waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext, ngettext

from deliveries import display
from deliveries.admin.timing_chart import Limit, TimingChart, timing_chart
from deliveries.models.rollup import Measure
from deliveries.stats import reading
from deliveries.stats.buckets import over
from deliveries.stats.reading import Figures
from deliveries.stats.windows import Window
from integrations.models import Endpoint
from integrations.providers import providers

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: The percentile that is judged, and the part of the deadline up to which all is well.
_JUDGED = 99
_COMFORTABLE = 0.5


@dataclass(frozen=True)
class Health:
    """The judgement (``kind``: success, warning, danger or neutral), the percentiles behind it, and the chart."""

    kind: str
    judgement: str
    text: str
    percentiles: list[tuple[str, str]]
    chart: TimingChart


def health(row: Endpoint, window: Window, *, user: Person) -> Health:
    """Return how fast requests to ``row`` were answered in ``window``, of those that were accepted."""
    found = reading.overall(user, window, endpoints=[row.pk])
    preset = providers.get(row.provider)
    seconds = preset.deadline_seconds if preset is not None else None
    limit = (
        Limit(
            seconds * 1000,
            gettext("%(preset)s waits %(seconds)s s") % {"preset": preset.name, "seconds": f"{seconds:g}"},
        )
        if preset is not None and seconds
        else None
    )
    kind, judgement, text = _judged(found, limit)
    return Health(
        kind=kind,
        judgement=judgement,
        text=text,
        percentiles=[(f"{n} %", display.milliseconds(found.milliseconds(Measure.ACK, n))) for n in (50, 95, 99)],
        chart=timing_chart(gettext("Answers to the provider"), found.slots, Measure.ACK, limit=limit),
    )


def _judged(found: Figures, limit: Limit | None) -> tuple[str, str, str]:
    slowest = found.milliseconds(Measure.ACK, _JUDGED)
    waits = (
        gettext("%(limit)s for its answer.") % {"limit": limit.name}
        if limit
        else gettext("The provider documents no deadline for the answer.")
    )
    if slowest is None:
        return "neutral", gettext("not measured"), gettext("No event was accepted. %(waits)s") % {"waits": waits}
    text = gettext("%(judged)s %% of the answers took no longer than %(milliseconds)s. %(waits)s") % {
        "judged": _JUDGED,
        "milliseconds": display.milliseconds(slowest),
        "waits": waits,
    }
    if limit is None:
        return "neutral", gettext("no deadline"), text
    late = over(found.timings[Measure.ACK], limit.milliseconds / 1000)
    if late:
        more = ngettext(
            "At least %(late)s answer was later than that: such events are sent again, or lost.",
            "At least %(late)s answers were later than that: such events are sent again, or lost.",
            late,
        )
        text += " " + more % {"late": f"{late:,}"}
    if slowest > limit.milliseconds:
        return "danger", gettext("too slow"), text
    if late or slowest > limit.milliseconds * _COMFORTABLE:
        return "warning", gettext("close to the deadline"), text
    return "success", gettext("in time"), text
