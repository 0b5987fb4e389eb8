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
    not. ``shortest_wait`` is in seconds, of all requests; None if no thread took one up.
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
        self._begin()

    def waited(self, seconds: float) -> None:
        """Note that a request waited for ``seconds`` until a thread took it up."""
        with self._lock:
            if self._shortest is None or seconds < self._shortest:
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
            passed = Passed(seconds, tuple(self._came), self._let_in, self._shortest)
            self._begin()
        return passed

    def _begin(self) -> None:
        self._since = self._clock()
        self._came = [0] * (HIGHEST + 1)
        self._let_in = 0
        self._shortest = None


flow = Flow()
