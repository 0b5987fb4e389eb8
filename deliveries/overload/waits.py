"""How long requests wait for a thread of the web server, before anything of the hub looks at them. Needs no Django."""

from __future__ import annotations

import threading


class Waits:
    """The waits since the last look of one process; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shortest: float | None = None

    def note(self, seconds: float) -> None:
        """Note that a request waited for ``seconds``."""
        with self._lock:
            if self._shortest is None or seconds < self._shortest:
                self._shortest = seconds

    def take(self) -> float | None:
        """Return the shortest wait since the last call, in seconds; None if there was no request."""
        with self._lock:
            shortest, self._shortest = self._shortest, None
        return shortest


waits = Waits()
