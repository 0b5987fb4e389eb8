from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import structlog
from django.db import OperationalError
from django.test import override_settings
from django.utils import timezone

from deliveries.execution import runner
from deliveries.execution.drain import Drain
from deliveries.execution.threads import HandlerThreads
from deliveries.models import Attempt, Delivery, Worker, transitions
from deliveries.models.closing import close_all
from deliveries.models.transitions import DeliveryQuerySet
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import DrainTestCase, delivery_to, eventually


def lapse(delivery: Delivery) -> None:
    """Let the lease of ``delivery`` run out, as if its worker had stood still."""
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


class LeaseTests(DrainTestCase):
    @override_settings(HUB_LEASE_SECONDS=1)
    def test_is_renewed_as_long_as_a_handler_runs(self) -> None:
        delivery = delivery_to("test.wait")
        slow = self.background("slow:1").start()
        eventually(lambda: automations.seen)

        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.work()  # others look for abandoned deliveries all the time
            time.sleep(0.05)
        automations.go_on.set()
        slow.join()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 1))
        self.assertEqual(len(automations.seen), 1)

    def test_protects_the_row_from_a_worker_that_lost_it(self) -> None:
        delivery = delivery_to("test.wait")
        late = self.background("late:1").start()
        eventually(lambda: automations.seen)
        lapse(delivery)
        other = self.background("other:2").start()
        eventually(lambda: len(automations.seen) == 2)

        with structlog.testing.capture_logs() as logs:
            automations.go_on.set()
            late.join()
            other.join()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 2))
        attempts = Attempt.objects.order_by("number").values_list("worker", "trigger", "outcome")
        self.assertEqual(list(attempts), [("late:1", "first", "lost"), ("other:2", "takeover", "succeeded")])
        events = sorted((line["event"], line["attempt"]) for line in logs)
        self.assertEqual(events, [("delivery.lost", 1), ("delivery.succeeded", 2)])

    @override_settings(HUB_LEASE_SECONDS=1)
    def test_is_noticed_as_lost_while_the_handler_still_runs(self) -> None:
        delivery = delivery_to("test.wait")
        late = self.background("late:1").start()
        eventually(lambda: automations.seen)

        with structlog.testing.capture_logs() as logs:
            Delivery.objects.filter(pk=delivery.pk).update(attempt_count=7)
            eventually(lambda: [line for line in logs if line["event"] == "delivery.lost"])
            automations.go_on.set()
            late.join()

        self.assertEqual([line["event"] for line in logs], ["delivery.lost"])
        self.assertEqual(Delivery.objects.get().status, "running")

    def test_makes_a_dead_letter_of_what_its_workers_never_survive(self) -> None:
        delivery = delivery_to("test.note", retry={"max_attempts": 2})
        for _ in range(2):
            Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(seconds=15), worker="gone:1")
            lapse(delivery)
            Delivery.objects.take_over(now=timezone.now())

        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, automations.seen), ("dead", []))
        self.assertEqual(list(delivery.attempts.values_list("outcome", flat=True)), ["lost", "lost"])

    def test_is_taken_over_by_any_drain(self) -> None:
        delivery = delivery_to("test.note")
        Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(seconds=15), worker="gone:1")
        lapse(delivery)

        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 2))


class StoppingTests(DrainTestCase):
    def test_lets_handlers_finish_and_claims_no_more(self) -> None:
        running = delivery_to("test.wait")
        drain = self.background().start()
        eventually(lambda: automations.seen)
        drain.stop.set()
        waiting = delivery_to("test.note")
        time.sleep(0.3)

        automations.go_on.set()
        drain.join()

        running.refresh_from_db()
        waiting.refresh_from_db()
        self.assertEqual((running.status, waiting.status, drain.exits), ("succeeded", "pending", []))

    @override_settings(HUB_STOP_SECONDS=0.5)
    def test_gives_back_what_does_not_finish_in_time(self) -> None:
        delivery = delivery_to("test.wait", retry={"max_attempts": 1})
        drain = self.background().start()
        eventually(lambda: automations.seen)

        drain.stop.set()
        drain.join()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, self.attempt(delivery).outcome), ("pending", "lost"))
        self.assertEqual(drain.exits, [0])
        automations.go_on.set()
        self.work()
        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 2))


