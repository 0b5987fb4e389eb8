"""What workers do beside deliveries."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries import retention
from deliveries.execution import housekeeping
from deliveries.execution.housekeeping import Housekeeping
from deliveries.models import Rejection, RejectionCount, Replay, ReplayItem
from deliveries.models import replaying as moves
from integrations.models import Route
from tests.deliveries.execution.drains import DrainTestCase
from tests.deliveries.execution.lines import line, ordered_route, rows, statuses
from tests.deliveries.execution.replays import feed, make_dead, order
from tests.factories import make_endpoint


def make_rejections(count: int, *, age: timedelta) -> None:
    endpoint = make_endpoint()
    Rejection.objects.bulk_create(
        Rejection(endpoint=endpoint, reason="signature_mismatch", received_at=timezone.now() - age)
        for _ in range(count)
    )


@override_settings(HUB_REJECTION_DAYS=7)
class HousekeepingTests(TestCase):
    def test_removes_old_rejections_and_no_others(self) -> None:
        make_rejections(3, age=timedelta(days=8))
        make_rejections(2, age=timedelta(days=6))

        Housekeeping().tidy_up(timezone.now())

        self.assertEqual(Rejection.objects.count(), 2)

    def test_removes_counts_of_refusals_older_than_ninety_days(self) -> None:
        endpoint, now = make_endpoint(), timezone.now()
        for days in (89, 91, 400):
            hour = now - timedelta(days=days)
            RejectionCount.objects.create(endpoint=endpoint, reason="signature_mismatch", hour=hour, count=3)

        Housekeeping().tidy_up(now)

        self.assertEqual([(now - row.hour).days for row in RejectionCount.objects.all()], [89])

    def test_removes_what_replays_ran_thirty_days_after_their_end_and_keeps_the_orders(self) -> None:
        now = timezone.now()
        replays = {}
        for days in (29, 31):
            make_dead(2)
            replay = replays[days] = order()
            feed()
            moves.cancel(replay.pk, now=now - timedelta(days=days))

        Housekeeping().tidy_up(now)

        self.assertEqual(set(ReplayItem.objects.values_list("replay", flat=True)), {replays[29].pk})
        self.assertEqual(Replay.objects.count(), 2)

    def test_does_a_batch_at_a_time_so_that_deliveries_go_on_in_between(self) -> None:
        make_rejections(5, age=timedelta(days=8))
        keeper = Housekeeping()
        with (
            mock.patch.object(retention, "BATCH", 2),
            mock.patch.object(housekeeping, "BATCH", 2),
            mock.patch.object(housekeeping, "_NEXT_BATCH_SECONDS", 0),
        ):
            left = []
            for _ in range(4):
                keeper.tidy_up(timezone.now())
                left.append(Rejection.objects.count())

        self.assertEqual(left, [3, 1, 0, 0])

    def test_asks_the_database_only_now_and_then(self) -> None:
        keeper = Housekeeping()
        keeper.tidy_up(timezone.now())

        with self.assertNumQueries(0):
            keeper.tidy_up(timezone.now())


class DrainTests(DrainTestCase):
    def test_keeps_house_also_when_no_delivery_is_due(self) -> None:
        make_rejections(1, age=timedelta(days=30))

        self.work()

        self.assertFalse(Rejection.objects.exists())


class StrandedKeyTests(DrainTestCase):
    def test_go_on_when_the_policy_has_changed(self) -> None:
        route = ordered_route(failure="block", handler="test.note")
        first, second = line(route, 2)
        rows(first).update(status="dead", finished_at=timezone.now())
        Route.objects.update(ordering_failure="skip")

        self.work(times=2)

        self.assertEqual(statuses([first, second]), ["dead", "succeeded"])

    def test_are_looked_for_every_ten_seconds(self) -> None:
        keeper = Housekeeping()
        with (
            mock.patch.object(housekeeping.time, "monotonic") as clock,
            mock.patch.object(housekeeping, "mend_stranded", return_value=0) as mend,
        ):
            for clock.return_value in (0, 9, 10, 19, 20):
                keeper.tidy_up(timezone.now())

        self.assertEqual(mend.call_count, 3)
