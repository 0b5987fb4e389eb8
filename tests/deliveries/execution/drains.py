"""Drains in the test's own process: real threads, the real database, nothing replaced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.test import TransactionTestCase
from django.utils import timezone

from deliveries.execution.drain import Drain
from deliveries.execution.pulse import Pulse
from deliveries.execution.stopping import StopFlag
from deliveries.execution.threads import HandlerThreads
from deliveries.models import Attempt, Delivery
from tests.automations import handlers as automations
from tests.factories import make_delivery, make_endpoint, make_event, make_route

#: The retry policy of a test that wants its retries at once.
AT_ONCE = {"max_attempts": 3, "initial_seconds": 0.001, "max_seconds": 0.001}


def delivery_to(handler: str, *, body: bytes = b"{}", **route: Any) -> Delivery:
    """Return a new, due delivery to ``handler``."""
    endpoint = make_endpoint()
    return make_delivery(make_route(endpoint, handler=handler, **route), event=make_event(endpoint, body=body))


def eventually(condition: Callable[[], Any], *, seconds: float = 10) -> Any:
    """Return the first true value of ``condition``; fail when ``seconds`` are over."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)
    return value


class BackgroundDrain:
    """A drain in a thread, as if in a worker process of its own name."""

    def __init__(self, name: str, *, threads: int = 4, linger: float = 0.0) -> None:
        self.pulse = Pulse()
        self.pulse.worker = name
        self.stop = StopFlag()
        self.exits: list[int] = []
        self.threads = HandlerThreads(threads)
        self.drain = Drain(self.pulse, self.threads, stop=self.stop, end_process=self.exits.append, linger=linger)
        self._thread = threading.Thread(target=self._run)

    def start(self) -> BackgroundDrain:
        self._thread.start()
        return self

    def join(self, seconds: float = 15) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the drain does not end"

    def _run(self) -> None:
        try:
            self.drain.run()
        finally:
            connections.close_all()


class DrainTestCase(TransactionTestCase):
    """Runs drains, and leaves no thread and no connection behind."""

    def setUp(self) -> None:
        super().setUp()
        self._drains: list[BackgroundDrain] = []
        self._descriptors: list[int] = []
        automations.go_on.clear()
        automations.seen.clear()
        automations.spans.clear()

    def tearDown(self) -> None:
        automations.go_on.set()
        for descriptor in self._descriptors:
            os.close(descriptor)
        for drain in self._drains:
            drain.stop.set()
            drain.threads.close()
        super().tearDown()

    def background(self, name: str = "other:1", *, threads: int = 4, linger: float = 0.0) -> BackgroundDrain:
        drain = BackgroundDrain(name, threads=threads, linger=linger)
        self._drains.append(drain)
        return drain

    def work(self, *, times: int = 1) -> None:
        """Drain ``times`` times, to the end."""
        for _ in range(times):
            drain = self.background("test:1")
            drain.drain.run()

    def blocked_read(self) -> int:
        """Return a descriptor on which a read blocks until the test is over."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self._descriptors.append(writing)
        return reading

    def attempt(self, delivery: Delivery, number: int = 1) -> Attempt:
        return Attempt.objects.get(delivery=delivery, number=number)

    def make_due(self, delivery: Delivery) -> None:
        Delivery.objects.filter(pk=delivery.pk).update(due_at=timezone.now())
