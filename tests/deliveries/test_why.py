"""Why is it not running?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries import hold
from deliveries.models import Delivery, ParkedKey, Worker
from deliveries.why import Reason, explain, reason_of
from integrations.models import Endpoint, Route
from tests.deliveries.execution.lines import claim, close, line, ordered_route, receive, rows
from tests.factories import make_delivery, make_endpoint, make_route

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


class ReasonCase(TestCase):
    """A delivery says in a sentence why it is not running now."""

    def setUp(self) -> None:
        self.route = make_route(make_endpoint(), retry={"max_attempts": 6})

    def reason(self, *, route: Route | None = None, **values: object) -> str:
        return str(self.of(make_delivery(route or self.route, now=NOW, **values)))

    def of(self, delivery: Delivery, now: datetime = NOW) -> Reason:
        return reason_of(Delivery.objects.get(pk=delivery.pk), now=now)


class DueTests(ReasonCase):
    def test_says_that_it_is_due(self) -> None:
        Worker.objects.beat("one:1", now=NOW)

        self.assertEqual(self.reason(), "Due: the next free worker takes it.")

    def test_says_that_no_worker_is_alive(self) -> None:
        self.assertEqual(self.reason(), "Due, but no worker is alive.")
        Worker.objects.beat("one:1", now=NOW - timedelta(minutes=1))
        self.assertEqual(self.reason(), "Due, but no worker is alive. The last was heard of 60 s ago.")

    def test_says_that_every_worker_is_stopping(self) -> None:
        Worker.objects.beat("one:1", now=NOW, threads=4, stopping=True)
        Worker.objects.beat("gone:1", now=NOW - timedelta(minutes=1), threads=4)

        self.assertEqual(self.reason(), "Due, but every worker that is alive is stopping.")

    def test_says_that_all_workers_are_busy(self) -> None:
        Worker.objects.beat("one:1", now=NOW, threads=2)
        Worker.objects.beat("two:2", now=NOW, threads=9, stopping=True)
        self.assertEqual(self.reason(), "Due: the next free worker takes it.")
        for _ in range(2):
            make_delivery(self.route, status="running", worker="one:1", lease_until=LATER)

        self.assertEqual(self.reason(), "Due, but all workers are busy: 2 of 2 threads.")

    def test_says_that_its_route_runs_as_many_as_it_may(self) -> None:
        Worker.objects.beat("one:1", now=NOW)
        route = make_route(make_endpoint(), concurrency=2)
        for _ in range(2):
            self.assertEqual(self.reason(route=route), "Due: the next free worker takes it.")
            make_delivery(route, status="running", worker="one:1", lease_until=LATER)

        self.assertEqual(
            self.reason(route=route), "Due, but its route has 2 of 2 deliveries running, and may have no more."
        )

    def test_says_that_live_traffic_goes_before_a_bulk_replay(self) -> None:
        Worker.objects.beat("one:1", now=NOW)
        self.assertEqual(self.reason(bulk=True), "Due: the next free worker takes it.")
        make_delivery(self.route, now=NOW)

        self.assertEqual(self.reason(bulk=True), "Due, in the lane of bulk replays: live deliveries go first.")

    def test_says_until_when_it_waits_and_why(self) -> None:
        self.assertEqual(
            self.reason(status="waiting", due_at=LATER, attempt_count=5, budget_start=3, last_error="Broken: no"),
            "Waits until 2026-03-01 12:05:00 UTC after attempt 2 of 6: Broken: no",
        )


class HeldTests(ReasonCase):
    def setUp(self) -> None:
        super().setUp()
        self.ada = User.objects.create_user("ada")

    def test_says_what_holds_it(self) -> None:
        self.assertEqual(self.reason(status="held"), "Held until an operator resumes it.")
        paused = make_route(self.route.endpoint, paused=True)
        self.assertEqual(self.reason(route=paused, status="held"), "Held because its route is paused.")
        of_paused = make_route(make_endpoint(state="paused"))
        self.assertEqual(self.reason(route=of_paused, status="held"), "Held because its endpoint is paused.")
        self.assertEqual(self.reason(route=of_paused, status="pending"), "Held because its endpoint is paused.")

    def test_says_who_paused_its_route_and_when(self) -> None:
        for via in ("", "API"):
            delivery = make_delivery(self.route)
            hold.pause_route(self.route, by=User.objects.create_user("bob" + via))
            hold.resume_route(self.route, by=self.ada)
            hold.pause_route(self.route, by=self.ada, via=via)

            self.assertRegex(str(self.of(delivery)), r"^Held because its route is paused, by ada at 20\d\d-.* UTC\.$")
            hold.resume_route(self.route, by=self.ada)

    def test_says_who_paused_its_endpoint_and_links_to_it(self) -> None:
        delivery = make_delivery(self.route)
        hold.pause_endpoint(self.route.endpoint, by=self.ada)

        reason = self.of(delivery)

        self.assertRegex(str(reason), r"^Held because its endpoint is paused, by ada at 20\d\d-.* UTC\.$")
        self.assertIn(("endpoint", self.route.endpoint_id), [(part.names, part.pk) for part in reason.parts])

    def test_says_which_delivery_parked_its_key(self) -> None:
        route = ordered_route(failure="park")
        first, second = line(route, 2)
        close(claim()[0], "dead")

        reason = self.of(second)

        self.assertRegex(
            str(reason), rf"^Held because its ordering key is parked since .* UTC, when delivery {first.pk} gave up\.$"
        )
        self.assertIn(("delivery", first.pk), [(part.names, part.pk) for part in reason.parts])

    def test_says_both_that_its_key_is_parked_and_its_endpoint_paused(self) -> None:
        route = ordered_route(failure="park")
        _, second = line(route, 2)
        close(claim()[0], "dead")
        Endpoint.objects.update(state="paused")

        self.assertRegex(str(self.of(second)), r"^Held because its endpoint is paused\. Held because its ordering key")


class OrderedTests(ReasonCase):
    def setUp(self) -> None:
        super().setUp()
        self.ordered = ordered_route()
        self.first, self.second, self.third = line(self.ordered, 3)
        Worker.objects.beat("one:1", now=timezone.now())

    def why(self, delivery: Delivery) -> str:
        return str(self.of(delivery, timezone.now()))

    def test_says_behind_which_delivery_it_waits(self) -> None:
        self.assertEqual(self.why(self.first), "Due: the next free worker takes it.")
        for later in (self.second, self.third):
            self.assertEqual(
                self.why(later), f"Waits behind delivery {self.first.pk} of its ordering key, which is due."
            )

    def test_says_how_that_one_stands(self) -> None:
        (running,) = claim()
        behind = f"Waits behind delivery {self.first.pk} of its ordering key, which "
        self.assertEqual(self.why(self.second), behind + "is running.")
        close(running, "waiting", now=datetime(2027, 1, 1, tzinfo=UTC))
        self.assertEqual(self.why(self.second), behind + "waits for a retry at 2027-01-01 00:00:00 UTC: Broken.")
        rows(self.first).hold()
        self.assertEqual(self.why(self.second), behind + "is held.")
        rows(self.first).resume(now=timezone.now())
        rows(self.first).update(due_at=timezone.now())
        close(claim()[0], "dead")
        self.assertEqual(self.why(self.second), behind + "has to be replayed or discarded, as it gave up: Broken.")

    def test_names_the_later_one_that_runs_to_an_older_one_that_was_replayed(self) -> None:
        Route.objects.update(ordering_failure="skip")
        close(claim()[0], "dead")
        (running,) = claim()
        rows(self.first).replay(now=timezone.now(), requested_by="ada")

        self.assertEqual(
            self.why(self.first), f"Waits behind delivery {running.pk} of its ordering key, which is running."
        )


class RunningTests(ReasonCase):
    def test_says_where_it_runs_and_when_that_worker_was_heard_of(self) -> None:
        self.assertEqual(
            self.reason(status="running", worker="one:1", lease_until=LATER),
            "Running on worker one:1, which nothing is heard of, lease until 2026-03-01 12:05:00 UTC.",
        )
        Worker.objects.beat("one:1", now=NOW - timedelta(seconds=3))
        delivery = make_delivery(self.route, now=NOW, status="running", worker="one:1", lease_until=LATER)

        reason = self.of(delivery)

        self.assertEqual(str(reason), "Running on worker one:1, heard of 3 s ago, lease until 2026-03-01 12:05:00 UTC.")
        self.assertIn(("worker", Worker.objects.get().pk), [(part.names, part.pk) for part in reason.parts])

    def test_says_that_the_lease_has_run_out(self) -> None:
        Worker.objects.beat("one:1", now=NOW - timedelta(minutes=3))
        over = {"status": "running", "worker": "one:1", "lease_until": NOW - timedelta(seconds=150)}

        self.assertEqual(
            self.reason(**over),
            "The lease of worker one:1, heard of 3 min ago, ran out 2 min ago; no worker is alive to take it over.",
        )
        Worker.objects.beat("two:2", now=NOW)
        self.assertEqual(
            self.reason(**over),
            "The lease of worker one:1, heard of 3 min ago, ran out 2 min ago; the next live worker takes it over.",
        )


class FinishedTests(ReasonCase):
    def test_says_how_it_finished(self) -> None:
        finished = {"finished_at": NOW, "attempt_count": 6}
        self.assertEqual(self.reason(status="succeeded", **finished), "Succeeded at attempt 6.")
        self.assertEqual(
            self.reason(status="dead", last_error="Broken: no", **finished), "Gave up after attempt 6 of 6: Broken: no"
        )
        self.assertEqual(self.reason(status="discarded", last_error="not wanted", **finished), "Discarded: not wanted")


class ListTests(TestCase):
    def fill(self) -> None:
        """Make deliveries of every kind."""
        now = timezone.now()
        limited = make_route(make_endpoint(), concurrency=1)
        make_delivery(limited, status="running", worker="one:1", lease_until=now + timedelta(minutes=5))
        make_delivery(limited)
        make_delivery(limited, bulk=True)
        make_delivery(limited, status="waiting", due_at=now + timedelta(hours=1))
        make_delivery(make_route(make_endpoint(state="paused")), status="held")
        make_delivery(make_route(make_endpoint(), paused=True), status="held")
        line(ordered_route(), 3)
        parked = ordered_route(failure="park")
        first, *_ = receive(parked, {"key": "p"}, {"key": "p"})
        rows(first).update(status="dead", finished_at=now)
        ParkedKey.objects.create(route=parked, ordering_key="p", delivery=first, parked_at=now)
        Delivery.objects.filter(route=parked, status="pending").update(status="held")

    def asked(self) -> int:
        listed = list(Delivery.objects.select_related("route", "endpoint"))
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(len(explain(listed)), len(listed))
        return len(captured)

    def test_needs_as_many_queries_for_many_rows_as_for_few(self) -> None:
        Worker.objects.beat("one:1", now=timezone.now(), threads=4)
        self.fill()
        few = self.asked()
        for _ in range(4):
            self.fill()

        self.assertEqual((self.asked(), few), (few, 8))

    def test_asks_nothing_for_what_is_finished(self) -> None:
        make_delivery(make_route(make_endpoint()), status="succeeded", finished_at=timezone.now())

        self.assertEqual(self.asked(), 0)
