from __future__ import annotations

import sys
import threading
import time
from unittest import mock

from django.test import override_settings

from deliveries.execution import timeouts
from deliveries.models import Delivery
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import DrainTestCase, delivery_to, eventually

SHORT = {"timeout_seconds": 0.3}


def compute(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


class TimeoutTests(DrainTestCase):
    def assert_timed_out(self, delivery: Delivery, *, at: str) -> None:
        delivery.refresh_from_db()
        attempt = self.attempt(delivery)
        self.assertEqual((delivery.status, attempt.outcome), ("waiting", "timed_out"))
        self.assertEqual(
            (attempt.error_type, attempt.error_message),
            ("HandlerTimedOut", "The handler took longer than the 0.3 s of its route."),
        )
        self.assertIn(at, attempt.traceback)
        self.assertNotIn("runner.py", attempt.traceback)

    def test_ends_a_handler_that_naps(self) -> None:
        delivery = delivery_to("test.sleep", config={"seconds": 60}, **SHORT)
        started = time.monotonic()

        self.work()

        self.assertLess(time.monotonic() - started, 5)
        self.assert_timed_out(delivery, at="time.sleep(nap)")

    def test_ends_a_tight_loop_that_catches_every_exception(self) -> None:
        delivery = delivery_to("test.spin", **SHORT)

        self.work()

        self.assert_timed_out(delivery, at="sum(range(1000))")

    def test_counts_a_swallowed_interruption_as_timed_out(self) -> None:
        delivery = delivery_to("test.swallow", **SHORT)

        self.work()

        self.assert_timed_out(delivery, at="time.sleep(0.01)")

    def test_cancels_an_async_handler_where_it_awaits(self) -> None:
        delivery = delivery_to("test.async", config={"seconds": 60}, **SHORT)

        self.work()

        self.assert_timed_out(delivery, at="await asyncio.sleep(context.config")

    def test_becomes_a_dead_letter_when_timeouts_have_spent_the_attempts(self) -> None:
        delivery = delivery_to("test.sleep", config={"seconds": 60}, retry={"max_attempts": 1}, **SHORT)

        self.work()

        delivery.refresh_from_db()
        self.assertEqual(delivery.status, "dead")

    def test_leaves_the_thread_fit_for_the_next_handler(self) -> None:
        drain = self.background(threads=1)
        for _ in range(3):
            delivery_to("test.sleep", config={"seconds": 60}, **SHORT)
        last = delivery_to("test.note", priority=0)

        drain.drain.run()

        last.refresh_from_db()
        self.assertEqual(last.status, "succeeded")
        self.assertEqual(Delivery.objects.filter(status="waiting").count(), 3)

    def test_never_hits_what_comes_after_the_handler(self) -> None:
        # The limit ends together with the handler again and again: nothing may be pending after the block.
        hits = 0
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-5)
        for pause in [0.0005, 0.001, 0.0015, 0.002] * 50:
            limit = timeouts.TimeLimit(60)
            watcher = threading.Timer(0.001, limit.interrupt)
            watcher.start()
            try:
                with limit:
                    compute(pause)
            except timeouts.HandlerTimedOut:
                self.assertTrue(limit.interrupted)
                hits += 1
            watcher.join()
            for _ in range(100):
                sum(range(100))
        self.assertTrue(0 < hits < 200, f"{hits} of 200 interrupted: the race was not run")


@mock.patch.object(timeouts, "GRACE_SECONDS", 0.3)
class StuckHandlerTests(DrainTestCase):
    """A handler in a call to C feels no exception: its attempt is closed, and the process is replaced."""

    def test_is_closed_as_timed_out_and_costs_the_process(self) -> None:
        delivery = delivery_to("test.read", config={"descriptor": self.blocked_read()}, **SHORT)
        drain = self.background()

        drain.drain.run()

        delivery.refresh_from_db()
        attempt = self.attempt(delivery)
        self.assertEqual((delivery.status, attempt.outcome, drain.exits), ("waiting", "timed_out", [1]))
        self.assertIn('os.read(context.config["descriptor"], 1)', attempt.traceback)

    def test_lets_the_others_finish_and_starts_no_more(self) -> None:
        stuck = delivery_to("test.read", config={"descriptor": self.blocked_read()}, **SHORT)
        bystander = delivery_to("test.wait")
        drain = self.background().start()
        eventually(lambda: Delivery.objects.get(pk=stuck.pk).status == "waiting")
        late = delivery_to("test.note")
        time.sleep(0.3)
        self.assertEqual(drain.exits, [])

        automations.go_on.set()
        drain.join()

        bystander.refresh_from_db()
        late.refresh_from_db()
        self.assertEqual((bystander.status, late.status, drain.exits), ("succeeded", "pending", [1]))

    @override_settings(HUB_STOP_SECONDS=0.5)
    def test_gives_back_those_that_do_not_finish_in_time(self) -> None:
        delivery_to("test.read", config={"descriptor": self.blocked_read()}, **SHORT)
        bystander = delivery_to("test.wait")
        drain = self.background()

        drain.drain.run()

        bystander.refresh_from_db()
        self.assertEqual((bystander.status, self.attempt(bystander).outcome), ("pending", "lost"))
        self.assertEqual(drain.exits, [1])
