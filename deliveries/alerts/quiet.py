"""Times of the week at which nobody is to be told, as people write them: ``MON-FRI 18:00-08:00``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MINUTES_OF_A_DAY = 24 * 60
_LINE = re.compile(r"(?P<days>[A-Z,\-]+)(?:\s+(?P<since>\d{1,2}:\d\d)\s*-\s*(?P<until>\d{1,2}:\d\d))?", re.ASCII)
_HELP = "such as MON-FRI 18:00-08:00 or SAT,SUN"


@dataclass(frozen=True)
class Span:
    """From minute ``since`` of each of ``days`` (0 is Monday) until ``until``, on the next day if that is not later."""

    days: frozenset[int]
    since: int = 0
    until: int = _MINUTES_OF_A_DAY

    def holds(self, weekday: int, minute: int) -> bool:
        """Return whether that minute of that day of the week is in it."""
        if self.since < self.until:
            return weekday in self.days and self.since <= minute < self.until
        evening = weekday in self.days and minute >= self.since
        return evening or ((weekday - 1) % 7 in self.days and minute < self.until)


def spans(text: str) -> list[Span]:
    """Return the times that ``text`` names, one in a line. Raises `ValueError`, for people, if a line says none."""
    return [_span(line.strip().upper()) for line in text.splitlines() if line.strip()]


def is_quiet(text: str, zone: str, *, now: datetime) -> bool:
    """Return whether ``now``, on a clock of ``zone``, is in one of the times that ``text`` names."""
    if not text:
        return False
    local = now.astimezone(ZoneInfo(zone))
    return any(span.holds(local.weekday(), local.hour * 60 + local.minute) for span in spans(text))


def _span(line: str) -> Span:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"{line[:50]!r} is no time of the week, {_HELP}.")
    days = frozenset(day for part in found["days"].split(",") for day in _days(part))
    if found["since"] is None:
        return Span(days)
    since, until = _minute(found["since"]), _minute(found["until"])
    if since == until:
        raise ValueError("A time that ends when it begins is none; leave the hours out for a whole day.")
    return Span(days, since, until)


def _days(part: str) -> list[int]:
    first, dash, last = part.partition("-")
    for name in (first, last) if dash else (first,):
        if name not in _DAYS:
            raise ValueError(f"{name[:20]!r} is no day of the week; they are {', '.join(_DAYS)}.")
    start, end = _DAYS.index(first), _DAYS.index(last if dash else first)
    return [day % 7 for day in range(start, end + 1 if end >= start else end + 8)]


def _minute(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _MINUTES_OF_A_DAY:
        raise ValueError(f"{text} is no time of day.")
    return hours * 60 + minutes
