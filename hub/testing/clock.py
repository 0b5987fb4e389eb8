"""A clock that a test may put forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine


class Clock:
    """The time of day in this process. What only measures spans (``time.monotonic``) goes on undisturbed."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    @classmethod
    @contextmanager
    def of_this_process(cls) -> Iterator[Clock]:
        """Yield the clock, which starts from what the time is; afterwards the time is what it would be."""
        with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
            yield cls(traveller)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def advance(self, span: timedelta) -> None:
        """Put the clock forward."""
        self._traveller.shift(span)

    def move_to(self, moment: datetime) -> None:
        """Set the clock to ``moment``, which has a time zone."""
        self._traveller.move_to(moment)
