"""How a worker process shows that it is alive: by doing so from where the work is done, never from the side."""

from __future__ import annotations

import os
import socket
import time
from datetime import datetime

import structlog

from deliveries.models import Worker
from deliveries.supervision.supervisor import BEAT_FILE

logger = structlog.get_logger(__name__)

_FILE_SECONDS = 1.0
_ROW_SECONDS = 5.0


class Pulse:
    """The signs of life of this process: its row in `Worker`, and the supervisor's file if there is a supervisor."""

    def __init__(self) -> None:
        self.worker = f"{socket.gethostname()[:100]}:{os.getpid()}"
        self._file = os.environ.get(BEAT_FILE, "")
        self._file_at = self._row_at = float("-inf")

    def touch(self) -> None:
        """Touch the supervisor's file, at most once a second. Needs no database: without one a restart helps nobody."""
        if self._file and time.monotonic() >= self._file_at + _FILE_SECONDS:
            self._file_at = time.monotonic()
            try:
                os.utime(self._file)
            except OSError as exc:
                logger.warning("worker.beat_file_unusable", worker=self.worker, error=type(exc).__name__)

    def beat(self, now: datetime) -> None:
        """Write the worker's row, at most every five seconds."""
        if time.monotonic() >= self._row_at + _ROW_SECONDS:
            Worker.objects.beat(self.worker, now=now)
            self._row_at = time.monotonic()
