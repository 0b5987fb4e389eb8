"""What a web process does each second, by a thread of its own, so that no answer waits for it.

It writes down what was counted, looks whether there is more than the hub can take, and tells other machines which
tokens of limits were taken here.
"""

from __future__ import annotations

import threading
import time

from django.db import close_old_connections, connection
from django.utils import timezone

from deliveries.overload.standing import overload
from deliveries.receiving.tally import tally
from deliveries.receiving.throttling import exchange
from deliveries.stats.counting import counting

_EVERY_SECONDS = 1.0
#: How long requests wait is looked at more often: at ten times too many it is a matter of tenths of a second.
_FEEL_SECONDS = 0.25


def start() -> threading.Thread:
    """Start the thread, in a process that serves requests; it ends with the process, which writes the rest itself."""
    thread = threading.Thread(target=_go_on, name="stats", daemon=True)
    thread.start()
    return thread


def _go_on(stop: threading.Event | None = None) -> None:
    stop = stop or threading.Event()
    overload.refresh_if_due(timezone.now())
    write_at = time.monotonic() + _EVERY_SECONDS
    while not stop.wait(_FEEL_SECONDS):
        overload.feel()
        if connection.vendor == "postgresql":  # else there is one machine
            exchange.go_on_if_due(timezone.now())
        if time.monotonic() < write_at:
            continue
        write_at = time.monotonic() + _EVERY_SECONDS
        close_old_connections()
        overload.refresh_if_due(timezone.now())
        counting.flush_if_due()
        tally.flush_if_due()
