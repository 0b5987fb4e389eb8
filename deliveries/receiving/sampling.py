"""Which of very many like things are kept: the first at once, then a few a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from cachetools import LRUCache


class Sampler:
    """Admits ``burst`` of each key at once and ``per_second`` from then on, in this process.

    Bounded in number; a key that has been pushed out starts anew.
    """

    def __init__(
        self, *, burst: int, per_second: float, most: int = 20_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: LRUCache[Hashable, tuple[float, float]] = LRUCache(most)

    def admits(self, key: Hashable) -> bool:
        """Return whether one more of ``key`` is kept."""
        with self._lock:
            now = self._clock()
            level, at = self._levels.get(key, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._per_second)
            admitted = level >= 1
            self._levels[key] = (level - 1 if admitted else level, now)
        return admitted
