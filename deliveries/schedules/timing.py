"""When a schedule's time has come: cron lines in a time zone, intervals, a single moment. Nothing here asks a database.

Where clocks are changed a cron line keeps to what Debian's cron does (cron(8)): see `crons`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from deliveries.schedules import crons

_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = 5
#: So many missed ticks are told apart, the newest; of more the oldest are forgotten.
MOST_MISSED = 1000
#: More are not counted one by one: then only those of the last days are looked at.
_COUNTED = 5 * MOST_MISSED
_LOOKED_AT = timedelta(days=10)


@dataclass(frozen=True)
class Rule:
    """One of ``cron`` (in ``zone``), ``interval`` (counted from ``anchor``) and ``at``, between start and end."""

    cron: str = ""
    zone: str = "UTC"
    interval: timedelta | None = None
    anchor: datetime | None = None
    at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """Return the first tick after ``moment``, in UTC; None if there is none any more."""
        return next(self.ticks(moment), None)

    def ticks(self, moment: datetime) -> Iterator[datetime]:
        """Yield the ticks after ``moment``, in UTC."""
        if self.starts_at is not None and moment < self.starts_at:
            moment = self.starts_at - timedelta(microseconds=1)
        for tick in self._all(moment):
            if self.ends_at is not None and tick > self.ends_at:
                return
            yield tick

    def missed(self, first: datetime, now: datetime) -> list[datetime]:
        """Return the ticks from ``first``, which is one, to ``now``: at most `MOST_MISSED`, the newest."""
        found = list(islice(self._until(first - timedelta(microseconds=1), now), _COUNTED + 1))
        if len(found) > _COUNTED:
            looked_at = _LOOKED_AT if self.interval is None else self.interval * MOST_MISSED
            found = list(self._until(max(first, now - looked_at), now))
        return found[-MOST_MISSED:]

    def _until(self, moment: datetime, now: datetime) -> Iterator[datetime]:
        for tick in self.ticks(moment):
            if tick > now:
                return
            yield tick

    def _all(self, moment: datetime) -> Iterator[datetime]:
        if self.cron:
            yield from crons.ticks(expanded(self.cron), ZoneInfo(self.zone), moment)
        elif self.interval is not None and self.anchor is not None:
            count = max(0, (moment - self.anchor) // self.interval + 1)
            while True:
                yield (self.anchor + count * self.interval).astimezone(UTC)
                count += 1
        elif self.at is not None and self.at > moment:
            yield self.at.astimezone(UTC)


def expanded(line: str) -> str:
    """Return a cron line with the name of a usual one (``@daily``) spelled out."""
    return _NAMED.get(line.strip().lower(), line)


def check_cron(line: str) -> None:
    """Raise `ValueError`, with a text for people, unless ``line`` is a cron line whose time comes."""
    if line.strip().startswith("@") and line.strip().lower() not in _NAMED:
        raise ValueError(f"There is no {line.strip()[:20]}; known: {', '.join(sorted(_NAMED))}.")
    fields = expanded(line).split()
    if len(fields) != _FIELDS:
        raise ValueError("A cron line has five fields: minute, hour, day of the month, month, day of the week.")
    try:
        next(CronSim(" ".join(fields), datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as exc:
        raise ValueError(f"{exc}.") from None
    except StopIteration:
        raise ValueError("Its time never comes.") from None


def in_words(line: str) -> str:
    """Return what a valid cron line means, such as "At 09:00 on Monday through Friday"."""
    text: str = CronSim(expanded(line), datetime(2026, 1, 1, tzinfo=UTC)).explain()
    return text
