"""Spans of time until now, as ``15m``, ``24h`` or ``7d``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from deliveries.models.rollup import Grain

PATTERN = r"[1-9][0-9]{0,4}[mhdw]"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=366)
#: The longest window that is looked at in spans of a minute, and in spans of an hour.
_BY_MINUTE, _BY_HOUR = timedelta(hours=3), timedelta(days=8)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """The time from ``since``, the beginning of a span of ``grain``, to ``until``, which is now."""

    text: str
    grain: Grain
    since: datetime
    until: datetime

    @property
    def slots(self) -> list[datetime]:
        """The beginnings of its spans, the last of which is not over yet."""
        count = (self.until - self.since) // self.grain.length + 1
        return [self.since + number * self.grain.length for number in range(count)]

    @property
    def parts(self) -> list[tuple[Grain, datetime, datetime]]:
        """The longest spans that it is made of: of each grain the beginning of the first, and the end of the last."""
        parts, begins = [], self.since
        for grain, longer in ((Grain.MINUTE, Grain.HOUR), (Grain.HOUR, Grain.DAY), (Grain.DAY, None)):
            if grain < self.grain or begins > self.until:
                continue
            ends = _next(begins, longer) if longer else floor(self.until, grain) + grain.length
            if begins < ends:
                parts.append((grain, begins, ends))
            begins = ends
        return parts

    @property
    def coarser(self) -> Window:
        """Its whole days, today as well, if it is of hours; itself if it is not."""
        return replace(self, grain=Grain.DAY, since=_next(self.since, Grain.DAY)) if self.grain == Grain.HOUR else self


def window(text: str, *, now: datetime) -> Window:
    """Return the window that ``text`` says: at least as long, from the beginning of a minute, an hour or a UTC day.

    Raises `ValueError`, for people, if it is no window, or longer than a year.
    """
    if not re.fullmatch(PATTERN, text, re.ASCII):
        raise ValueError("A number of minutes, hours, days or weeks, such as 15m, 24h, 7d or 4w.")
    length = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    if length > _LONGEST:
        raise ValueError(f"At most {_LONGEST.days}d.")
    grain = Grain.MINUTE if length <= _BY_MINUTE else Grain.HOUR if length <= _BY_HOUR else Grain.DAY
    return Window(text, grain, floor(now - length, grain), now)


def floor(at: datetime, grain: Grain) -> datetime:
    """Return the beginning of the span that ``at`` is in."""
    return _EPOCH + ((at - _EPOCH) // grain.length) * grain.length


def _next(at: datetime, grain: Grain) -> datetime:
    """Return the first beginning of a span that is not before ``at``."""
    begun = floor(at, grain)
    return begun if begun == at else begun + grain.length
