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
class Bar:
    """What happened from ``at`` on; ``counts`` are those of `STACKED`, in its order."""

    at: datetime
    counts: list[int]


@dataclass(frozen=True)
class Chart:
    """The bars, ``top`` being the count that fills the whole height (0 if nothing happened).

    ``drawn`` has the class and the path of each of `STACKED`: three elements, and not three for each bar.
    """

    bars: list[Bar]
    top: int
    drawn: list[tuple[str, str]]

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
    return Chart([Bar(at, counts) for at, counts in counted], top, _drawn([counts for _, counts in counted], top))


def _drawn(bars: list[list[int]], top: int) -> list[tuple[str, str]]:
    step = WIDTH / max(len(bars), 1)
    width = step * (1 - _GAP)
    paths = ["" for _ in STACKED]
    for number, counts in enumerate(bars):
        x, y = (number + _GAP / 2) * step, HEIGHT
        for part, count in enumerate(counts):
            if count:
                height = count / top * HEIGHT
                y -= height
                paths[part] += f"M{x:.2f} {y:.2f}h{width:.2f}v{height:.2f}h-{width:.2f}z"
    return [(kind, path) for (_, kind, _), path in zip(STACKED, paths, strict=True) if path]
