"""The table of endpoints on the first page: what each did in the window, as numbers and as a small drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.urls import reverse

from deliveries import display
from deliveries.concerns import Sight
from deliveries.models import Event
from deliveries.models.rollup import Measure
from deliveries.stats.reading import Detail, EndpointFigures, Figures, Summary
from deliveries.stats.windows import Window
from integrations.models import Endpoint, EndpointState

#: Endpoints in the table, the busiest.
MOST_LINES = 25
#: The drawing's size in its own units; the page stretches it.
WIDTH, HEIGHT = 120.0, 24.0
_DRAWN = ((Measure.ACCEPTED, "accepted"), (Measure.REFUSED, "refused"))
#: Spans that a sparkline has room for; a week is drawn by days.
_MOST_SPANS = 100


@dataclass(frozen=True)
class EndpointLine:
    """What one endpoint did; ``rate`` is the part of its finished deliveries that succeeded, ``drawn`` its sparkline.

    The sparkline is a path for each of what was accepted and refused, one over the other, the highest bar being the
    endpoint's own.
    """

    pk: UUID
    slug: str
    url: str
    state: str
    accepted: int
    refused: int
    rate: str
    is_bad: bool
    took: str
    last_event_at: datetime | None
    drawn: list[tuple[str, str]]


def spans(chosen: Window) -> Window:
    """Return ``chosen`` in the spans that are drawn of each endpoint."""
    return chosen.coarser if len(chosen.slots) > _MOST_SPANS else chosen


def detail(chosen: Window) -> Detail:
    """Return what the lines show of single endpoints."""
    measures = [measure for measure, _ in _DRAWN]
    return Detail(most=MOST_LINES, measures=measures, timings=[Measure.DONE], spans=spans(chosen))


def endpoint_lines(sight: Sight, found: Summary, chosen: Window) -> tuple[list[EndpointLine], int]:
    """Return a line for each endpoint in service or with something in the window, by slug, and how many are left out.

    Of many, the busiest are shown.
    """
    in_service = [pk for pk, row in sight.endpoints.items() if row.retired_at is None]
    known = [pk for pk in {*in_service, *found.endpoints} if pk in sight.endpoints]
    nothing = EndpointFigures()
    busiest = sorted(known, key=lambda pk: (-found.endpoints.get(pk, nothing).requests, pk))
    shown = sorted(busiest[:MOST_LINES], key=lambda pk: sight.endpoints[pk].slug)
    last = _last_events(shown)
    slots = spans(chosen).slots
    lines = [_line(sight.endpoints[pk], found.endpoints.get(pk, nothing), last.get(pk), slots=slots) for pk in shown]
    return lines, len(known) - len(shown)


def rate(figures: Figures) -> str:
    """Return which part of what ended has succeeded; a dash if nothing ended."""
    succeeded, dead = figures.counts[Measure.SUCCEEDED], figures.counts[Measure.DEAD]
    return f"{succeeded / (succeeded + dead):.1%}" if succeeded + dead else "–"


def _line(
    row: Endpoint, figures: EndpointFigures, last_event_at: datetime | None, *, slots: list[datetime]
) -> EndpointLine:
    return EndpointLine(
        pk=row.pk,
        slug=row.slug,
        url=reverse("admin:integrations_endpoint_change", args=[row.pk]),
        state="" if row.state == EndpointState.ACTIVE else row.state,
        accepted=figures.counts[Measure.ACCEPTED],
        refused=figures.counts[Measure.REFUSED],
        rate=rate(figures),
        is_bad=figures.counts[Measure.DEAD] > 0,
        took=display.milliseconds(figures.milliseconds(Measure.DONE, 95)),
        last_event_at=last_event_at,
        drawn=_sparkline(figures.slots, slots),
    )


def _last_events(endpoints: list[UUID]) -> Mapping[UUID, datetime | None]:
    """Return when the latest event of each came: one look each at the end of an index."""
    latest = Event.objects.filter(endpoint=OuterRef("pk")).order_by("-received_at").values("received_at")[:1]
    rows = Endpoint.objects.filter(pk__in=endpoints).annotate(last_event_at=Subquery(latest))
    return dict(rows.values_list("pk", "last_event_at"))


def _sparkline(counted: Mapping[datetime, Counter[Measure]], slots: list[datetime]) -> list[tuple[str, str]]:
    stacks = {
        number: [counted[at][measure] for measure, _ in _DRAWN] for number, at in enumerate(slots) if at in counted
    }
    top = max((sum(counts) for counts in stacks.values()), default=0)
    if not top:
        return []
    step = WIDTH / len(slots)
    paths = ["" for _ in _DRAWN]
    for number, counts in stacks.items():
        y = HEIGHT
        for part, count in enumerate(counts):
            if count:
                height = count / top * HEIGHT
                y -= height
                paths[part] += f"M{number * step:.1f} {y:.1f}h{step * 0.8:.2f}v{height:.1f}h-{step * 0.8:.2f}z"
    return [(kind, path) for (_, kind), path in zip(_DRAWN, paths, strict=True) if path]
