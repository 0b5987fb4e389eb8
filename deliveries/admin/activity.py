"""What went on in a window of time, for the first page: from rollup rows, never from the large tables."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from deliveries import display
from deliveries.admin.chart import Chart, chart
from deliveries.admin.endpoint_lines import EndpointLine, detail, endpoint_lines
from deliveries.admin.timing_chart import Limit, TimingChart, timing_chart
from deliveries.concerns import Sight
from deliveries.models.rollup import Measure
from deliveries.stats import reading
from deliveries.stats.reading import Summary
from deliveries.stats.windows import Window, window
from integrations.models import EndpointState
from integrations.providers import providers

#: The windows to choose from; `_DEFAULT` where none is chosen.
WINDOWS = {"1h": "1 hour", "24h": "24 hours", "7d": "7 days"}
_DEFAULT = "24h"
#: In a chart; a week has bars of three hours.
_MOST_BARS = 61


@dataclass(frozen=True)
class Card:
    """One number, what it counts, where the list is ("" for none), and whether it is good, bad or neither."""

    title: str
    value: str
    note: str
    url: str = ""
    kind: str = "neutral"


@dataclass(frozen=True)
class Activity:
    """The window that was chosen, those to choose from, and what happened in it, added up and over time."""

    chosen: Window
    windows: list[tuple[str, str, bool]]
    cards: list[Card]
    chart: Chart
    timings: list[TimingChart]
    endpoints: list[EndpointLine]
    left_out: int


def activity(request: HttpRequest, sight: Sight) -> Activity:
    """Return what happened at the endpoints that the user may see, in the window that the address asks for."""
    asked = request.GET.get("window", _DEFAULT)
    chosen = window(asked if asked in WINDOWS else _DEFAULT, now=sight.now)
    found = reading.summary(request.user, chosen, detail=detail(chosen))
    slots = reading.merged(found.slots, most=_MOST_BARS)
    lines, left_out = endpoint_lines(sight, found, chosen)
    return Activity(
        chosen=chosen,
        windows=[(key, title, key == chosen.text) for key, title in WINDOWS.items()],
        cards=_cards(found, WINDOWS[chosen.text]),
        chart=chart(slots),
        timings=[
            timing_chart(gettext("Answers to providers"), slots, Measure.ACK, limit=strictest_deadline(sight)),
            timing_chart(gettext("Handlers"), slots, Measure.HANDLER),
        ],
        endpoints=lines,
        left_out=left_out,
    )


def strictest_deadline(sight: Sight) -> Limit | None:
    """Return the shortest time in which a provider of an endpoint in service wants its answer; None if none says so."""
    found = [
        (preset.deadline_seconds, preset.name)
        for row in sight.endpoints.values()
        if row.retired_at is None and row.state != EndpointState.DISABLED
        if (preset := providers.get(row.provider)) is not None and preset.deadline_seconds is not None
    ]
    if not found:
        return None
    seconds, name = min(found)
    return Limit(seconds * 1000, gettext("%(name)s waits %(seconds)s s") % {"name": name, "seconds": f"{seconds:g}"})


def _cards(found: Summary, span: str) -> list[Card]:
    deliveries = reverse("admin:deliveries_delivery_changelist")
    accepted, refused, succeeded, dead = (
        found.counts[measure] for measure in (Measure.ACCEPTED, Measure.REFUSED, Measure.SUCCEEDED, Measure.DEAD)
    )
    done = display.milliseconds(found.milliseconds(Measure.DONE, 95))
    ended, refusals = gettext("Deliveries in %(span)s.") % {"span": span}, "warning" if refused else "neutral"
    return [
        Card(
            gettext("Accepted"),
            f"{accepted:,}",
            gettext("Events in %(span)s.") % {"span": span},
            reverse("admin:deliveries_event_changelist"),
        ),
        Card(
            gettext("Refused"), f"{refused:,}", gettext("Requests in %(span)s.") % {"span": span}, _refusals(), refusals
        ),
        Card(gettext("Succeeded"), f"{succeeded:,}", ended, f"{deliveries}?status=succeeded"),
        Card(gettext("Gave up"), f"{dead:,}", ended, f"{deliveries}?status=dead", "danger" if dead else "neutral"),
        Card(gettext("Receipt to done"), done, gettext("95 % took no longer, retries included.")),
    ]


def _refusals() -> str:
    return reverse("admin:deliveries_rejection_changelist")
