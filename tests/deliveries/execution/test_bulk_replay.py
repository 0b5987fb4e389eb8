"""Orders to run many deliveries again: what is fed when, what comes of it, and what an interruption leaves behind."""

from __future__ import annotations

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from deliveries.execution.feeder import WINDOW
from deliveries.models import Attempt, Delivery, Replay
from deliveries.models import replaying as moves
from deliveries.models.states import DeliveryStatus
from integrations.models import Endpoint, Route
from tests.deliveries.execution.replays import claim, close, counts, feed, make_dead, order, standing, without_due
from tests.factories import make_delivery, make_endpoint, make_route


class ListingTests(TestCase):
    def test_takes_what_matches_and_what_can_be_replayed(self) -> None:
        dead = make_dead(3)
        make_dead(2, status="succeeded")
        make_delivery(dead[0].route)

        replay = order()
        feed()

        self.assertEqual(set(replay.items.values_list("delivery", flat=True)), {row.pk for row in dead})

    def test_goes_on_where_it_stopped_when_its_process_ended(self) -> None:
        rows = make_dead(5)
        replay = order()

        self.assertTrue(moves.list_some(replay.pk, now=timezone.now(), most=2))
        self.assertTrue(moves.list_some(replay.pk, now=timezone.now(), most=2))
        self.assertFalse(moves.list_some(replay.pk, now=timezone.now(), most=2))

        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.total, replay.listed), ("running", 5, 5))
        self.assertEqual(replay.items.count(), len(rows))

    def test_leaves_what_was_made_after_the_order(self) -> None:
        make_dead(1)
        replay = order()
        make_dead(1, created_at=timezone.now() + timedelta(seconds=1))

        feed()

        self.assertEqual(replay.items.count(), 1)

    def test_leaves_what_another_order_has_run_since_it_was_given(self) -> None:
        make_dead(2)
        first, late = order(), order()
        moves.list_some(first.pk, now=timezone.now())
        moves.feed(first.pk, window=WINDOW, now=timezone.now())
        for row in claim():
            close(row, DeliveryStatus.DEAD)

        feed(times=2)

        late.refresh_from_db()
        self.assertEqual((late.state, late.total), ("finished", 0))
        self.assertEqual(Attempt.objects.count(), 2)

    def test_ends_at_once_when_nothing_matches(self) -> None:
        replay = order({"endpoint": "nowhere"})

        feed(times=2)

        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.total, replay.done, replay.percent), ("finished", 0, 0, 100))

    def test_can_be_paused_and_resumed(self) -> None:
        make_dead(3)
        replay = order()
        moves.list_some(replay.pk, now=timezone.now(), most=2)

        self.assertTrue(moves.pause(replay.pk))
        feed()
        self.assertEqual(replay.items.count(), 2)
        self.assertTrue(moves.resume(replay.pk))
        feed()

        self.assertEqual(counts(replay), {"queued": 3})


