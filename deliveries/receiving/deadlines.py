"""How long a sender may take: the connection's reading side is cut when the time is over."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ReadingDeadline:
    """The time by which what is being read over one connection has to be there; a `time.monotonic` moment."""

    def __init__(self, connection: socket.socket | None, seconds: float) -> None:
        self._connection = connection
        self._at = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._at

    def extend(self, seconds: float) -> None:
        """Begin anew: the next part has ``seconds`` from now."""
        self._at = time.monotonic() + seconds

    def cut(self) -> None:
        """End the connection's reading side: a read that waits returns, the answer can still be written."""
        if self._connection is not None:
            try:
                # The plain socket's, also under TLS: SSLSocket's own would turn the answer into plain text.
                socket.socket.shutdown(self._connection, socket.SHUT_RD)
            except OSError:
                return  # the sender was faster


class ReadingDeadlines:
    """Watches what is being read, with one thread for all.

    A read timeout on the socket would begin anew with every byte, so a sender could hold a thread of the server for
    days by sending one in a while.
    """

    _TICK_SECONDS = 0.5

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[ReadingDeadline] = set()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def over(self, connection: socket.socket | None, seconds: float) -> Iterator[ReadingDeadline]:
        """Cut ``connection`` if the block takes longer than ``seconds``; never after the block."""
        deadline = ReadingDeadline(connection, seconds)
        if connection is None:
            yield deadline
            return
        with self._lock:
            self._open.add(deadline)
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="reading-deadlines", daemon=True)
                self._watcher.start()
        try:
            yield deadline
        finally:
            with self._lock:
                self._open.discard(deadline)

    def _watch(self) -> None:
        while True:
            time.sleep(self._TICK_SECONDS)
            with self._lock:  # so that none is cut whose connection serves the next request already
                for deadline in self._open:
                    if deadline.is_over:
                        deadline.cut()


reading_deadlines = ReadingDeadlines()
