"""Writing down what a web process has counted, each second, by a thread of its own: no answer waits for it."""

from __future__ import annotations

import threading

from django.db import close_old_connections

from deliveries.receiving.tally import tally
from deliveries.stats.counting import counting

_EVERY_SECONDS = 1.0


def start() -> threading.Thread:
    """Start the thread, in a process that serves requests; it ends with the process, which writes the rest itself."""
    thread = threading.Thread(target=_go_on, name="stats", daemon=True)
    thread.start()
    return thread


def _go_on(stop: threading.Event | None = None) -> None:
    stop = stop or threading.Event()
    while not stop.wait(_EVERY_SECONDS):
        close_old_connections()
        counting.flush_if_due()
        tally.flush_if_due()
