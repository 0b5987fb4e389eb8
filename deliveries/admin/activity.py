"""What went on in a window of time, for the first page: from rollup rows, never from the large tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.urls import reverse

from deliveries import display
from deliveries.admin.chart import Chart, chart
from deliveries.models.rollup import Measure
from deliveries.stats import reading
from deliveries.stats.reading import Figures
from deliveries.stats.windows import Window, window

#: The windows to choose from; `_DEFAULT` where none is chosen.
WINDOWS = {"1h": "1 hour", "24h": "24 hours", "7d": "7 days"}
_DEFAULT = "24h"


@dataclass(frozen=True)
class Figure:
    """One number of the window, and the list where there is one."""

    title: str
    value: str
    url: str = ""


@dataclass(frozen=True)
class EndpointLine:
    """What one endpoint did; ``rate`` is the part of its finished deliveries that succeeded."""

    slug: str
    url: str
    accepted: int
    refused: int
    rate: str
    took: str


@dataclass(frozen=True)
class Activity:
    """The window that was chosen, those to choose from, and what happened in it, added up and over time."""

    chosen: Window
    windows: list[tuple[str, str, bool]]
    figures: list[Figure]
    chart: Chart
    endpoints: list[EndpointLine] = field(default_factory=list)


def activity(request: HttpRequest, *, now: datetime) -> Activity:
    """Return what happened at the endpoints that the user may see, in the window that the address asks for."""
    asked = request.GET.get("window", _DEFAULT)
    chosen = window(asked if asked in WINDOWS else _DEFAULT, now=now)
    found = reading.summary(request.user, chosen)
    lines = [
        EndpointLine(
            slug=item.slug,
            url=reverse("admin:integrations_endpoint_change", args=[pk]),
            accepted=item.counts[Measure.ACCEPTED],
            refused=item.counts[Measure.REFUSED],
            rate=_rate(item),
            took=_p95(item),
        )
        for pk, item in sorted(found.endpoints.items(), key=lambda pair: pair[1].slug)
    ]
    choices = [(key, title, key == chosen.text) for key, title in WINDOWS.items()]
    return Activity(chosen, choices, _figures(found), chart(found.slots), lines)


def _figures(found: Figures) -> list[Figure]:
    deliveries = reverse("admin:deliveries_delivery_changelist")
    return [
        Figure("Accepted", f"{found.counts[Measure.ACCEPTED]:,}", reverse("admin:deliveries_event_changelist")),
        Figure("Refused", f"{found.counts[Measure.REFUSED]:,}", reverse("admin:deliveries_rejection_changelist")),
        Figure("Succeeded", f"{found.counts[Measure.SUCCEEDED]:,}", f"{deliveries}?status=succeeded"),
        Figure("Gave up", f"{found.counts[Measure.DEAD]:,}", f"{deliveries}?status=dead"),
        Figure("Receipt to done, 95 %", _p95(found)),
    ]


def _p95(figures: Figures) -> str:
    milliseconds = figures.milliseconds(Measure.DONE, 95)
    if milliseconds is None:
        return "–"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else display.length(timedelta(milliseconds=milliseconds))


def _rate(figures: Figures) -> str:
    succeeded, dead = figures.counts[Measure.SUCCEEDED], figures.counts[Measure.DEAD]
    return f"{succeeded / (succeeded + dead):.1%}" if succeeded + dead else "–"
