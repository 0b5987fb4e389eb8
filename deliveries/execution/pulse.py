"""How a worker process shows that it is alive: by doing so from where the work is done, never from the side."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import time
from datetime import datetime
from functools import cached_property
from pathlib import Path

import structlog
from django.conf import settings

from deliveries.execution.board import BOARDS, SUFFIX, TRACE_SUFFIX, Board
from deliveries.models import Worker
from deliveries.supervision.supervisor import BEAT_FILE

logger = structlog.get_logger(__name__)

#: Of the time within which a dead worker's deliveries are taken over; the rest is for noticing it and starting anew.
LEASE_PART = 0.8
_FILE_SECONDS = 1.0
_ROW_SECONDS = 5.0


def touch_beat_file() -> None:
    """Show the supervisor, if there is one, that the workers work."""
    file = os.environ.get(BEAT_FILE, "")
    try:
        if file:
            os.utime(file)
    except OSError as exc:
        logger.warning("worker.beat_file_unusable", error_type=type(exc).__name__)


class Pulse:
    """The signs of life of this process: its row in `Worker`, and the supervisor's file if there is a supervisor."""

    def __init__(self) -> None:
        self._host, self._pid = socket.gethostname()[:100], os.getpid()
        self.worker = f"{self._host}:{self._pid}"
        self._file = os.environ.get(BEAT_FILE, "")
        self._file_at = self._row_at = float("-inf")
        self._stopping = False
        #: After the database was away, others have to come round first to renew what they hold.
        self.take_over_from = 0.0

    @cached_property
    def board(self) -> Board:
        """What this process runs, for the `Watchdog`; without one, for nobody."""
        folder, threads = os.environ.get(BOARDS), settings.HUB_WORKER_THREADS
        if not folder:
            return Board(threads)
        path = Path(folder, f"{self._pid}{SUFFIX}")
        # From the signal itself, for no Python may be able to run.
        faulthandler.register(signal.SIGUSR1, file=path.with_suffix(TRACE_SUFFIX).open("w"), all_threads=True)
        return Board(threads, path)

    def touch(self, *, at_work: bool) -> None:
        """Show that the loop goes round. Needs no database: without one a restart helps nobody.

        The supervisor's file is touched at most once a second.
        """
        self.board.show_alive(at_work=at_work)
        if self._file and time.monotonic() >= self._file_at + _FILE_SECONDS:
            self._file_at = time.monotonic()
            touch_beat_file()

    def beat(self, now: datetime, *, threads: int, running: int, stopping: bool) -> None:
        """Write the worker's row, at most every five seconds, but at once when it begins to stop."""
        if time.monotonic() >= self._row_at + _ROW_SECONDS or stopping != self._stopping:
            Worker.objects.beat(
                self.worker,
                now=now,
                host=self._host,
                pid=self._pid,
                version=settings.HUB_VERSION,
                threads=threads,
                running=running,
                stopping=stopping,
            )
            self._row_at, self._stopping = time.monotonic(), stopping
