"""What is counted and said of deliveries that a worker gives back as it ends."""

from __future__ import annotations

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone
from structlog.testing import capture_logs

from deliveries.execution.giving_back import give_back
from deliveries.models import Delivery
from deliveries.models.rollup import Measure
from deliveries.models.transitions import MOST_GIVE_BACKS
from deliveries.stats.counting import counting
from tests.factories import make_delivery, make_endpoint, make_route


class ADeliveryThatIsGivenBackTests(TestCase):
    def give_back(self, *, give_backs: int, max_attempts: int) -> tuple[set[Measure], list[str]]:
        """Return what was counted, and the names of the lines."""
        make_delivery(make_route(make_endpoint(), retry={"max_attempts": max_attempts}), give_backs=give_backs)
        (row,) = Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(minutes=1), worker="host:1")
        with capture_logs() as lines:
            give_back({row.pk: row.attempt_count}, worker="host:1", now=timezone.now())
        self.assertEqual({line["worker"] for line in lines}, {"host:1"})
        return {measure for _, _, measure, _, _ in counting.take()}, [line["event"] for line in lines]

    def test_is_said_to_be_and_no_failure(self) -> None:
        counted, said = self.give_back(give_backs=0, max_attempts=1)

        self.assertEqual(counted, set())
        self.assertEqual(said, ["delivery.given_back", "worker.gave_back"])

    def test_is_a_failure_once_it_may_be_what_ends_the_workers(self) -> None:
        counted, said = self.give_back(give_backs=MOST_GIVE_BACKS, max_attempts=2)

        self.assertEqual(counted, {Measure.FAILED})
        self.assertEqual(said, ["delivery.given_back", "worker.gave_back"])

    def test_is_counted_as_a_dead_letter_if_it_becomes_one(self) -> None:
        counted, said = self.give_back(give_backs=MOST_GIVE_BACKS, max_attempts=1)

        self.assertEqual(counted, {Measure.FAILED, Measure.DEAD})
        self.assertEqual(said, ["delivery.given_back", "delivery.dead", "worker.gave_back"])
        self.assertEqual(Delivery.objects.get().status, "dead")
