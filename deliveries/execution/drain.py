"""What a worker does when it is woken: claim due deliveries, run them in threads, close their attempts, claim more.

One loop in the worker's main thread does all that touches deliveries in the database; the threads run handlers and
nothing else. So there is one place that renews leases, that knows which outcomes are still to be stored when the
database comes back, and whose standing still shows (the supervisor's file is touched here).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from deliveries import error_reports
from deliveries.execution import report
from deliveries.execution.closer import close_finished
from deliveries.execution.doorbell import doorbell
from deliveries.execution.giving_back import give_back
from deliveries.execution.housekeeping import Housekeeping
from deliveries.execution.looks import POLL_SECONDS, Looks
from deliveries.execution.patience import bound_waits
from deliveries.execution.pulse import LEASE_PART, Pulse
from deliveries.execution.routes import Routes
from deliveries.execution.run import Run
from deliveries.execution.stopping import StopFlag, stop_ordered
from deliveries.execution.threads import HandlerThreads
from deliveries.log_context import lines_with
from deliveries.models import Delivery, DeliveryStatus, Outcome
from deliveries.models.claiming import DueRoute, shares
from deliveries.overload.standing import overload
from deliveries.stats import outcomes
from deliveries.stats.counting import counting
from integrations import tracing

logger = structlog.get_logger(__name__)

#: A drain ends, so that django-q2 can recycle its process, once it has claimed for so long.
CLAIM_SECONDS = 20.0
#: A handler that takes longer keeps the drain open anyway: then it claims on, for the sake of the idle threads.
LONG_SECONDS = 5.0
#: How soon a bell is heard while handlers run.
_LISTEN_SECONDS = 0.002
#: In a rush the look for routes is not repeated for so long: a newcomer waits no longer than that for a free thread.
_RUSH_SECONDS = 0.02
#: So long after the first the others of a claim are waited for.
_GATHER_SECONDS = 0.003
#: A worker with nothing to do listens for so long before it ends its drain; what it has counted is written by then.
LINGER_SECONDS = 1.1
_SWEEP_SECONDS = 1.0
_LONGEST_REST_SECONDS = 5.0


class Drain:
    """One drain: from being woken until nothing is due and nothing runs, or until the worker has to stop.

    Once it has run something it listens for ``linger`` seconds before it ends, so that what comes needs no new order.
    ``end_process`` is called, after `give_back`, when a handler cannot be ended within the time for it: it has to end
    the process, and with it the thread.
    """

    def __init__(
        self,
        pulse: Pulse,
        threads: HandlerThreads,
        *,
        housekeeping: Housekeeping | None = None,
        stop: StopFlag = stop_ordered,
        end_process: Callable[[int], object] = os._exit,
        linger: float = 0.0,
    ) -> None:
        self._pulse = pulse
        self._threads = threads
        self._housekeeping = housekeeping or Housekeeping()
        self._stop = stop
        self._end_process = end_process
        self._lease = timedelta(seconds=settings.HUB_LEASE_SECONDS * LEASE_PART)
        self._runs: dict[tuple[UUID, int], Run] = {}
        #: Claimed, and not started yet: the database went away in between.
        self._claimed: list[Delivery] = []
        self._done: SimpleQueue[Run] = SimpleQueue()
        self._claim_until = time.monotonic() + CLAIM_SECONDS
        self._renew_at = self._sweep_at = self._look_at = 0.0
        self._linger, self._idle_since = linger, float("-inf")
        self._looks = Looks(doorbell)
        self._due: list[DueRoute] = []
        self._due_until, self._due_seen_at = 0.0, 0.0
        self._routes = Routes()
        self._failures = 0
        self._spoiled = False
        self._leave_by: float | None = None

    def run(self) -> None:
        """Work until there is nothing left to do. Raises nothing, neither for a database that is away."""
        with lines_with(worker=self._pulse.worker):
            try:
                self._work()
                self._pulse.touch(at_work=False)
                counting.flush()
            except Exception:
                # Of a failed task django-q2 would keep a row of pickles; a log line is what helps.
                logger.exception("worker.drain_failed")
                if self._runs or self._claimed:  # handlers that nobody would watch over
                    self._leave(1)
                time.sleep(_SWEEP_SECONDS)  # the next order comes at once

    def _work(self) -> None:
        while True:
            self._pulse.touch(at_work=True)
            self._enforce_limits()
            self._use_database()
            if self._must_end_process():
                self._leave(1 if self._spoiled else 0)
                return
            if self._runs or self._claimed:
                self._collect()
                self._idle_since = time.monotonic()
            elif not self._listen():
                return

    def _enforce_limits(self) -> None:
        for run in self._runs.values():
            if run.ending is None and run.limit.is_over():
                run.limit.interrupt()
            elif run.ending is None and run.limit.is_stuck():
                # Its thread sits in a call that no exception reaches: only the end of the process ends it.
                run.close_as_stuck()
                self._spoiled = True
                logger.error("handler.stuck", **report.fields(run.delivery))

    def _use_database(self) -> None:
        if time.monotonic() < self._look_at:
            return
        now = timezone.now()
        try:
            bound_waits()
            overload.refresh_if_due(now, with_queue=False)
            self._pulse.beat(now, threads=self._threads.limit, running=len(self._runs), stopping=self._stop.is_set())
            self._renew(now)
            self._close_finished(now)
            # Each with the time as it is: what came before may have waited for the database.
            self._take_over(timezone.now())
            self._claim(timezone.now())
            self._housekeeping.tidy_up(timezone.now(), at_leisure=not self._runs and not self._claimed)
            counting.flush_if_due()
        except Error as exc:
            seconds = min(_LONGEST_REST_SECONDS, POLL_SECONDS * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            self._look_at = time.monotonic() + seconds
            self._pulse.take_over_from = self._look_at + _LONGEST_REST_SECONDS + _SWEEP_SECONDS
            connection.close()
            logger.warning("worker.database_unavailable", error_type=type(exc).__name__, again_in_seconds=seconds)
        else:
            self._failures = 0

    def _renew(self, now: datetime) -> None:
        if time.monotonic() < self._renew_at:
            return
        held = self._held()
        still = Delivery.objects.renew(held, until=now + self._lease)
        self._renew_at = time.monotonic() + self._lease.total_seconds() / 3
        for pk in held.keys() - still:
            run = self._runs.get((pk, held[pk]))
            if run is None:
                self._claimed = [delivery for delivery in self._claimed if delivery.pk != pk]
            else:
                run.lost = True
                report.lease_lost(run.delivery)

    def _close_finished(self, now: datetime) -> None:
        finished = [run for run in self._runs.values() if run.ending is not None]
        if finished:
            self._looks.ended(others_wait=not self._linger or any(map(_others_may_wait_for, finished)))
            for run in close_finished(finished, now=now):
                del self._runs[run.token]

    def _take_over(self, now: datetime) -> None:
        if time.monotonic() < max(self._sweep_at, self._pulse.take_over_from):
            return
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        if Delivery.objects.abandoned(now).exists():
            for delivery in Delivery.objects.take_over(now=now):
                report.taken_over(delivery)
                outcomes.ended(delivery, Outcome.LOST, DeliveryStatus(delivery.status), now=now, error="Lost")

    def _claim(self, now: datetime) -> None:
        if self._has_room() and self._looks.is_due(busy=bool(self._runs)):
            self._looks.begin()
            is_fresh = time.monotonic() >= self._due_until
            taken = self._take(now)
            if not taken and not is_fresh:  # what was due a moment ago is gone: something else may be by now
                self._due_until = 0.0
                taken = self._take(now)
            due, busy = sum(route.due for route in self._due if route.has_room), bool(self._runs)
            self._looks.took(len(taken), due=due, seen_at=self._due_seen_at, busy=busy)
            self._claimed += taken
        if timezone.now() - now > self._lease / 3:
            self._renew_at = 0.0  # what was claimed has waited for long: its lease first
        elif self._claimed:
            self._start_claimed()

    def _take(self, now: datetime) -> list[Delivery]:
        """Take this worker's share of what is due; in a rush the routes are those of a moment ago."""
        threads = self._threads.limit
        if time.monotonic() >= self._due_until:
            self._due_seen_at = time.monotonic()
            self._due = Delivery.objects.due_routes(now, most=threads)
            is_rush = any(route.due >= threads for route in self._due)
            self._due_until = time.monotonic() + (_RUSH_SECONDS if is_rush else 0.0)
        running = Counter((run.delivery.route_id, run.delivery.bulk) for run in self._runs.values())
        free = threads - len(self._runs) - len(self._claimed)
        wanted = shares(self._due, free=free, threads=threads, running=running)
        return Delivery.objects.take(wanted, now=now, lease=self._lease, worker=self._pulse.worker)

    def _start_claimed(self) -> None:
        self._routes.attach(self._claimed)
        for delivery in self._claimed:
            run = Run(delivery, self._done, self._pulse.board)
            self._runs[run.token] = run
            self._threads.start(run)
        self._claimed = []

    def _listen(self) -> bool:
        """Wait for something to do; return whether it is worth another round: not once that took too long."""
        if time.monotonic() >= self._idle_since + self._linger or not self._may_claim():
            doorbell.listen(0.0)
            return False
        self._looks.wait()
        return True

    def _may_claim(self) -> bool:
        if self._stop.is_set() or self._spoiled or overload.now.pauses_workers:
            return False
        return time.monotonic() < self._claim_until or any(run.age > LONG_SECONDS for run in self._runs.values())

    def _must_end_process(self) -> bool:
        if not self._spoiled and not self._stop.is_set():
            return False
        if self._leave_by is None:
            self._leave_by = time.monotonic() + settings.HUB_STOP_SECONDS
        return (self._spoiled and not self._runs) or (bool(self._runs) and time.monotonic() >= self._leave_by)

    def _leave(self, status: int) -> None:
        self._take_in(0)
        with suppress(Error):  # what is done need not be done again
            self._close_finished(timezone.now())
        held = self._held()
        if held:
            with suppress(Error):  # then their leases run out
                ran = {run.delivery.pk: run.age for run in self._runs.values()}
                give_back(held, worker=self._pulse.worker, now=timezone.now(), seconds=ran)
        counting.flush()
        logger.warning("worker.ends", handler_stuck=self._spoiled)
        tracing.flush()
        error_reports.flush()
        self._end_process(status)

    def _collect(self) -> None:
        """Wait a little for a handler that finishes, or for something that is due; take in all that have finished."""
        until = time.monotonic() + POLL_SECONDS
        while not self._take_in(min(_LISTEN_SECONDS, until - time.monotonic())):
            if time.monotonic() >= until or (self._has_room() and self._looks.is_called()):
                return
        # What finishes at the same time is closed, and replaced, at the same time.
        until = time.monotonic() + _GATHER_SECONDS
        while any(run.ending is None for run in self._runs.values()) and (left := until - time.monotonic()) > 0:
            if not self._take_in(left):
                return

    def _take_in(self, seconds: float) -> bool:
        """Take in what has finished; wait up to ``seconds`` for the first. Return whether there was any."""
        try:
            run = self._done.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        with suppress(Empty):
            while True:
                run.settle()
                run = self._done.get_nowait()
        return True

    def _has_room(self) -> bool:
        return len(self._runs) + len(self._claimed) < self._threads.limit and self._may_claim()

    def _held(self) -> dict[UUID, int]:
        running = {pk: number for (pk, number), run in self._runs.items() if not run.lost}
        return running | {delivery.pk: delivery.attempt_count for delivery in self._claimed}


def _others_may_wait_for(run: Run) -> bool:
    """Return whether another may run because this one has ended: the next of its key, or what it has emitted."""
    ending = run.outcome
    limited = bool(run.delivery.ordering_key) or run.delivery.route.concurrency is not None
    return limited or ending.has_follow_ups or ending.due_at is not None


class _Process:
    """What a worker process keeps from one drain to the next."""

    housekeeping = Housekeeping()
    pulse: Pulse | None = None
    threads: HandlerThreads | None = None


def drain() -> None:
    """Do one drain in this worker process; what django-q2 runs for every order of `DueDeliveries`."""
    if not stop_ordered.is_set():
        pulse = _Process.pulse = _Process.pulse or Pulse()
        threads = _Process.threads = _Process.threads or HandlerThreads(settings.HUB_WORKER_THREADS)
        doorbell.begun()
        Drain(pulse, threads, housekeeping=_Process.housekeeping, linger=LINGER_SECONDS).run()
