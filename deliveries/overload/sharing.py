"""How many events a second are let in while requests wait for a thread, and whose; pure, step by step.

The way of TCP, and of WeChat's DAGOR (https://arxiv.org/abs/1806.04075): less by a part while there is a queue that
does not go away, more by a fixed amount while there is none. What is counted out is a number of events, not a
priority; who gets them follows from what came. So it makes no difference whether all have one priority or ten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deliveries.overload.flow import HIGHEST, Passed

#: At the second look in a row (there are four a second) that finds requests waiting for too long, so much is left of
#: what was let in; and at the ones that follow. Not where they wait less and less already.
_LEFT_FIRST, _LEFT, _FALLING = 0.5, 0.7, 0.8
#: What is let in grows by such a part of the capacity each second where nobody waits, by less the longer they do.
_MORE = 1 / 8
#: Such a part of the capacity is left to those below the highest priority. Refusing costs something too: where that
#: alone makes requests wait, to let in nobody any more would not help.
_LEAST = 1 / 16
#: The capacity of a process is never thought to be less: what it did while all stood still says nothing.
_LEAST_CAPACITY = 8.0
#: How much the last look counts in the rates of what comes, where it saw less than those before.
_NEW = 0.3
#: With room for so many times of what comes, it is over.
_OVER = 1.5


@dataclass(frozen=True)
class Share:
    """What is let in of what comes, a second.

    ``budget`` is for all priorities together; None: all is let in. ``rates`` is what comes, by priority. ``capacity``
    is the most that was let in a second, as far as it is known. ``wait`` is how long requests waited at the last look.
    """

    rates: tuple[float, ...] = (0.0,) * (HIGHEST + 1)
    capacity: float = _LEAST_CAPACITY
    budget: float | None = None
    wait: float = 0.0

    @property
    def pressure(self) -> float:
        """The priority below which events are refused, with the part of it that is: at 5.3, three in ten of 5.

        The highest is never refused.
        """
        if self.budget is None:
            return 0.0
        left = max(self.budget - self.rates[HIGHEST], self.capacity * _LEAST)
        for priority in range(HIGHEST - 1, -1, -1):
            rate = self.rates[priority]
            if rate > left:
                return priority + 1 - left / rate
            left -= rate
        return 0.0


def share(before: Share, passed: Passed, bound_seconds: float) -> Share:
    """Return what is let in from now on, after what has ``passed`` since the last look.

    The shortest wait is what counts: a burst makes some requests wait, and one that found a free thread says that the
    server keeps up. And it has to last: after a moment in which the disk stood still, all have waited, and it is over.
    """
    came = (count / passed.seconds for count in passed.came)
    rates = tuple(max(new, old + _NEW * (new - old)) for old, new in zip(before.rates, came, strict=True))
    let_in = passed.let_in / passed.seconds
    wait = passed.shortest_wait or 0.0
    now = replace(before, rates=rates, wait=wait)
    if wait > bound_seconds:
        lasts = before.wait > bound_seconds and wait >= _FALLING * before.wait
        return _less(now, let_in) if lasts else now
    return _more(now, let_in, seconds=passed.seconds, room=1 - wait / bound_seconds)


def _less(before: Share, let_in: float) -> Share:
    if before.budget is None:
        # All that came was let in: that is what the server can do, and what it did before it stood still, if it did.
        capacity = max(_LEAST_CAPACITY, sum(before.rates))
        return replace(before, capacity=capacity, budget=_LEFT_FIRST * capacity)
    budget = _LEFT * min(let_in, before.budget)
    return replace(before, budget=max(budget, before.capacity * _LEAST))


def _more(before: Share, let_in: float, *, seconds: float, room: float) -> Share:
    if before.budget is None:
        return before
    capacity = max(before.capacity, let_in)
    budget = before.budget + _MORE * capacity * seconds * room
    over = budget >= max(_OVER * sum(before.rates), capacity * _LEAST)
    return replace(before, capacity=capacity, budget=None if over else budget)
