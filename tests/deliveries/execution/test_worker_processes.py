"""The real `manage.py worker`: killed, stopped and orphaned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.running_hub import ROOT, RunningHub, running_hub, wait_until

pytestmark = pytest.mark.journey

MAKE = """
import uuid
from tests.factories import make_endpoint, make_route, make_delivery
endpoint = make_endpoint(slug=uuid.uuid4().hex)
route = make_route(endpoint, handler={handler!r}, config={config!r}, timeout_seconds={timeout})
for _ in range({count}):
    make_delivery(route)
"""
STANDING = """
from deliveries.models import Delivery
print(*(f"{row.status}:{row.attempt_count}:{row.worker}" for row in Delivery.objects.all()))
"""

HANG = """
from django.db import transaction
from tests.factories import make_endpoint, make_route, make_delivery
endpoint = make_endpoint()
with transaction.atomic():  # claimed together
    sleep = make_route(endpoint, handler="test.sleep", config={"seconds": 4}, retry={"max_attempts": 1})
    make_delivery(sleep), make_delivery(sleep)
    hang = make_route(endpoint, handler="test.keep_the_lock", timeout_seconds=12, retry={"max_attempts": 1})
    make_delivery(hang)
"""
FIRST_WORKER = """
from deliveries.models import Attempt
print(*Attempt.objects.order_by("pk").values_list("worker", flat=True)[:1])
"""
OUTCOMES = """
from deliveries.models import Attempt
print(*(f"{row.delivery.route.handler}:{row.outcome}" for row in Attempt.objects.all()))
"""
TRACEBACK = """
from deliveries.models import Attempt
print(Attempt.objects.get(outcome="timed_out").traceback)
"""


STEPS = """
from deliveries.models import FlowStep
print(*(f"{row.name}:{row.state}:{row.attempt}:{row.tries}" for row in FlowStep.objects.order_by("position")))
"""
FLOW = {
    "steps": [
        {"name": "first", "handler": "test.act", "config": {"output": 1}},
        {"name": "second", "handler": "test.sleep", "config": {"seconds": 3}},
    ]
}


class Workers:
    """`manage.py worker` on a database of its own."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self.beat_file = hub.output.with_name("beat")
        self.beat_file.touch()
        os.utime(self.beat_file, (0, 0))
        environment = {**hub.environment, "HUB_BEAT_FILE": str(self.beat_file)}
        with hub.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: self.beat_file.stat().st_mtime > 0, what="a sign of life of a worker")

    @property
    def output(self) -> str:
        return self.hub.output.read_text()

    def make(self, handler: str, count: int, *, timeout: float = 30, **config: object) -> None:
        self.hub.python(MAKE.format(handler=handler, count=count, config=config, timeout=timeout))

    def standing(self) -> list[list[str]]:
        """Return status, attempt count and worker of every delivery."""
        return [item.split(":", 2) for item in self.hub.python(STANDING).split()]

    def statuses(self) -> Counter[str]:
        return Counter(status for status, _, _ in self.standing())

    def busy_worker(self) -> int:
        """Wait for a running delivery and return the process id of its worker."""

        def running() -> int | None:
            workers = [worker for status, _, worker in self.standing() if status == "running"]
            return int(workers[0].rpartition(":")[2]) if workers else None

        return int(wait_until(running, what="a running delivery"))

    def first_worker(self) -> int:
        """Wait for an attempt, and return the process id of the worker that made the first, whatever became of it."""
        name = wait_until(lambda: self.hub.python(FIRST_WORKER), what="an attempt")
        return int(str(name).rpartition(":")[2])

    def tree(self) -> list[psutil.Process]:
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def workers(folder: Path, **settings: str) -> Iterator[Workers]:
    with running_hub(folder, **{"HUB_WORKER_THREADS": "4", "HUB_LEASE_SECONDS": "3", **settings}) as hub:
        started = Workers(hub)
        try:
            yield started
        finally:
            started.kill()


