"""What has passed through this process: how long requests waited for a thread, whose they were, and who was let in.

Needs no Django: the web server has it before Django is set up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: The priorities of endpoints go from 0 to this, see `integrations.models.Endpoint`.
HIGHEST = 9


@dataclass(frozen=True)
class Passed:
    """What has passed in so many ``seconds``.

    ``came`` are events by the priority of their endpoints, those that were refused among them; ``let_in`` how many were
    not. ``shortest_wait`` is in seconds, of the requests that jumped no queue, if there were any; None if no thread
    took one up.
    """

    seconds: float
    came: tuple[int, ...] = (0,) * (HIGHEST + 1)
    let_in: int = 0
    shortest_wait: float | None = None


class Flow:
    """What has passed since the last look of one process; safe between threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shortest: float | None = None
        self._shortest_urgent: float | None = None
        self._begin()

    def waited(self, seconds: float, *, is_urgent: bool = False) -> None:
        """Note that a request waited for ``seconds`` until a thread took it up.

        What the urgent wait says nothing of the queue that they jump; where all are urgent, they are it.
        """
        with self._lock:
            known = self._shortest_urgent if is_urgent else self._shortest
            if known is not None and known <= seconds:
                return
            if is_urgent:
                self._shortest_urgent = seconds
            else:
                self._shortest = seconds

    def came(self, priority: int, *, let_in: bool) -> None:
        """Note an event for an endpoint of ``priority``, and whether there was room for it."""
        with self._lock:
            self._came[priority] += 1
            self._let_in += let_in

    def take(self) -> Passed:
        """Return what has passed since the last call."""
        with self._lock:
            seconds = max(self._clock() - self._since, 1e-3)
            shortest = self._shortest_urgent if self._shortest is None else self._shortest
            passed = Passed(seconds, tuple(self._came), self._let_in, shortest)
            self._begin()
        return passed

    def _begin(self) -> None:
        self._since = self._clock()
        self._came = [0] * (HIGHEST + 1)
        self._let_in = 0
        self._shortest = self._shortest_urgent = None


flow = Flow()
