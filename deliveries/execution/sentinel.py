"""django-q2's sentinel, which starts and replaces worker processes, without a lock that can stay locked."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from multiprocessing.sharedctypes import RawValue
from typing import Any

from django_q.cluster import Sentinel
from django_q.worker import worker


class Timer:
    """What a worker and the sentinel tell each other: -1 idle, -2 to be recycled, 0 timed out, else seconds left.

    django-q2's own has a lock, which a worker holds at the end of every task: one that is killed there leaves it
    locked, and the sentinel waits for it for ever and replaces nobody any more. Nothing is lost without it: the drain
    has no timeout of django-q2's, so that nobody counts the value down.
    """

    def __init__(self) -> None:
        self._cell = RawValue("f", -1)

    @property
    def value(self) -> float:
        """The number, in memory that both processes share."""
        number: float = self._cell.value
        return number

    @value.setter
    def value(self, number: float) -> None:
        self._cell.value = number

    def get_lock(self) -> AbstractContextManager[Any]:
        """Return what django-q2 puts its work in."""
        return nullcontext()


class HubSentinel(Sentinel):  # type: ignore[misc]
    """The sentinel with a `Timer` for each worker."""

    def spawn_worker(self) -> None:
        """Start one worker process."""
        self.spawn_process(worker, self.task_queue, self.result_queue, Timer(), self.timeout)
