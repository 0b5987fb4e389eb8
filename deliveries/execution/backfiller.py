"""What asks providers beside deliveries: a thread of its own, as a provider may be slow to answer."""

from __future__ import annotations

import os
import socket
import threading
import time
from datetime import datetime

import structlog
from django.db import connections

from deliveries import backfilling
from deliveries.execution.stopping import StopFlag, stop_ordered
from deliveries.models import BackfillRun
from deliveries.overload.standing import disk_is_full

logger = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0


class Backfiller:
    """The backfiller of one worker process; of all of them, one has a run in hand at a time."""

    def __init__(self, stop: StopFlag = stop_ordered) -> None:
        self._at = float("-inf")
        self._stop = stop
        self._thread: threading.Thread | None = None
        self._holder = f"{socket.gethostname()[:100]}:{os.getpid()}"

    def step(self, now: datetime) -> None:
        """Order what is due, and see to it that free runs are worked on; returns at once. Raises database errors."""
        if time.monotonic() < self._at:
            return
        self._at = time.monotonic() + _LOOK_SECONDS
        if disk_is_full():
            return
        backfilling.order_due(now)
        is_busy = self._thread is not None and self._thread.is_alive()
        if not is_busy and not self._stop.is_set() and BackfillRun.objects.free(now).exists():
            # A daemon: what it leaves half done is gone on with by another, from its last page.
            self._thread = threading.Thread(target=self._work, name="backfill", daemon=True)
            self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until what is being worked on has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _stops(self) -> bool:
        return self._stop.is_set() or disk_is_full()

    def _work(self) -> None:
        try:
            while not self._stops() and backfilling.work(holder=self._holder, stops=self._stops):
                pass
        except Exception as exc:  # a database that is away; the lease runs out
            logger.warning("backfill.interrupted", error_type=type(exc).__name__)
        finally:
            connections.close_all()
