"""What was held goes on at a rate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from deliveries import hold
from deliveries.execution import feeder
from deliveries.models import AuditEntry, Delivery, Release
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import DrainTestCase
from tests.deliveries.execution.replays import feed
from tests.factories import make_delivery, make_endpoint, make_route


class ReleaseCase(DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ada = User.objects.create_user("ada")
        self.endpoint = make_endpoint()
        self.route = make_route(self.endpoint, handler="test.note")

    def held(self, count: int, **values: Any) -> list[Delivery]:
        return [make_delivery(self.route, status="held", **values) for _ in range(count)]

    def statuses(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for status in Delivery.objects.values_list("status", flat=True):
            found[status] = found.get(status, 0) + 1
        return found

    def resume(self, rate: float) -> int:
        return hold.resume_endpoint(self.endpoint, by=self.ada, rate_per_second=rate)


class RateTests(ReleaseCase):
    def test_is_kept_by_when_each_is_due_the_oldest_first(self) -> None:
        rows = self.held(12)
        hold.pause_endpoint(self.endpoint, by=self.ada)

        self.assertEqual(self.resume(2), 12)
        start = timezone.now() + timedelta(seconds=1)
        for seconds in range(4):
            feed(start + timedelta(seconds=seconds))

        dues = [Delivery.objects.get(pk=row.pk).due_at for row in rows]
        self.assertEqual(dues, [start + timedelta(seconds=number / 2) for number in range(12)])
        release = Release.objects.get()
        self.assertEqual((release.released, release.total, release.state), (12, 12, "running"))
        feed(start + timedelta(seconds=10))
        release.refresh_from_db()
        self.assertEqual((release.state, release.percent), ("finished", 100))

    def test_is_for_what_was_held_and_live_deliveries_go_on_beside_it(self) -> None:
        self.held(5)
        self.resume(0.1)
        fresh = make_delivery(self.route)

        self.work()

        self.assertEqual(Delivery.objects.get(pk=fresh.pk).status, "succeeded")
        self.assertEqual(self.statuses()["held"], 4)

    def test_does_not_let_a_live_delivery_get_ahead_of_a_held_one_of_its_key(self) -> None:
        self.route.ordering_key = "key"
        self.route.save()
        first, second = (
            make_delivery(self.route, status="held", ordering_key="a", ordinal=number, blocked=number > 1)
            for number in (1, 2)
        )
        fresh = make_delivery(self.route, ordering_key="a", ordinal=3, blocked=True)
        self.resume(1000)

        for _ in range(4):
            feed(timezone.now())
            self.work()

        ran = [pk for pk, _ in automations.seen]
        self.assertEqual(ran, [str(row.pk) for row in (first, second, fresh)])

    def test_is_in_the_log_with_who_asked(self) -> None:
        self.held(3)

        self.resume(2.5)

        entry = AuditEntry.objects.changes().get()
        self.assertEqual(entry.message, "Resumed at 2.5 per second; 3 deliveries to release.")
        self.assertEqual(Release.objects.get().created_by, "ada")

    def test_leaves_a_retry_to_wait_for_its_time(self) -> None:
        later = timezone.now() + timedelta(hours=1)
        (row,) = self.held(1, due_at=later)
        self.resume(100)

        feed()

        row.refresh_from_db()
        self.assertEqual((row.status, row.due_at), ("waiting", later))


class EndingTests(ReleaseCase):
    def setUp(self) -> None:
        super().setUp()
        self.held(5, due_at=timezone.now() - timedelta(minutes=1))
        self.resume(1)
        feed(timezone.now() - timedelta(seconds=5))
        self.assertEqual(self.statuses(), {"pending": 4, "held": 1})

    def test_comes_with_a_pause_which_holds_what_has_not_started(self) -> None:
        hold.pause_endpoint(self.endpoint, by=self.ada)
        feed()

        self.assertEqual(self.statuses(), {"held": 5})
        self.assertEqual(Release.objects.get().state, "stopped")

    def test_comes_with_a_pause_of_the_route_too(self) -> None:
        hold.pause_route(self.route, by=self.ada)
        feed(times=2)

        self.assertEqual(self.statuses(), {"held": 5})

    def test_comes_with_an_order_to_let_all_go_at_once(self) -> None:
        hold.resume_endpoint(self.endpoint, by=self.ada)

        self.assertEqual(self.statuses(), {"pending": 5})
        self.assertEqual(Release.objects.get().state, "stopped")

    def test_comes_with_another_rate(self) -> None:
        self.assertEqual(self.resume(50), 1)

        self.assertEqual(sorted(Release.objects.values_list("state", "rate_per_second")),
                         [("running", 50.0), ("stopped", 1.0)])  # fmt: skip

    def test_does_not_come_with_the_end_of_a_feeder(self) -> None:
        # A new process knows nothing but the rows.
        feeder.Feeder("two:2").step(timezone.now() + timedelta(seconds=10))

        self.assertEqual(self.statuses(), {"pending": 5})
        self.assertEqual(Release.objects.get().released, 5)


class RouteTests(ReleaseCase):
    def test_is_released_at_a_rate_of_its_own(self) -> None:
        self.held(3)
        other = make_route(self.endpoint, handler="test.note")
        make_delivery(other, status="held")
        hold.pause_route(self.route, by=self.ada)
        hold.pause_route(other, by=self.ada)

        self.assertEqual(hold.resume_route(self.route, by=self.ada, rate_per_second=1000), 3)
        feed()

        self.assertEqual(self.statuses(), {"pending": 3, "held": 1})

    def test_is_left_to_its_own_release_by_its_endpoints(self) -> None:
        self.held(3)
        hold.pause_route(self.route, by=self.ada)
        self.resume(1000)
        hold.resume_route(self.route, by=self.ada, rate_per_second=0.1)

        feed(times=2)

        self.assertEqual(self.statuses(), {"pending": 1, "held": 2})
