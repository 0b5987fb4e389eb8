"""How workers hear that something is due, and when they look: no look for nothing, and nothing that nobody sees."""

from __future__ import annotations

import threading
import time
from unittest import mock

import pytest
from django.test import SimpleTestCase

from deliveries.execution.broker import DueDeliveries
from deliveries.execution.doorbell import Doorbell, doorbell
from deliveries.execution.looks import (
    AFTER_OTHERS_SECONDS,
    LONGER_SECONDS,
    LOOKING_SECONDS,
    MANY,
    POLL_SECONDS,
    REST_SECONDS,
    Looks,
)
from deliveries.models import Delivery
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import DrainTestCase, delivery_to, eventually


class LooksTests(SimpleTestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        for module in ("looks", "doorbell"):
            clock = mock.patch(f"deliveries.execution.{module}.time.monotonic", side_effect=lambda: self.now)
            clock.start()
            self.addCleanup(clock.stop)
        self.bell = Doorbell()
        self.looks = Looks(self.bell)

    def look(self, *, taken: int, due: int, busy: bool = False) -> None:
        self.looks.took(taken, due=due, seen_at=self.now, busy=busy)

    def is_due(self, *, busy: bool = False) -> bool:
        return self.looks.is_due(busy=busy)

    def test_are_made_at_once_in_the_beginning(self) -> None:
        self.assertTrue(self.is_due())

    def test_are_made_at_once_while_something_is_left(self) -> None:
        self.look(taken=3, due=5)

        self.assertTrue(self.is_due())

    def test_rest_after_all_was_taken_and_then_answer_the_bell(self) -> None:
        self.look(taken=1, due=1)
        self.now += REST_SECONDS / 2
        self.bell.ring()

        self.assertFalse(self.is_due())
        self.assertAlmostEqual(self.looks.rest(busy=False) or 0.0, REST_SECONDS / 2)

        self.now += REST_SECONDS / 2
        self.assertTrue(self.is_due())

    def test_answer_the_bell_at_once_after_a_silence(self) -> None:
        self.look(taken=0, due=0)
        self.now += REST_SECONDS * 2
        self.assertFalse(self.is_due())

        self.bell.ring()

        self.assertTrue(self.is_due())
        with mock.patch("os.getpid", return_value=-1):  # in another process
            self.assertFalse(self.is_due())
            self.now += AFTER_OTHERS_SECONDS
            self.assertTrue(self.is_due())

    def test_rest_longer_the_more_comes(self) -> None:
        self.look(taken=MANY, due=MANY)
        self.now += REST_SECONDS
        self.bell.ring()
        self.now += (LONGER_SECONDS - REST_SECONDS) / 2

        self.assertFalse(self.is_due())
        with mock.patch("os.getpid", return_value=-1):  # in another process
            self.assertFalse(Looks(self.bell).rest(busy=False) == 0.0)
        self.now += LONGER_SECONDS
        self.assertTrue(self.is_due())

    def test_leave_the_next_to_who_took_the_last_and_is_free(self) -> None:
        self.look(taken=0, due=0)
        self.now += REST_SECONDS / 2
        self.bell.ring()
        self.now += REST_SECONDS / 2 + AFTER_OTHERS_SECONDS / 2

        self.assertTrue(self.is_due(busy=False))
        self.assertFalse(self.is_due(busy=True))
        with mock.patch("os.getpid", return_value=-1):  # in another process
            self.assertFalse(self.is_due(busy=False))
            self.now += AFTER_OTHERS_SECONDS
            self.assertTrue(self.is_due(busy=False))

    def test_by_the_clock_count_from_the_last_of_another_that_left_nothing(self) -> None:
        first = Looks(self.bell)
        self.look(taken=1, due=1)
        for _ in range(10):
            self.now += POLL_SECONDS * 0.9
            with mock.patch("os.getpid", return_value=-1):  # in another process
                first.took(1, due=1, seen_at=self.now, busy=False)
            self.assertFalse(self.is_due())
            self.assertFalse(self.looks.is_called())

        self.now += POLL_SECONDS  # the other one has been killed, and nobody rings
        self.assertTrue(self.looks.is_called())
        self.assertTrue(self.is_due())

    def test_answer_the_bell_soon_where_who_took_the_last_has_been_killed(self) -> None:
        with mock.patch("os.getpid", return_value=-1):  # in another process
            Looks(self.bell).took(1, due=1, seen_at=self.now, busy=False)
        self.look(taken=0, due=0)
        with mock.patch("os.getpid", return_value=-1):
            Looks(self.bell).took(1, due=1, seen_at=self.now, busy=False)
        self.now += REST_SECONDS * 2
        self.bell.ring()

        self.now += AFTER_OTHERS_SECONDS
        self.assertTrue(self.is_due())

    def test_by_the_clock_come_at_once_where_another_has_looked_and_something_may_follow_the_own(self) -> None:
        self.look(taken=1, due=1, busy=True)
        with mock.patch("os.getpid", return_value=-1):  # in another process
            Looks(self.bell).took(0, due=0, seen_at=self.now, busy=False)

        self.looks.ended(others_wait=True)

        self.assertTrue(self.is_due())

    def test_are_spared_by_one_of_another_that_left_nothing(self) -> None:
        other = Looks(self.bell)
        self.look(taken=0, due=0)
        self.now += REST_SECONDS * 2
        self.bell.ring()
        self.now += 0.001
        other.took(1, due=1, seen_at=self.now, busy=False)
        self.now += REST_SECONDS * 2

        self.assertFalse(self.is_due())

    def test_wait_for_one_of_another_that_is_being_made(self) -> None:
        other = Looks(self.bell)
        self.look(taken=0, due=0)
        self.now += REST_SECONDS * 2
        self.bell.ring()
        self.now += 0.001
        other.begin()
        self.now += LOOKING_SECONDS - 0.001
        self.assertFalse(self.is_due())

        self.now += 0.001
        self.assertTrue(self.is_due())

        other.begin()
        other.took(1, due=2, seen_at=self.now, busy=False)
        self.assertTrue(self.is_due())

    def test_wait_for_one_of_another_also_where_the_bell_rings_after_it_has_begun(self) -> None:
        other = Looks(self.bell)
        with mock.patch("os.getpid", return_value=-1):  # in another process
            other.took(1, due=1, seen_at=self.now, busy=False)
        self.look(taken=0, due=0)
        self.now += REST_SECONDS * 2
        other.begin()
        self.now += 0.001
        self.bell.ring()
        self.now += AFTER_OTHERS_SECONDS
        self.assertFalse(self.is_due())

        with mock.patch("os.getpid", return_value=-1):
            other.took(1, due=1, seen_at=self.now - AFTER_OTHERS_SECONDS - 0.0005, busy=False)
            self.assertAlmostEqual(other.rest(busy=False) or 0.0, REST_SECONDS - AFTER_OTHERS_SECONDS - 0.0005)
        self.assertFalse(self.is_due())  # the next one is the other's, too

        other.begin()
        self.now += LOOKING_SECONDS  # in which it is killed
        self.assertTrue(self.is_due())

    def test_are_not_spared_by_one_of_another_that_left_something(self) -> None:
        other = Looks(self.bell)
        self.look(taken=0, due=0)
        self.now += REST_SECONDS * 2
        self.bell.ring()
        other.took(1, due=2, seen_at=self.now, busy=False)

        self.now += REST_SECONDS * 2
        self.assertTrue(self.is_due())

    def test_wait_for_the_own_handlers_where_nothing_was_to_be_had(self) -> None:
        self.look(taken=0, due=5, busy=True)
        self.bell.ring()
        self.assertTrue(self.looks.is_full)
        self.assertFalse(self.is_due(busy=True))

        self.looks.ended(others_wait=False)

        self.assertTrue(self.is_due(busy=True))

    def test_come_soon_after_handlers_for_whose_end_others_wait(self) -> None:
        self.look(taken=1, due=1)
        self.looks.ended(others_wait=False)
        self.assertFalse(self.is_due())

        self.looks.ended(others_wait=True)

        self.assertTrue(self.is_due())

    def test_come_without_a_bell_while_handlers_run(self) -> None:
        self.look(taken=0, due=0, busy=True)
        self.now += POLL_SECONDS

        self.assertTrue(self.is_due(busy=True))


@pytest.mark.any_database
class DoorbellTests(SimpleTestCase):
    def test_wakes_who_waits(self) -> None:
        bell = Doorbell()
        ringing = threading.Timer(0.05, bell.ring)
        ringing.start()
        began = time.monotonic()

        bell.wait(20)

        self.assertLess(time.monotonic() - began, 10)
        ringing.join()

    def test_is_rung_often_without_being_heard(self) -> None:
        bell = Doorbell()
        for _ in range(70_000):  # more than a pipe holds
            bell.ring()

        self.assertGreater(bell.rung_at, 0)

    def test_counts_the_orders_that_were_begun(self) -> None:
        bell = Doorbell()
        self.assertEqual(bell.take_begun(), 0)
        bell.begun()
        bell.begun()

        self.assertEqual((bell.take_begun(), bell.take_begun()), (2, 0))


class ListeningWorkerTests(DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(doorbell.listen, 0.0)

    def statuses(self) -> set[str]:
        return set(Delivery.objects.values_list("status", flat=True))

    def test_takes_what_comes_without_a_new_order_and_tells_when_it_ends(self) -> None:
        first = delivery_to("test.note")
        drain = self.background(linger=20).start()
        eventually(lambda: self.statuses() == {"succeeded"})
        eventually(lambda: doorbell.is_heard)

        delivery_to("test.note")
        doorbell.ring()
        eventually(lambda: self.statuses() == {"succeeded"})

        self.assertIn((str(first.pk), 1), automations.seen)
        drain.stop.set()
        drain.join()
        self.assertFalse(doorbell.is_heard)

    def test_does_not_listen_where_it_found_nothing_to_do(self) -> None:
        began = time.monotonic()
        self.background(linger=20).start().join()

        self.assertLess(time.monotonic() - began, 15)

    def test_is_rung_for_and_given_no_order(self) -> None:
        broker = DueDeliveries()
        broker.dequeue()  # the idle order
        delivery_to("test.note")
        doorbell.listen(time.monotonic() + 20)
        before = doorbell.rung_at

        self.assertIsNone(broker.dequeue())
        self.assertGreater(doorbell.rung_at, before)

        doorbell.listen(0.0)
        self.assertIsNotNone(broker.dequeue())

    def test_is_rung_for_once_more_as_not_every_commit_can_notify(self) -> None:
        broker = DueDeliveries()
        with mock.patch("deliveries.execution.broker.wait", side_effect=[False, True, False, False]):
            broker.dequeue()
            doorbell.listen(time.monotonic() + 20)
            rung = []
            for _ in range(3):
                broker.dequeue()
                rung.append(doorbell.rung_at)

        self.assertLess(rung[0], rung[1])
        self.assertEqual(rung[1], rung[2])

    def test_leaves_no_more_orders_than_fit_into_the_queue(self) -> None:
        broker = DueDeliveries()
        doorbell.take_begun()
        delivery_to("test.note")

        orders = [broker.dequeue() for _ in range(4)]
        self.assertEqual([order is not None for order in orders], [True, True, False, False])

        doorbell.begun()
        self.assertIsNotNone(broker.dequeue())
