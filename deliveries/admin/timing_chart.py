"""A chart of percentiles over time on a logarithmic scale, as coordinates of an SVG that the page itself draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from deliveries import display
from deliveries.admin.chart import HEIGHT, WIDTH
from deliveries.models.rollup import Measure
from deliveries.stats.reading import Figures

#: The percentiles that are drawn, with their colour's class.
DRAWN = ((50, "half"), (95, "most"))


@dataclass(frozen=True)
class Limit:
    """What is not to be exceeded: how long, and what says so."""

    milliseconds: float
    name: str


@dataclass(frozen=True)
class Line:
    """One percentile: its class, its name, and the steps of its path."""

    kind: str
    name: str
    path: str


@dataclass(frozen=True)
class Mark:
    """A duration on the scale: where it is from the top, in hundredths, and what it is called."""

    y: float
    name: str


@dataclass(frozen=True)
class Row:
    """What was timed from ``at`` on; ``values`` are those of `DRAWN`, in their order."""

    at: datetime
    count: int
    values: list[str]


@dataclass(frozen=True)
class TimingChart:
    """The lines, the marks of the scale, and the limit where there is one; empty if nothing was timed."""

    title: str
    begins_at: datetime | None
    lines: list[Line]
    marks: list[Mark]
    rows: list[Row]
    limit: Limit | None = None
    limit_y: float = 0.0

    @property
    def names(self) -> list[str]:
        """The names of the percentiles."""
        return [line.name for line in self.lines]


def timing_chart(
    title: str, slots: Mapping[datetime, Figures], measure: Measure, *, limit: Limit | None = None
) -> TimingChart:
    """Return the percentiles of ``measure`` in ``slots``, in their order, equally wide, and ``limit`` over them."""
    timed = {at: [figures.milliseconds(measure, percent) for percent, _ in DRAWN] for at, figures in slots.items()}
    values = [value for found in timed.values() for value in found if value is not None]
    begins_at = next(iter(slots), None)
    if not values:
        return TimingChart(title, begins_at, [], [], [])
    bottom, top = _decades([*values, limit.milliseconds] if limit else values)
    lines = [
        Line(kind, f"{percent} %", _path([_y(found[number], bottom, top) for found in timed.values()]))
        for number, (percent, kind) in enumerate(DRAWN)
    ]
    rows = [
        Row(at, slots[at].timings[measure].total(), [display.milliseconds(value) for value in found])
        for at, found in reversed(timed.items())
        if found[0] is not None
    ]
    limit_y = _height(limit.milliseconds, bottom, top) if limit else 0.0
    return TimingChart(title, begins_at, lines, _marks(bottom, top), rows, limit, limit_y)


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """Return the powers of ten, in milliseconds, between which all of ``values`` are; they differ."""
    known = [max(value, 0.1) for value in values]
    bottom = math.floor(math.log10(min(known)))
    return bottom, max(bottom + 1, math.ceil(math.log10(max(known))))


def _y(value: float | None, bottom: int, top: int) -> float | None:
    return None if value is None else _height(value, bottom, top)


def _height(value: float, bottom: int, top: int) -> float:
    part = (math.log10(max(value, 10.0**bottom)) - bottom) / (top - bottom)
    return round(HEIGHT * (1 - part), 2)


def _path(heights: list[float | None]) -> str:
    """Return steps as wide as a span each, with gaps where nothing was timed."""
    step = WIDTH / max(len(heights), 1)
    parts: list[str] = []
    before: float | None = None
    for number, y in enumerate(heights):
        if y is not None:
            begin = f"V{y:g}" if before is not None else f"M{number * step:.2f} {y:g}"
            parts.append(f"{begin}H{(number + 1) * step:.2f}")
        before = y
    return "".join(parts)


def _marks(bottom: int, top: int) -> list[Mark]:
    return [
        Mark(round(100 * (1 - (power - bottom) / (top - bottom)), 2), display.milliseconds(10.0**power))
        for power in range(bottom, top + 1)
    ]
