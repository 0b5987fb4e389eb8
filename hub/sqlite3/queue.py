"""The threads of a process that want to write, in the order in which they came."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress

PATIENCE_SECONDS = 1.0


class Place:
    """Somebody's place in the queue."""

    def __init__(self) -> None:
        self._called = threading.Lock()
        self._called.acquire()

    def call(self) -> None:
        """Let who stands here go on."""
        self._called.release()

    def wait(self, seconds: float) -> bool:
        """Return whether it was called within ``seconds``."""
        return self._called.acquire(timeout=seconds)


class WriteQueue:
    """Whose turn it is to write, among the threads of this process.

    It only keeps the order: the lock is the database's. One who ends without giving the turn back, as a thread may that
    is stopped from outside, holds nobody up for longer than `PATIENCE_SECONDS`.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Place] = deque()
        self._first: Place | None = None

    def enter(self, place: Place, *, seconds: float) -> None:
        """Wait for the turn.

        Returns without it after ``seconds``, and after `PATIENCE_SECONDS` to who is the next: to look for oneself.
        """
        with self._mutex:
            if self._first is None:
                self._first = place
                return
            self._waiting.append(place)
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            if place.wait(min(left, PATIENCE_SECONDS)) or self._is_next(place):
                return

    def _is_next(self, place: Place) -> bool:
        with self._mutex:
            return self._first is place or self._waiting[0] is place

    def take(self, place: Place) -> None:
        """Have the turn, called or not: the database's lock has come."""
        if self._first is not place:
            with self._mutex:
                self._forget(place)
                self._first = place

    def leave(self, place: Place) -> None:
        """Give the turn to the next one, or go without having had it."""
        with self._mutex:
            if self._first is not place:
                self._forget(place)
                return
            self._first = self._waiting.popleft() if self._waiting else None
            if self._first is not None:
                self._first.call()

    def _forget(self, place: Place) -> None:
        with suppress(ValueError):
            self._waiting.remove(place)


_queues: dict[str, WriteQueue] = {}


def queue_of(name: str) -> WriteQueue:
    """Return the queue before the database ``name``."""
    return _queues.setdefault(name, WriteQueue())


# Those who stood in it are threads of the parent.
os.register_at_fork(after_in_child=_queues.clear)
