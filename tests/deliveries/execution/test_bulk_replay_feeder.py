"""Orders to run many deliveries again: what is fed when, what comes of it, and what an interruption leaves behind."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection, connections
from django.test import TestCase
from django.utils import timezone

from deliveries.execution import feeder
from deliveries.execution.feeder import LEASE, Feeder
from deliveries.models import Attempt, Delivery, Replay, ReplayItem, StepResult, Turn
from deliveries.models import replaying as moves
from deliveries.models.claiming import shares
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase
from tests.deliveries.execution.replays import claim, close, counts, feed, make_dead, order
from tests.factories import make_delivery, make_endpoint, make_route


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


@pytest.mark.any_database
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
