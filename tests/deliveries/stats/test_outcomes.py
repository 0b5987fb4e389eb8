"""Workers count how attempts and deliveries end."""

from __future__ import annotations

from django.utils import timezone

from deliveries.models import Delivery, NamedCount, Rollup
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase, delivery_to


class OutcomeTests(DrainTestCase):
    def test_are_written_when_a_drain_ends(self) -> None:
        good = delivery_to("test.note")
        delivery_to("test.fail", retry={**AT_ONCE, "max_attempts": 1})

        self.work()

        hours = Rollup.objects.filter(grain_minutes=60)
        found = {row.measure: row.count for row in hours if row.measure != "handler"}
        self.assertEqual(found, {"succeeded": 1, "failed": 1, "dead": 1, "done": 1})
        self.assertEqual(sum(row.count for row in hours if row.measure == "handler"), 2)
        self.assertEqual(hours.get(measure="succeeded").route, good.route_id)

    def test_that_are_failures_are_counted_by_the_class_of_the_error(self) -> None:
        delivery_to("test.note")
        failed = delivery_to("test.fail", retry={**AT_ONCE, "max_attempts": 2})

        self.work()

        error = failed.attempts.latest("number").error_type
        found = list(NamedCount.objects.values_list("measure", "endpoint", "name", "count"))
        self.assertEqual(found, [("failed", failed.endpoint_id, error, 2)])

    def test_of_bulk_replays_are_counted_and_not_timed_to_the_end(self) -> None:
        delivery = delivery_to("test.note")
        Delivery.objects.filter(pk=delivery.pk).update(bulk=True, due_at=timezone.now())

        self.work()

        measures = set(Rollup.objects.values_list("measure", flat=True))
        self.assertEqual(measures, {"succeeded", "handler"})

    def test_of_what_only_waited_are_no_failures(self) -> None:
        delivery_to("test.raise", config={"error": "CircuitOpen"})

        self.work()

        self.assertFalse(Rollup.objects.exists())

    def test_of_what_waited_until_it_was_too_old_are_failures(self) -> None:
        delivery_to("test.raise", config={"error": "CircuitOpen"}, retry={"max_age_seconds": 5})

        self.work()

        measures = set(Rollup.objects.values_list("measure", flat=True))
        self.assertEqual(measures, {"failed", "dead", "handler"})
