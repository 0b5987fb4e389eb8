"""The results of `context.once`: kept at once, by whoever has done the step, for all who come later."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from unittest import mock

from django.db import OperationalError, connections, transaction
from django.test import TransactionTestCase

from deliveries.execution import aside
from deliveries.execution.steps import STEP_BYTES, Steps
from deliveries.execution.timeouts import HandlerTimedOut, TimeLimit
from deliveries.models import Delivery, StepResult
from integrations.errors import AttemptLost
from tests.deliveries.execution.drains import delivery_to, eventually
from tests.deliveries.execution.test_transitions import LATER, NOW, claim, close


class StepTestCase(TransactionTestCase):
    def setUp(self) -> None:
        self.delivery = delivery_to("test.note")
        self.steps = self.attempted()

    def attempted(self) -> Steps:
        """Claim the delivery; return the steps of the attempt."""
        Delivery.objects.filter(status="pending").update(due_at=NOW)
        [row] = claim(LATER)
        return Steps(row.pk, row.attempt_count)

    def taken_over(self) -> Steps:
        """Let another worker take the delivery over; return the steps of its attempt."""
        Delivery.objects.update(lease_until=NOW)
        Delivery.objects.take_over(now=LATER)
        return self.attempted()

    def finish(self) -> None:
        self.delivery.refresh_from_db()
        self.assertTrue(close(self.delivery))

    def never(self) -> Any:
        raise AssertionError("the step runs again")


class StepTests(StepTestCase):
    def test_keeps_json_and_bytes(self) -> None:
        for number, value in enumerate((None, 0, "", [], {"a": [1, None]}, "nul \x00", b"", b"\x00\xff" * 1000)):
            with self.subTest(value):
                first = self.steps.once(str(number), lambda value=value: value)
                again = self.steps.once(str(number), self.never)

                self.assertEqual((first, again), (value, value))
                self.assertIs(type(again), type(value))

    def test_gives_the_first_run_what_the_later_ones_get(self) -> None:
        self.assertEqual(self.steps.once("tuple", lambda: (1, 2)), [1, 2])
        self.assertEqual(self.steps.once("array", lambda: bytearray(b"ab")), b"ab")

    def test_refuses_what_is_neither_json_nor_bytes(self) -> None:
        for value in ({1, 2}, object(), float("nan"), [b"bytes"]):
            with self.subTest(value), self.assertRaises(TypeError):
                self.steps.once("step", lambda value=value: value)
        self.assertEqual(StepResult.objects.count(), 0)

    def test_refuses_what_is_too_large_and_keys_that_do_not_fit(self) -> None:
        for value in ("x" * STEP_BYTES, b"x" * (STEP_BYTES + 1)):
            with self.assertRaises(ValueError):
                self.steps.once("step", lambda value=value: value)
        for key in ("", "k" * 201):
            with self.assertRaises(ValueError):
                self.steps.once(key, self.never)

    def test_keeps_nothing_of_a_step_that_fails(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            self.steps.once("step", lambda: 1 / 0)

        self.assertEqual(self.steps.once("step", lambda: 2), 2)

    def test_refuses_to_be_undone_by_a_rollback(self) -> None:
        with self.assertRaises(RuntimeError), transaction.atomic():
            self.steps.once("step", self.never)

    def test_works_inside_an_event_loop(self) -> None:
        async def handler() -> list[Any]:
            async def step() -> bytes:
                return b"1"

            return [await self.steps.aonce("a", step), self.steps.once("b", lambda: 2)]

        self.assertEqual(asyncio.run(handler()), [b"1", 2])
        self.assertEqual(asyncio.run(handler()), [b"1", 2])

    def test_lets_the_event_loop_go_on_meanwhile(self) -> None:
        async def handler() -> list[int]:
            async def step(number: int) -> int:
                await asyncio.sleep(0)
                return number

            done = (self.steps.aonce(str(number), lambda n=number: step(n)) for number in range(8))
            return await asyncio.gather(*done)

        self.assertEqual(asyncio.run(handler()), list(range(8)))
        self.assertEqual(StepResult.objects.count(), 8)


class TwoWorkersTests(StepTestCase):
    """An attempt that was given up for lost may still run beside the one that took over."""

    def test_agree_on_the_result_that_was_stored_first(self) -> None:
        barrier = threading.Barrier(2)
        results = []

        def work(number: int) -> None:
            def step() -> int:
                barrier.wait(10)
                return number

            try:
                results.append(self.steps.once("step", step))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual(len(results), 2)
        self.assertEqual(len(set(results)), 1)
        self.assertEqual(StepResult.objects.count(), 1)

    def test_share_what_the_late_one_has_done(self) -> None:
        def step() -> str:
            self.later = self.taken_over()
            return "done late"

        self.assertEqual(self.steps.once("step", step), "done late")
        self.assertEqual(self.later.once("step", self.never), "done late")

    def test_do_not_begin_the_same_step_once_one_of_them_is_lost(self) -> None:
        self.taken_over()

        with self.assertRaises(AttemptLost):
            self.steps.once("step", self.never)
        with self.assertRaises(AttemptLost):
            asyncio.run(self.steps.aonce("step", self.never))


class ReplayTests(StepTestCase):
    def replayed(self, *, from_start: bool) -> Steps:
        Delivery.objects.replay(now=NOW, requested_by="ada", from_start=from_start)
        return self.attempted()

    def test_skips_what_is_done(self) -> None:
        self.steps.once("step", lambda: 1)
        self.finish()

        self.assertEqual(self.replayed(from_start=False).once("step", self.never), 1)

    def test_from_the_start_does_it_again(self) -> None:
        self.steps.once("step", lambda: 1)
        self.finish()

        self.assertEqual(self.replayed(from_start=True).once("step", lambda: 2), 2)

    def test_from_the_start_takes_nothing_from_before(self) -> None:
        def step() -> str:
            self.taken_over()
            self.finish()
            self.replayed_steps = self.replayed(from_start=True)
            return "from before"

        self.assertEqual(self.steps.once("step", step), "from before")
        self.assertEqual(self.replayed_steps.once("step", lambda: "anew"), "anew")


class DatabaseAwayTests(StepTestCase):
    """A step that is done is worth some patience: without its result it would be done again."""

    def failing(self, times: int) -> Any:
        """Stand in for a database that is away for ``times`` attempts to store."""
        store, self.failures = Steps._store, 0

        def replaced(steps: Steps, *args: Any) -> Any:
            if self.failures < times:
                self.failures += 1
                raise OperationalError("server closed the connection unexpectedly")
            return store(steps, *args)

        return mock.patch.object(Steps, "_store", replaced)

    def test_keeps_the_result_once_it_is_back(self) -> None:
        with self.failing(3):
            self.assertEqual(self.steps.once("step", lambda: 1), 1)

        self.assertEqual((self.failures, self.steps.once("step", self.never)), (3, 1))

    def test_keeps_that_of_a_coroutine_too(self) -> None:
        async def step() -> int:
            return 1

        with self.failing(3):
            self.assertEqual(asyncio.run(self.steps.aonce("step", step)), 1)

        self.assertEqual(self.steps.once("step", self.never), 1)

    def test_keeps_it_when_the_handlers_time_is_over_before(self) -> None:
        limit = TimeLimit(30)
        ended: list[BaseException] = []

        def handler() -> None:
            try:
                with limit:
                    self.steps.once("step", lambda: 1)
            except HandlerTimedOut as exc:
                ended.append(exc)
            finally:
                connections.close_all()

        with self.failing(5):
            thread = threading.Thread(target=handler)
            thread.start()
            eventually(lambda: self.failures >= 2)
            limit.interrupt()
            thread.join(5)
            self.assertEqual(len(ended), 1)
            eventually(StepResult.objects.exists)

        self.assertEqual(self.steps.once("step", self.never), 1)

    def test_ends_with_the_error_when_it_stays_away(self) -> None:
        impatient = mock.patch.object(aside, "PATIENCE_SECONDS", 0.3)
        with self.failing(1000), impatient, self.assertRaises(OperationalError):
            self.steps.once("step", lambda: 1)
