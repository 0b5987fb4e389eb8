"""The threads that handlers run in: kept, with their database connections, from one drain to the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from django.db import connections

#: So many threads of a process keep their connection; the others, which only a rush needs, close it after each task.
KEPT_CONNECTIONS = 8


class HandlerThreads:
    """Up to as many threads as the caller has tasks at once; it is the caller who stays within ``limit``.

    They are daemons, unlike those of `concurrent.futures`: a handler that cannot be ended must not keep its process.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._tasks: SimpleQueue[Callable[[int], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._threads: list[threading.Thread] = []

    def start(self, task: Callable[[int], None]) -> None:
        """Run ``task``, which must not raise, in an idle thread, or in a new one if all are busy.

        It is called with the number of its thread, from 0.
        """
        with self._lock:
            self._unfinished += 1
            place = len(self._threads)
            # Never more than the limit: a thread whose task has just been taken in may still be about to wait.
            is_needed = self._unfinished > place and place < self.limit
        if is_needed:
            thread = threading.Thread(target=self._work, args=(place,), name=f"handler-{place}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks.put(task)

    def close(self) -> None:
        """End the threads once they have finished what they do."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, place: int) -> None:
        try:
            while (task := self._tasks.get()) is not None:
                task(place)
                with self._lock:
                    self._unfinished -= 1
                del task  # it holds an event, which may be large
                if place >= KEPT_CONNECTIONS:
                    connections.close_all()
        finally:
            connections.close_all()
