"""A chart of stacked bars over time, as coordinates of an SVG that the page itself draws: no script, no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy

from deliveries.models.rollup import Measure
from deliveries.stats.reading import Figures

#: What is stacked, from the bottom up, with its colour's class and its name.
STACKED = (
    (Measure.ACCEPTED, "accepted", gettext_lazy("Accepted")),
    (Measure.REFUSED, "refused", gettext_lazy("Refused")),
    (Measure.DEAD, "dead", gettext_lazy("Gave up")),
)
#: The drawing's size in its own units; the page stretches it.
WIDTH, HEIGHT = 1000.0, 100.0
_GAP = 0.2


@dataclass(frozen=True)
class Piece:
    """One part of a bar: its class, where it begins from the top, and how high it is."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """What happened from ``at`` on; ``counts`` are those of `STACKED`, in its order."""

    at: datetime
    x: float
    width: float
    pieces: list[Piece]
    counts: list[int]


@dataclass(frozen=True)
class Chart:
    """The bars, ``top`` being the count that fills the whole height (0 if nothing happened)."""

    bars: list[Bar]
    top: int

    @property
    def names(self) -> list[tuple[str, str]]:
        """The class and the name of each part."""
        return [(kind, str(name)) for _, kind, name in STACKED]

    @property
    def rows(self) -> list[Bar]:
        """The bars in which something happened, the latest first: what the table beside the drawing lists."""
        return [bar for bar in reversed(self.bars) if any(bar.counts)]


def chart(slots: Mapping[datetime, Figures]) -> Chart:
    """Return the chart of ``slots``, in their order, equally wide."""
    counted = [(at, [figures.counts[measure] for measure, _, _ in STACKED]) for at, figures in slots.items()]
    top = max((sum(counts) for _, counts in counted), default=0)
    step = WIDTH / max(len(counted), 1)
    bars = [
        Bar(at, round((number + _GAP / 2) * step, 2), round(step * (1 - _GAP), 2), _pieces(counts, top), counts)
        for number, (at, counts) in enumerate(counted)
    ]
    return Chart(bars, top)


def _pieces(counts: list[int], top: int) -> list[Piece]:
    pieces, y = [], HEIGHT
    for (_, kind, _), count in zip(STACKED, counts, strict=True):
        if count:
            height = count / top * HEIGHT
            y -= height
            pieces.append(Piece(kind, round(y, 2), round(height, 2)))
    return pieces
