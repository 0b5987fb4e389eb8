from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.test import TestCase

from deliveries.models import Delivery, Worker
from tests.factories import make_delivery, make_endpoint, make_route

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


class ReasonTests(TestCase):
    """A delivery says in a sentence why it is not running now."""

    def setUp(self) -> None:
        self.route = make_route(make_endpoint(), retry={"max_attempts": 6})

    def reason(self, **values: object) -> str:
        delivery = make_delivery(self.route, now=NOW, **values)
        return Delivery.objects.get(pk=delivery.pk).reason_at(NOW)

    def test_says_that_it_is_due(self) -> None:
        Worker.objects.beat("one:1", now=NOW)

        self.assertEqual(self.reason(), "Due: the next free worker takes it.")

    def test_says_that_no_worker_is_alive(self) -> None:
        Worker.objects.beat("one:1", now=NOW - timedelta(minutes=1))

        self.assertEqual(self.reason(), "Due, but no worker is alive.")

    def test_asks_for_workers_once_for_a_whole_list(self) -> None:
        delivery = make_delivery(self.route, now=NOW)

        with self.assertNumQueries(0):
            self.assertEqual(delivery.reason_at(NOW, workers_alive=True), "Due: the next free worker takes it.")

    def test_says_until_when_it_waits_and_why(self) -> None:
        self.assertEqual(
            self.reason(status="waiting", due_at=LATER, attempt_count=5, budget_start=3, last_error="Broken: no"),
            "Waits until 2026-03-01 12:05:00 UTC after attempt 2 of 6: Broken: no",
        )

    def test_says_what_holds_it(self) -> None:
        self.assertEqual(self.reason(status="held"), "Held until an operator resumes it.")
        self.route.paused = True
        self.route.save()
        self.route = make_route(self.route.endpoint, paused=True)
        self.assertEqual(self.reason(status="held"), "Held because its route is paused.")
        self.route = make_route(make_endpoint(state="paused"))
        self.assertEqual(self.reason(status="held"), "Held because its endpoint is paused.")
        self.assertEqual(self.reason(status="pending"), "Held because its endpoint is paused.")

    def test_says_where_it_runs_and_that_its_worker_is_silent(self) -> None:
        self.assertEqual(
            self.reason(status="running", worker="one:1", lease_until=LATER),
            "Running on worker one:1, lease until 2026-03-01 12:05:00 UTC.",
        )
        self.assertEqual(
            self.reason(status="running", worker="one:1", lease_until=NOW - timedelta(seconds=1)),
            "Its worker one:1 has gone silent; the next live worker takes it over.",
        )

    def test_says_how_it_finished(self) -> None:
        finished = {"finished_at": NOW, "attempt_count": 6}
        self.assertEqual(self.reason(status="succeeded", **finished), "Succeeded at attempt 6.")
        self.assertEqual(
            self.reason(status="dead", last_error="Broken: no", **finished), "Gave up after attempt 6 of 6: Broken: no"
        )
        self.assertEqual(self.reason(status="discarded", last_error="not wanted", **finished), "Discarded: not wanted")
