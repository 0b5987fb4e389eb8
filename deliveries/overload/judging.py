"""From what was measured to what is refused; pure, so that every step can be looked at by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from deliveries.overload.flow import HIGHEST, Passed
from deliveries.overload.sharing import Share, share

#: What began at a bound ends at this part of it, so that it does not begin and end with every look.
_ENDS_AT = 0.5
#: Where it is about room, it ends with this much more of it.
_ROOM_AGAIN = 1.1


class Room(IntEnum):
    """How much of the database's disk is left."""

    ENOUGH = 0
    #: What is left is for events: handlers pause, and rejections are only counted.
    LITTLE = 1
    #: Nothing is taken in any more.
    NONE = 2


@dataclass(frozen=True)
class Limits:
    """The settings that are judged by; 0 is no limit."""

    queue_seconds: float = 0.0
    wait_seconds: float = 0.0
    free_bytes: int = 0


@dataclass(frozen=True)
class Facts:
    """What was measured.

    ``queue_ages`` is, by the priority of endpoints, for how many seconds the oldest delivery has been due that a free
    worker would take; None: not known, and it counts as it was. ``free_bytes`` None: not known. ``accept_only_by`` is
    who chose accept-only mode, "" nobody, None: not known.
    """

    queue_ages: Mapping[int, float] | None = field(default_factory=dict)
    free_bytes: int | None = None
    accept_only_by: str | None = ""


@dataclass(frozen=True)
class Standing:
    """What follows from it.

    Endpoints of a priority below ``queue_bar`` are refused as the queue is too old. ``pressure`` says the same of
    requests that wait for a thread, with a part: at 5.3 priorities up to 4 are refused, and three in ten requests of
    priority 5; it follows from ``share``. ``wait_seconds`` is the shortest wait of the last look; None if there was no
    request.
    """

    queue_bar: int = 0
    pressure: float = 0.0
    room: Room = Room.ENOUGH
    accept_only_by: str = ""
    wait_seconds: float | None = None
    share: Share = field(default_factory=Share)
    facts: Facts = field(default_factory=Facts)

    @property
    def bar(self) -> float:
        """The priority below which requests are refused."""
        return max(float(self.queue_bar), self.pressure)

    @property
    def is_shedding(self) -> bool:
        """Whether some endpoints are refused for the sake of others."""
        return self.bar > 0

    @property
    def pauses_workers(self) -> bool:
        """Whether events are stored, and nothing else is done."""
        return bool(self.accept_only_by) or self.room > Room.ENOUGH

    def sheds(self, priority: int, *, dice: float) -> bool:
        """Return whether a request for an endpoint of ``priority`` is refused; ``dice`` is from 0 to below 1."""
        return priority < self.queue_bar or priority + dice < self.pressure


def judge(before: Standing, facts: Facts, limits: Limits) -> Standing:
    """Return how the hub stands, given how it stood at the last look, a second ago."""
    return replace(
        before,
        queue_bar=_queue_bar(before.queue_bar, facts.queue_ages, limits.queue_seconds),
        room=_room(before.room, facts.free_bytes, limits.free_bytes),
        accept_only_by=before.accept_only_by if facts.accept_only_by is None else facts.accept_only_by,
        facts=facts,
    )


def feel(before: Standing, passed: Passed, limits: Limits) -> Standing:
    """Return how the hub stands once it is known what has ``passed`` since the last look, a quarter of a second ago."""
    found = share(before.share, passed, limits.wait_seconds) if limits.wait_seconds else Share()
    return replace(before, pressure=found.pressure, share=found, wait_seconds=passed.shortest_wait)


def queue_bound(priority: int, queue_seconds: float) -> float:
    """Return how long deliveries may wait until endpoints of ``priority`` are refused, twice as long at the highest.

    What counts is what waits at that priority or above: workers take it first, so all below has to wait for it.
    """
    return queue_seconds * (1 + priority / HIGHEST)


def _queue_bar(before: int, ages: Mapping[int, float] | None, queue_seconds: float) -> int:
    if not queue_seconds:
        return 0
    if ages is None:
        return before
    begins = _first_below(ages, queue_seconds)
    stays = _first_below(ages, queue_seconds * _ENDS_AT)
    return max(begins, min(before, stays))


def _first_below(ages: Mapping[int, float], queue_seconds: float) -> int:
    """Return the lowest priority for which nothing waits for too long; above the highest if there is none."""
    for priority in range(HIGHEST + 1):
        oldest = max((age for of, age in ages.items() if of >= priority), default=0.0)
        if oldest <= queue_bound(priority, queue_seconds):
            return priority
    return HIGHEST + 1


def _room(before: Room, free_bytes: int | None, least: int) -> Room:
    if free_bytes is None or not least:
        return Room.ENOUGH
    found = _room_of(free_bytes, least)
    return found if found >= before else _room_of(free_bytes / _ROOM_AGAIN, least)


def _room_of(free_bytes: float, least: int) -> Room:
    if free_bytes < least:
        return Room.NONE
    return Room.LITTLE if free_bytes < 2 * least else Room.ENOUGH