class FeedingTests(TestCase):
    def test_queues_a_bounded_number_at_once_in_the_lane_of_bulk_replays(self) -> None:
        rows = make_dead(WINDOW + 5)
        replay = order()

        feed(times=6)

        self.assertEqual(counts(replay), {"queued": WINDOW, "waiting": 5})
        queued = Delivery.objects.filter(
            status="pending", bulk=True, next_trigger="replay", requested_by="command line"
        )
        self.assertEqual(set(queued.values_list("pk", flat=True)), {row.pk for row in rows[:WINDOW]})

    def test_shares_the_window_between_orders(self) -> None:
        first, second = make_route(make_endpoint()), make_route(make_endpoint())
        for route in (first, second):
            make_dead(WINDOW, route=route)
        replays = [order({"route": str(route.pk), "status": ["dead"]}) for route in (first, second)]

        feed(times=3)

        self.assertEqual([counts(replay)["queued"] for replay in replays], [WINDOW // 2] * 2)

    def test_goes_on_as_deliveries_end(self) -> None:
        make_dead(WINDOW + 5)
        replay = order()
        feed(times=4)
        for row in claim():
            close(row)

        feed()

        self.assertEqual(counts(replay), {"succeeded": WINDOW, "queued": 5})

    def test_keeps_a_rate_by_when_each_is_due(self) -> None:
        make_dead(40)
        replay = order(rate_per_second=4)
        start = timezone.now()
        for seconds in range(10):
            feed(start + timedelta(seconds=seconds))

        dues = sorted(Delivery.objects.filter(status="pending").values_list("due_at", flat=True))

        # All that is due until 3 s after the last look, a quarter of a second apart.
        self.assertEqual(dues, [start + timedelta(seconds=number / 4) for number in range(40)])
        self.assertEqual(len(claim(now=start + timedelta(seconds=5))), 21)
        self.assertEqual(counts(replay), {"queued": 40})

    def test_does_not_make_up_for_the_time_in_which_nobody_fed(self) -> None:
        make_dead(40)
        order(rate_per_second=1)
        start = timezone.now()
        feed(start)

        feed(start + timedelta(minutes=10))

        due_then = Delivery.objects.filter(status="pending", due_at__gte=start + timedelta(minutes=10))
        self.assertEqual((Delivery.objects.filter(status="pending").count(), due_then.count()), (8, 4))

    def test_leaves_alone_what_is_paused_until_it_is_resumed(self) -> None:
        rows, others = make_dead(3), make_dead(2)
        Route.objects.filter(pk=rows[0].route_id).update(paused=True)
        replay = order()

        feed(times=2)
        self.assertEqual(counts(replay), {"waiting": 3, "queued": 2})
        Route.objects.update(paused=False)
        Endpoint.objects.filter(pk=others[0].endpoint_id).update(state="paused")
        feed()

        self.assertEqual(counts(replay), {"queued": 5})

    def test_gives_back_what_a_pause_of_its_endpoint_holds(self) -> None:
        rows = make_dead(2)
        before = [without_due(row) for row in rows]
        replay = order()
        feed()
        Endpoint.objects.update(state="paused")
        Delivery.objects.hold()

        feed()

        self.assertEqual(counts(replay), {"waiting": 2})
        self.assertEqual([without_due(row) for row in rows], before)

    def test_is_skipped_for_an_order_that_cannot_be_carried_out(self) -> None:
        make_dead(1)
        broken, good = order(), order()
        Replay.objects.filter(pk=broken.pk).update(selection={"no such name": 1})

        with self.assertLogs("deliveries.execution.feeder", "ERROR"):
            feed()

        self.assertEqual((counts(broken), counts(good)), ({}, {"queued": 1}))


class SkippingTests(TestCase):
    def test_leaves_out_what_succeeded_meanwhile(self) -> None:
        row, other = make_dead(2)
        replay = order()
        moves.list_some(replay.pk, now=timezone.now())
        Delivery.objects.filter(pk=row.pk).replay(now=timezone.now(), requested_by="ada")
        close(claim()[0])

        feed()

        self.assertEqual(counts(replay), {"skipped": 1, "queued": 1})
        self.assertEqual(standing(row)["status"], "succeeded")
        self.assertEqual(standing(other)["status"], "pending")

    def test_leaves_out_what_is_under_way_already(self) -> None:
        pending, running = make_dead(2)
        replay = order()
        moves.list_some(replay.pk, now=timezone.now())
        Delivery.objects.filter(pk=running.pk).replay(now=timezone.now(), requested_by="ada")
        claim()
        Delivery.objects.filter(pk=pending.pk).replay(now=timezone.now(), requested_by="ada")

        feed(times=2)

        replay.refresh_from_db()
        self.assertEqual(counts(replay), {"skipped": 2})
        self.assertEqual((replay.state, replay.done, replay.skipped), ("finished", 2, 2))
        self.assertFalse(Delivery.objects.filter(bulk=True).exists())

    def test_leaves_out_what_another_order_has_run_meanwhile_also_if_it_failed_again(self) -> None:
        make_dead(3)
        first, second = order(), order()
        feed()
        for row in claim():
            close(row, DeliveryStatus.DEAD)

        feed(times=3)

        for replay in (first, second):
            replay.refresh_from_db()
        self.assertEqual((counts(first), counts(second)), ({"failed": 3}, {"skipped": 3}))
        self.assertEqual(Attempt.objects.count(), 3)
        self.assertEqual((first.state, second.state), ("finished", "finished"))

    def test_does_not_take_a_step_for_each(self) -> None:
        rows = make_dead(90)
        replay = order(rate_per_second=1)
        moves.list_some(replay.pk, now=timezone.now())
        Delivery.objects.filter(pk__in=[row.pk for row in rows[:80]]).update(finished_at=timezone.now())

        feed()

        self.assertEqual(counts(replay), {"skipped": 80, "queued": 4, "waiting": 6})


class SettlingTests(TestCase):
    def test_counts_how_each_ended(self) -> None:
        make_dead(4)
        replay = order()
        feed()
        good, bad, dropped, running = claim()
        close(good)
        close(bad, DeliveryStatus.DEAD)
        close(dropped, DeliveryStatus.DISCARDED)

        feed(times=2)

        replay.refresh_from_db()
        self.assertEqual(
            (replay.state, replay.total, replay.done, replay.succeeded, replay.failed, replay.skipped),
            ("running", 4, 3, 1, 1, 1),
        )
        close(running)
        feed(times=2)
        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.done, replay.succeeded, replay.percent), ("finished", 4, 2, 100))
        self.assertIsNotNone(replay.finished_at)

    def test_waits_for_the_end_of_retries_but_lets_others_start_meanwhile(self) -> None:
        make_dead(WINDOW + 1)
        replay = order()
        feed(times=4)
        for row in claim():
            close(row, DeliveryStatus.WAITING)

        feed(times=2)
        self.assertEqual(counts(replay), {"retrying": WINDOW, "queued": 1})

        for row in claim(now=timezone.now() + timedelta(minutes=2)):
            close(row)
        feed(times=2)
        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.succeeded), ("finished", WINDOW + 1))

    def test_counts_what_retention_has_removed_as_skipped(self) -> None:
        rows = make_dead(3)
        replay = order(rate_per_second=1)
        feed()
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).delete()

        feed()

        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.total, replay.done, replay.skipped), ("finished", 3, 3, 3))