def test_a_killed_worker_loses_no_delivery(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        running.make("test.sleep", 30, seconds=2)

        os.kill(running.busy_worker(), signal.SIGKILL)

        wait_until(lambda: running.statuses() == {"succeeded": 30}, seconds=60, what="the end of all deliveries")
        attempts = sorted(int(count) for _, count, _ in running.standing())
        assert attempts[-1] == 2, "the kill hit no delivery"


@pytest.mark.any_database
def test_a_killed_flow_goes_on_at_the_step_that_was_not_over(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        running.make("hub.flow", 1, **FLOW)
        begun = "first:succeeded:1:1 second:running:1:1"
        wait_until(lambda: running.hub.python(STEPS).strip() == begun, what="the second step")

        os.kill(running.busy_worker(), signal.SIGKILL)

        wait_until(lambda: running.statuses() == {"succeeded": 1}, seconds=40, what="the end of the flow")
        assert running.hub.python(STEPS).split() == ["first:succeeded:1:1", "second:succeeded:2:2"]


@pytest.mark.any_database
def test_a_handler_that_kills_its_worker_ends_as_a_dead_letter(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        running.hub.python(
            MAKE.format(handler="test.kill", count=1, config={}, timeout=30)
            + "route.retry = {'max_attempts': 2}; route.save()"
        )

        wait_until(lambda: running.statuses() == {"dead": 1}, seconds=40, what="the dead letter")


@pytest.mark.any_database
def test_a_handler_that_stops_its_whole_process_takes_no_other_down(tmp_path: Path) -> None:
    # It stands still for longer than a lease, and than the supervisor waits for a sign of life.
    with workers(tmp_path, HUB_LEASE_SECONDS="10") as running:
        running.hub.python(HANG)

        wait_until(lambda: running.statuses() == {"dead": 1, "succeeded": 2}, seconds=90, what="the end of all")

        outcomes = Counter(running.hub.python(OUTCOMES).split())
        del outcomes["test.sleep:lost"]  # of those that were in the same process: given back, not counted
        assert outcomes == {"test.keep_the_lock:timed_out": 1, "test.sleep:succeeded": 2}
        assert "in keep_the_lock" in running.hub.python(TRACEBACK)


@pytest.mark.any_database
def test_a_stuck_handler_costs_its_process_and_not_the_queue(tmp_path: Path) -> None:
    with workers(tmp_path, HUB_WORKERS="1") as running:
        running.make("test.sleep", 1, timeout=0.3, seconds=3600, nap=3600)
        before = running.first_worker()

        wait_until(lambda: not psutil.pid_exists(before), seconds=20, what="the end of the process")

        running.make("test.note", 5)
        wait_until(lambda: running.statuses()["succeeded"] == 5, seconds=20, what="the others' success")


@pytest.mark.any_database
def test_sigterm_lets_handlers_finish(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        # Long enough to be seen running on a busy machine, and shorter than the time that a stop gives.
        running.make("test.sleep", 3, seconds=7)
        wait_until(lambda: running.statuses() == {"running": 3}, what="all three, running")
        children = running.tree()[1:]

        running.process.terminate()

        assert running.process.wait(20) == 0, running.output
        assert running.statuses() == {"succeeded": 3}
        assert not [child for child in children if child.is_running()]


@pytest.mark.any_database
def test_sigterm_gives_back_what_does_not_finish(tmp_path: Path) -> None:
    with workers(tmp_path, HUB_STOP_SECONDS="1") as running:
        running.make("test.sleep", 12, seconds=600, nap=600, timeout=700)
        running.busy_worker()
        started = time.monotonic()

        running.process.terminate()

        running.process.wait(15)
        assert time.monotonic() - started < 1 + 4 + 2, "longer than the stop and its margin"
        assert running.statuses() == {"pending": 12}, running.output


@pytest.mark.any_database
def test_sigterm_to_the_whole_group_hangs_nothing(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        running.make("test.sleep", 3, seconds=600, nap=600, timeout=700)
        running.busy_worker()
        children = running.tree()[1:]

        os.killpg(running.process.pid, signal.SIGTERM)

        running.process.wait(10)
        wait_until(lambda: not any(child.is_running() for child in children), seconds=2, what="the end of all")


@pytest.mark.any_database
def test_no_process_outlives_a_killed_main_process(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        running.make("test.sleep", 4, seconds=600, nap=600, timeout=700)
        running.busy_worker()
        children = running.tree()[1:]
        assert len(children) == 5, "sentinel, monitor, pusher and two workers"

        running.process.kill()
        running.process.wait(5)

        wait_until(
            lambda: all(not child.is_running() or child.status() == "zombie" for child in children),
            seconds=2,
            what="the end of the orphans",
        )


@pytest.mark.any_database
def test_an_idle_cluster_keeps_showing_that_it_works(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        first = running.beat_file.stat().st_mtime

        wait_until(lambda: running.beat_file.stat().st_mtime > first + 1, seconds=8, what="the next sign of life")
