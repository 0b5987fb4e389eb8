"""Orders to run many deliveries again: what is fed when, what comes of it, and what an interruption leaves behind."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.db import OperationalError, connection, connections
from django.test import TestCase
from django.utils import timezone

from deliveries import bulk_replay
from deliveries.execution import feeder
from deliveries.execution.feeder import LEASE, WINDOW, Feeder
from deliveries.models import Attempt, Delivery, Replay, ReplayItem, StepResult, Turn
from deliveries.models import replaying as moves
from deliveries.models.claiming import shares
from deliveries.models.closing import AttemptResult
from deliveries.models.states import DeliveryStatus, Outcome
from integrations.models import Endpoint, OrderingFailure, Route
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase
from tests.deliveries.execution.replays import EARLIER, counts, feed, make_dead, order, standing
from tests.factories import make_delivery, make_endpoint, make_event, make_route


def claim(*, limit: int = 500, now: Any = None) -> list[Delivery]:
    return Delivery.objects.claim(limit=limit, now=now or timezone.now(), lease=timedelta(seconds=15), worker="one:1")


def close(row: Delivery, status: DeliveryStatus = DeliveryStatus.SUCCEEDED) -> None:
    now = timezone.now()
    outcome = Outcome.SUCCEEDED if status == DeliveryStatus.SUCCEEDED else Outcome.FAILED
    due_at = now + timedelta(minutes=1) if status == DeliveryStatus.WAITING else None
    result = AttemptResult(outcome=outcome)
    assert Delivery.objects.close(row.pk, row.attempt_count, result, status=status, now=now, due_at=due_at)


def without_due(row: Delivery) -> dict[str, Any]:
    return {name: value for name, value in standing(row).items() if name != "due_at"}


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


class PausingTests(TestCase):
    def setUp(self) -> None:
        self.rows = make_dead(3) + make_dead(1, status="succeeded") + make_dead(1, status="discarded")
        StepResult.objects.create(delivery=self.rows[0], key="step", value=1)
        self.before = [without_due(row) for row in self.rows]
        statuses = ["dead", "succeeded", "discarded"]
        self.replay = order({"status": statuses}, from_start=True)
        feed()
        self.assertEqual(counts(self.replay), {"queued": 5})

    def test_puts_what_has_not_started_back_to_what_it_was(self) -> None:
        self.assertTrue(moves.pause(self.replay.pk))

        self.assertEqual([without_due(row) for row in self.rows], self.before)
        self.assertEqual(counts(self.replay), {"waiting": 5})
        self.assertTrue(StepResult.objects.exists())

    def test_feeds_nothing_until_it_is_resumed(self) -> None:
        moves.pause(self.replay.pk)
        feed(times=2)
        self.assertEqual(claim(), [])

        self.assertTrue(moves.resume(self.replay.pk))
        feed()

        self.assertEqual(len(claim()), 5)

    def test_leaves_what_runs(self) -> None:
        (running,) = claim(limit=1)

        moves.pause(self.replay.pk)
        self.assertEqual(counts(self.replay), {"waiting": 4, "queued": 1})
        close(running)
        feed()

        self.replay.refresh_from_db()
        self.assertEqual((self.replay.state, self.replay.succeeded), ("paused", 1))

    def test_leaves_what_a_worker_has_started_and_given_back(self) -> None:
        (row,) = claim(limit=1)
        Delivery.objects.give_back({row.pk: row.attempt_count}, now=timezone.now())

        moves.pause(self.replay.pk)

        self.assertEqual(standing(row)["status"], "pending")
        self.assertEqual(counts(self.replay), {"waiting": 4, "queued": 1})

    def test_by_cancelling_ends_it_and_what_runs_still_counts(self) -> None:
        (running,) = claim(limit=1)

        self.assertTrue(moves.cancel(self.replay.pk, now=timezone.now()))
        self.assertFalse(moves.cancel(self.replay.pk, now=timezone.now()))
        self.assertFalse(moves.resume(self.replay.pk))
        close(running)
        feed(times=2)

        self.replay.refresh_from_db()
        self.assertEqual((self.replay.state, self.replay.done, self.replay.succeeded), ("cancelled", 1, 1))
        self.assertEqual([without_due(row) for row in self.rows if row.pk != running.pk],
                         [row for row in self.before if row["id"] != running.pk])  # fmt: skip

    def test_gives_nothing_back_that_another_order_has_queued(self) -> None:
        for row in claim():
            close(row, DeliveryStatus.DEAD)
        other = order()
        moves.list_some(other.pk, now=timezone.now())
        feed(times=2)
        self.assertEqual(counts(other), {"queued": 5})

        moves.pause(self.replay.pk)

        self.assertEqual(Delivery.objects.filter(status="pending").count(), 5)

    def test_that_comes_twice_is_done_once(self) -> None:
        self.assertEqual([moves.pause(self.replay.pk) for _ in range(2)], [True, False])
        self.assertEqual([moves.resume(self.replay.pk) for _ in range(2)], [True, False])


class OrderedTests(TestCase):
    """Deliveries with an ordering key keep their order in a bulk replay, too."""

    def keyed(self, failure: OrderingFailure, statuses: list[str]) -> list[Delivery]:
        route = make_route(make_endpoint(), ordering_key="key", ordering_failure=failure)
        finished = {"dead", "succeeded"}
        return [
            make_delivery(
                route,
                now=EARLIER,
                status=status,
                finished_at=EARLIER if status in finished else None,
                ordering_key="a",
                ordinal=number,
                blocked=status == "pending" and failure == OrderingFailure.BLOCK,
            )
            for number, status in enumerate(statuses)
        ]

    def test_run_one_after_the_other(self) -> None:
        first, second = self.keyed(OrderingFailure.BLOCK, ["dead", "dead"])
        order()
        feed()

        (claimed,) = claim()
        self.assertEqual(claimed.pk, first.pk)
        close(claimed)

        self.assertEqual([row.pk for row in claim()], [second.pk])

    def test_block_the_later_ones_again_when_they_are_given_back(self) -> None:
        dead, later = self.keyed(OrderingFailure.BLOCK, ["dead", "pending"])
        replay = order()
        feed()

        moves.pause(replay.pk)

        self.assertEqual(claim(), [])
        self.assertEqual((standing(dead)["status"], standing(later)["blocked"]), ("dead", True))

    def test_let_the_later_ones_go_on_when_they_are_given_back_where_the_route_skips(self) -> None:
        dead, later = self.keyed(OrderingFailure.SKIP, ["dead", "pending"])
        replay = order()
        feed()
        self.assertTrue(standing(later)["blocked"])

        moves.pause(replay.pk)

        self.assertEqual([row.pk for row in claim()], [later.pk])
        self.assertEqual(standing(dead)["status"], "dead")


class TurnTests(TestCase):
    """One feeder at a time, whatever number of workers."""

    def setUp(self) -> None:
        make_dead(1)
        self.replay = order()
        self.now = timezone.now()

    def test_is_left_to_who_has_it(self) -> None:
        self.assertTrue(Turn.objects.take("feeder", holder="two:2", now=self.now, lease=LEASE))

        Feeder("one:1").step(self.now)

        self.assertEqual(counts(self.replay), {})

    def test_goes_to_another_when_its_holder_has_died(self) -> None:
        Turn.objects.take("feeder", holder="two:2", now=self.now, lease=LEASE)

        Feeder("one:1").step(self.now + LEASE)

        self.assertEqual(counts(self.replay), {"queued": 1})

    def test_is_given_back_after_each_step(self) -> None:
        Feeder("one:1").step(self.now)

        self.assertLess(Turn.objects.get().free_at, self.now + LEASE / 2)
        self.assertEqual(Turn.objects.get().holder, "")

    def test_that_was_lost_is_not_given_back(self) -> None:
        Turn.objects.take("feeder", holder="two:2", now=self.now, lease=LEASE)

        Turn.objects.give_back("feeder", holder="one:1", free_at=self.now)

        self.assertFalse(Turn.objects.take("feeder", holder="one:1", now=self.now, lease=LEASE))

    def test_is_not_taken_when_there_is_nothing_to_feed(self) -> None:
        moves.pause(self.replay.pk)

        with self.assertNumQueries(3):
            Feeder("one:1").step(self.now)

        self.assertFalse(Turn.objects.exists())

    def test_costs_no_query_for_a_moment_after_a_step(self) -> None:
        mine = Feeder("one:1")
        mine.step(self.now)

        with self.assertNumQueries(0):
            mine.step(self.now)

    def test_that_two_have_at_once_doubles_nothing(self) -> None:
        for _ in range(2):
            feeder.feed_all(self.now)

        self.assertEqual(counts(self.replay), {"queued": 1})
        self.assertEqual(len(claim()), 1)


class Killed(BaseException):
    """The end of a process, as the code after it sees it: not at all."""


class CrashTests(DrainTestCase):
    """A feeder that ends between two statements, at each of them, leaves an order that another one finishes."""

    def test_doubles_and_loses_nothing(self) -> None:
        cut_off = 0
        for statement in range(1, 200):
            Delivery.objects.all().delete()
            Replay.objects.all().delete()
            rows = make_dead(3)
            replay = order()
            finished = self.feed_until(statement)
            cut_off += not finished
            self.check(replay, rows)
            if finished:
                break
        self.assertGreater(cut_off, 5)
        self.assertTrue(finished)

    def feed_until(self, statement: int) -> bool:
        """Feed, claim one and settle, but end before the ``statement``-th write; return whether there were fewer."""
        left = statement

        def execute(run: Any, sql: str, *rest: Any) -> Any:
            nonlocal left
            if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "\n", "WITH")):
                left -= 1
                if left == 0:
                    raise Killed
            return run(sql, *rest)

        try:
            with connection.execute_wrapper(execute):
                feed()
                close(claim(limit=1)[0])
                feed()
        except Killed:
            return False
        return True

    def check(self, replay: Replay, rows: list[Delivery]) -> None:
        """Let another feeder finish the order: each delivery has run, once after the replay."""
        for _ in range(4):
            feed()
            now = timezone.now() + timedelta(minutes=1)
            Delivery.objects.take_over(now=now)
            for row in claim(now=now):
                close(row)
        feed(times=2)
        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.done, replay.succeeded), ("finished", 3, 3))
        for row in rows:
            ended = Attempt.objects.filter(delivery=row, outcome="succeeded").count()
            self.assertEqual(ended, 1)


class RacedTests(DrainTestCase):
    """Feeders, workers and an operator who cannot make up his mind, all at once, each with a connection of its own."""

    def test_runs_each_delivery_once_all_the_same(self) -> None:
        rows = make_dead(60)
        replays = [order(), order()]
        over = timezone.now() + timedelta(seconds=4)

        def operate() -> None:
            moves.pause(replays[0].pk)
            moves.resume(replays[0].pk)

        def work() -> None:
            for row in claim(limit=7):
                close(row)

        errors = self.race([feed, feed, operate, work, work], until=over)
        self.assertEqual(errors, [])
        moves.resume(replays[0].pk)
        for _ in range(6):
            feed()
            work()

        for replay in replays:
            replay.refresh_from_db()
            # One that is listed while the other has them in the queue finds fewer.
            self.assertEqual((replay.state, replay.done), ("finished", replay.total))
        self.assertEqual(sum(replay.succeeded for replay in replays), 60)
        self.assertEqual(Attempt.objects.count(), len(rows))

    def race(self, moves: list[Callable[[], None]], *, until: datetime) -> list[BaseException]:
        errors: list[BaseException] = []

        def repeat(move: Callable[[], None]) -> None:
            try:
                while timezone.now() < until:
                    move()
            except BaseException as exc:
                errors.append(exc)
            finally:
                connections.close_all()

        racers = [threading.Thread(target=repeat, args=(move,)) for move in moves]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(60)
        return errors


class WorkingTests(DrainTestCase):
    """With real drains: the handlers run."""

    def work_until_finished(self, replay: Replay) -> None:
        for _ in range(30):
            feed()
            self.work()
            replay.refresh_from_db()
            if replay.finished_at:
                return
        self.fail(f"the replay does not end: {counts(replay)}")

    def test_runs_each_once_and_counts(self) -> None:
        rows = make_dead(12)
        replay = order()

        self.work_until_finished(replay)

        self.assertEqual((replay.state, replay.total, replay.succeeded), ("finished", 12, 12))
        self.assertEqual(sorted(pk for pk, _ in automations.seen), sorted(str(row.pk) for row in rows))
        triggers = set(Attempt.objects.values_list("number", "trigger", "requested_by"))
        self.assertEqual(triggers, {(4, "replay", "command line")})

    def test_says_what_failed_again(self) -> None:
        make_dead(2)
        bad = make_dead(1, route=make_route(make_endpoint(), handler="test.fail", retry={**AT_ONCE, "max_attempts": 1}))
        replay = order()

        self.work_until_finished(replay)

        self.assertEqual((replay.succeeded, replay.failed), (2, 1))
        failed = ReplayItem.objects.get(replay=replay, state="failed")
        self.assertEqual(failed.delivery_id, bad[0].pk)

    def test_forgets_the_steps_of_those_that_start_and_of_no_others(self) -> None:
        started, taken_back = make_dead(2, handler="test.once")
        for row in (started, taken_back):
            StepResult.objects.create(delivery=row, key="step", value='{"number": 7, "pair": [1, 2], "nul": "\\u0000"}')
        replay = order(from_start=True)
        feed()
        Delivery.objects.filter(pk=taken_back.pk).update(due_at=timezone.now() + timedelta(minutes=1))

        self.work()
        moves.cancel(replay.pk, now=timezone.now())

        self.assertEqual(automations.steps[str(started.pk)], 1)
        self.assertIn('"number": 1', StepResult.objects.get(delivery=started).value)
        self.assertIn('"number": 7', StepResult.objects.get(delivery=taken_back).value)
        self.assertFalse(Delivery.objects.filter(forget_steps=True).exists())

    def test_is_begun_by_a_worker_that_has_nothing_else_to_do(self) -> None:
        make_dead(1)
        replay = order()

        self.work()

        self.assertEqual(counts(replay), {"queued": 1})

    def test_lets_live_deliveries_go_first(self) -> None:
        make_dead(20)
        order()
        feed()
        live = make_route(make_endpoint(), handler="test.note")
        fresh = [make_delivery(live) for _ in range(6)]

        now = timezone.now()
        wanted = shares(Delivery.objects.due_routes(now, most=8), free=8, threads=8, running={})
        claimed = Delivery.objects.take(wanted, now=now, lease=timedelta(seconds=15), worker="one:1")

        self.assertEqual([row.pk for row in claimed[:6]], [row.pk for row in fresh])
        self.assertIn([row.bulk for row in claimed[6:]], [[True], [True, True]])

    def test_survives_a_database_that_is_away(self) -> None:
        make_dead(1)
        replay = order()

        with (
            mock.patch.object(moves, "feed", side_effect=OperationalError("away")),
            self.assertRaises(OperationalError),
        ):
            Feeder("one:1").step(timezone.now())
        self.assertEqual(counts(replay), {"waiting": 1})

        Feeder("two:2").step(timezone.now() + LEASE)
        self.assertEqual(counts(replay), {"queued": 1})


class TenThousandTests(TestCase):
    def test_are_listed_and_fed_in_bounded_memory_and_a_bounded_number_of_queries(self) -> None:
        make_dead(10_000, handler="log")
        replay = order()

        tracemalloc.start()
        with mock.patch.object(feeder, "_LISTING_SECONDS", 60):
            feed()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        replay.refresh_from_db()
        self.assertEqual((replay.state, replay.total, counts(replay)["queued"]), ("running", 10_000, 50))
        self.assertLess(most, 8 * 1024 * 1024)


class SelectionTests(TestCase):
    def test_without_a_status_means_dead_letters(self) -> None:
        self.assertEqual(bulk_replay.complete({"endpoint": "a"}), {"endpoint": "a", "status": ["dead"]})

    def test_that_is_empty_has_to_be_meant(self) -> None:
        with self.assertRaises(bulk_replay.NothingSelected):
            bulk_replay.complete({})
        self.assertEqual(bulk_replay.complete({}, everything=True), {"status": ["dead"]})

    def test_of_what_cannot_be_replayed_is_refused(self) -> None:
        with self.assertRaisesMessage(bulk_replay.NotReplayable, "held or running"):
            bulk_replay.complete({"status": ["running", "held", "dead"]})

    def test_of_named_deliveries_means_them_whatever_their_status(self) -> None:
        named = {"deliveries": ["01a201c4-e5ab-7789-8168-142fb51cb3c7"]}

        self.assertEqual(bulk_replay.complete(named), named)

    def test_is_previewed_by_route_and_status(self) -> None:
        rows = make_dead(3)
        make_dead(1, route=rows[0].route, status="discarded")
        make_dead(1, status="succeeded")
        event = make_event(rows[0].endpoint)
        make_delivery(rows[0].route, event=event)

        found = bulk_replay.preview({"status": ["dead", "discarded"]})

        self.assertEqual([(row.route_id, row.status, row.count) for row in found],
                         [(str(rows[0].route_id), "dead", 3), (str(rows[0].route_id), "discarded", 1)])  # fmt: skip
