"""When a failed delivery runs again, and when it does not any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from deliveries.models import Delivery
from tests.deliveries.execution.drains import DrainTestCase, delivery_to
from tests.deliveries.execution.test_leases import lapse

EXACT = {"initial_seconds": 100, "jitter": False}


class RetryTests(DrainTestCase):
    def failed(self, error: str, *, made_ago: float = 0, attempts: int = 0, **retry: Any) -> Delivery:
        """Return a delivery of a certain age after its handler has raised ``error``, ``attempts`` attempts later."""
        delivery = delivery_to("test.raise", config={"error": error}, retry={**EXACT, **retry})
        made = timezone.now() - timedelta(seconds=made_ago)
        Delivery.objects.filter(pk=delivery.pk).update(created_at=made, attempt_count=attempts)
        self.before = timezone.now()
        self.work()
        delivery.refresh_from_db()
        return delivery

    def wait_of(self, delivery: Delivery) -> float:
        self.assertEqual(delivery.status, "waiting")
        return (delivery.due_at - self.before).total_seconds()

    def test_waits_by_the_rule_for_the_error(self) -> None:
        rules = {"ConnectionError": {"initial_seconds": 300}}

        self.assertAlmostEqual(self.wait_of(self.failed("ConnectionResetError", errors=rules)), 300, delta=5)
        self.assertAlmostEqual(self.wait_of(self.failed("Broken", errors=rules)), 100, delta=5)

    def test_has_as_many_attempts_as_the_rule_says(self) -> None:
        rules = {"ConnectionError": {"max_attempts": 10}, "tests.automations.handlers.Broken": {"retry": False}}

        self.assertEqual(self.failed("ConnectionResetError", attempts=8, errors=rules).status, "waiting")
        self.assertEqual(self.failed("ConnectionResetError", attempts=9, errors=rules).status, "dead")
        self.assertEqual(self.failed("Broken", errors=rules).status, "dead")

    def test_is_not_made_later_than_the_longest_age(self) -> None:
        young = self.failed("Broken", made_ago=50, max_age_seconds=160)
        old = self.failed("Broken", made_ago=70, max_age_seconds=160)

        self.assertEqual((young.status, old.status), ("waiting", "dead"))
        line = self.attempt(old).log[-1]
        self.assertEqual((line["message"], line["fields"]["max_age_seconds"]), ("not retried", 160))

    def test_counts_the_age_from_the_last_replay(self) -> None:
        delivery = self.failed("Broken", made_ago=1000, max_age_seconds=160)
        self.assertEqual(delivery.status, "dead")

        Delivery.objects.replay(now=timezone.now(), requested_by="ada")
        self.work()

        delivery.refresh_from_db()
        self.assertEqual(delivery.status, "waiting")

    def test_waits_for_what_a_handler_asks_for_only_within_the_age(self) -> None:
        self.assertAlmostEqual(self.wait_of(self.failed("RetryLater", max_age_seconds=61)), 60, delta=5)
        self.assertEqual(self.failed("RetryLater", max_age_seconds=59).status, "dead")

    def test_takes_no_attempt_where_an_outside_system_was_not_called(self) -> None:
        for ordering in ({}, {"ordering_key": "id"}):
            with self.subTest(ordering=ordering):
                delivery = delivery_to("test.raise", config={"error": "CircuitOpen"}, retry={"max_attempts": 2})
                if ordering:
                    Delivery.objects.filter(pk=delivery.pk).update(ordering_key="a", ordinal=1)
                for number in (1, 2, 3, 4):
                    self.make_due(delivery)
                    self.work()
                    delivery.refresh_from_db()
                    self.assertEqual((delivery.status, delivery.attempt_count), ("waiting", number))

                Delivery.objects.filter(pk=delivery.pk).update(due_at=timezone.now())
                delivery.route.config = {"error": "Broken"}
                delivery.route.save()
                self.work()
                delivery.refresh_from_db()
                self.assertEqual(delivery.status, "waiting")  # the first of two that count
                self.make_due(delivery)
                self.work()
                delivery.refresh_from_db()
                self.assertEqual((delivery.status, delivery.attempt_count), ("dead", 6))

    def test_is_due_to_the_microsecond(self) -> None:
        delivery = self.failed("Broken", initial_seconds=0.123456)

        self.assertEqual(delivery.status, "waiting")
        finished_at = self.attempt(delivery).finished_at
        assert finished_at is not None
        self.assertLess(abs((delivery.due_at - finished_at).total_seconds() - 0.123456), 1)

    def test_of_a_lost_attempt_is_not_made_after_the_longest_age(self) -> None:
        for made_ago, status in ((50, "pending"), (70, "dead")):
            with self.subTest(status):
                delivery = delivery_to("test.note", retry={"max_age_seconds": 60})
                now = timezone.now()
                Delivery.objects.update(created_at=now - timedelta(seconds=made_ago))
                Delivery.objects.claim(limit=1, now=now, lease=timedelta(seconds=15), worker="gone:1")
                lapse(delivery)

                Delivery.objects.take_over(now=now)

                delivery.refresh_from_db()
                self.assertEqual(delivery.status, status)
                Delivery.objects.filter(pk=delivery.pk).update(due_at=now + timedelta(days=1))
