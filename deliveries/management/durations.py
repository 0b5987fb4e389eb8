"""Durations as options have them: 30m, 12h, 90d, 4w."""

from __future__ import annotations

import re
from datetime import timedelta

from django.core.management.base import CommandError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str, *, option: str, longest: timedelta) -> timedelta:
    """Return the duration that ``text`` says; raises `CommandError`, which names the ``option``."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhdw])", text)
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if duration is None or duration > longest:
        raise CommandError(
            f"{option} has to be a duration such as 30m, 2h or 7d, at most {longest.days}d, not {text!r}"
        )
    return duration