class ThreadTests(DrainTestCase):
    def test_are_never_more_than_there_are_places_for(self) -> None:
        threads, places, done = HandlerThreads(2), set(), threading.Semaphore(0)
        self.addCleanup(threads.close)

        def task(place: int) -> None:
            places.add(place)
            done.release()

        for _ in range(2000):  # the next comes as soon as one has said that it is done, not when its thread is free
            threads.start(task)
            done.acquire()

        self.assertLessEqual(places, {0, 1})


class ClaimingOnTests(DrainTestCase):
    def test_runs_no_more_at_once_than_it_has_threads(self) -> None:
        for _ in range(5):
            delivery_to("test.wait")
        drain = self.background(threads=2).start()
        eventually(lambda: len(automations.seen) == 2)
        time.sleep(0.3)

        self.assertEqual(Delivery.objects.filter(status="running").count(), 2)
        automations.go_on.set()
        drain.join()
        self.assertEqual(Delivery.objects.filter(status="succeeded").count(), 5)

    def test_serves_newcomers_while_a_handler_takes_long(self) -> None:
        delivery_to("test.wait")
        drain = self.background().start()
        eventually(lambda: automations.seen)

        for _ in range(3):
            newcomer = delivery_to("test.note")
            eventually(lambda pk=newcomer.pk: Delivery.objects.get(pk=pk).status == "succeeded", seconds=2)

        automations.go_on.set()
        drain.join()

    def test_shows_the_worker_alive_also_when_nothing_is_due(self) -> None:
        self.work()

        self.assertEqual(list(Worker.objects.alive(timezone.now()).values_list("name", flat=True)), ["test:1"])


class DatabaseTroubleTests(DrainTestCase):
    def test_keeps_an_outcome_until_the_database_is_back(self) -> None:
        delivery = delivery_to("test.note")

        with self.failing(OperationalError("server closed the connection unexpectedly"), times=3) as failures:
            self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count, len(failures)), ("succeeded", 1, 3))

    def test_drops_what_cannot_be_stored_and_keeps_the_outcome(self) -> None:
        # One attempt only: a retry that comes up at once would be made in the same drain.
        delivery = delivery_to("test.fail", retry={"max_attempts": 1})

        with self.failing(ValueError("not storable"), times=2):  # with the others, and alone
            self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, self.attempt(delivery).error_type), ("dead", "NotStorable"))

    def test_leaves_others_time_to_renew_before_anything_of_theirs_is_taken_over(self) -> None:
        delivery = delivery_to("test.note")
        Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(seconds=15), worker="busy:1")
        background = self.background()
        with mock.patch.object(DeliveryQuerySet, "renew", side_effect=OperationalError("away")):
            background.drain.run()
        lapse(delivery)

        Drain(background.pulse, background.threads, stop=background.stop).run()
        self.assertEqual(Delivery.objects.get().status, "running")

        background.pulse.take_over_from = 0.0
        Drain(background.pulse, background.threads, stop=background.stop).run()
        self.assertEqual(Delivery.objects.get().status, "succeeded")

    def test_stores_the_others_of_one_that_cannot_be_stored(self) -> None:
        deliveries = [delivery_to("test.nothing") for _ in range(3)]

        with self.failing(ValueError("not storable"), times=1):
            self.work()

        for delivery in deliveries:
            delivery.refresh_from_db()
            self.assertEqual((delivery.status, self.attempt(delivery).error_type), ("succeeded", ""))

    @contextmanager
    def failing(self, error: Exception, *, times: int) -> Iterator[list[int]]:
        """Stand in for a database that fails, which cannot be brought about on both kinds otherwise."""
        failures: list[int] = []

        def close(*args: Any, **values: Any) -> set[UUID]:
            if len(failures) < times:
                failures.append(1)
                raise error
            return close_all(*args, **values)

        with mock.patch.object(transitions, "close_all", close):
            yield failures


class FaultTests(DrainTestCase):
    """A fault of the hub's own code ends no delivery in limbo."""

    def test_in_the_runner_fails_the_attempt(self) -> None:
        delivery = delivery_to("test.note")

        with mock.patch.object(runner, "run", side_effect=KeyError("a fault")):
            self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, self.attempt(delivery).error_type), ("waiting", "KeyError"))

    def test_in_the_loop_gives_running_deliveries_back(self) -> None:
        delivery = delivery_to("test.wait")
        drain = self.background().start()
        eventually(lambda: automations.seen)

        with mock.patch.object(DeliveryQuerySet, "due_routes", side_effect=KeyError("a fault")):
            drain.join()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, drain.exits), ("pending", [1]))
