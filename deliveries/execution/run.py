"""One claimed delivery on its way through a thread."""

from __future__ import annotations

import time
from queue import SimpleQueue
from uuid import UUID

import structlog
from django.utils import timezone

from deliveries.execution import endings, report, runner
from deliveries.execution.board import Board
from deliveries.execution.endings import Ending
from deliveries.execution.journal import AttemptJournal
from deliveries.execution.timeouts import TimeLimit
from deliveries.models import Delivery

logger = structlog.get_logger(__name__)


class Run:
    """A task for `HandlerThreads`: calling it runs the handler and puts itself into ``done``.

    The thread writes only ``_returned`` and ``seconds``; all else belongs to the drain.
    """

    def __init__(self, delivery: Delivery, done: SimpleQueue[Run], board: Board) -> None:
        self.delivery = delivery
        #: The delivery and the attempt's number.
        self.token: tuple[UUID, int] = (delivery.id, delivery.attempt_count)
        self.limit = TimeLimit(delivery.route.timeout_seconds)
        #: How it ended, once the drain has taken that in.
        self.ending: Ending | None = None
        #: Whether another worker has taken the delivery over: what comes of this run is dropped.
        self.lost = False
        self._journal = AttemptJournal(*self.token)
        self._done = done
        self._board = board
        self._returned: Ending | None = None
        self._started_at = time.monotonic()
        #: How long the handler ran, once it has ended; of one that goes on, until it was given up. None: it never ran.
        self.seconds: float | None = None
        #: When it had ended, in nanoseconds of Unix time; None as long as nobody has seen it end.
        self.ended_ns: int | None = None

    def __call__(self, place: int) -> None:
        """Run the handler in the thread that calls, the worker's thread number ``place``."""
        try:
            self._board.take(place, *self.token, seconds=self.limit.seconds)
            with report.lines_of(self.delivery):
                began = time.monotonic()
                self._returned = runner.run(self.delivery, self._journal, self.limit)
                self.seconds, self.ended_ns = time.monotonic() - began, time.time_ns()
        except BaseException as exc:  # without an ending the delivery would stay `running` for ever
            self._returned = endings.not_run(self.delivery, exc, now=timezone.now())
            logger.exception("worker.run_failed", **report.fields(self.delivery))
        finally:
            self._board.leave(place)
            self._done.put(self)

    @property
    def outcome(self) -> Ending:
        """How it ended; to be asked of one that has."""
        assert self.ending is not None  # noqa: S101 - the caller has looked
        return self.ending

    @property
    def age(self) -> float:
        """Seconds since it was handed to a thread."""
        return time.monotonic() - self._started_at

    def settle(self) -> None:
        """Take in what the thread has returned, unless the attempt has been closed as stuck."""
        self.ending = self.ending or self._returned

    def close_as_stuck(self) -> None:
        """Take the attempt as timed out although its thread goes on."""
        self.ending = runner.stuck(self.delivery, self._journal, self.limit)
        self.seconds = self.age
