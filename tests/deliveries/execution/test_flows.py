"""Flows on a real worker and database: steps are kept between attempts, and replays go on where they failed."""

from __future__ import annotations

from typing import Any

from django.test import TransactionTestCase
from django.utils import timezone

from deliveries.execution.flow_record import DatabaseRecord
from deliveries.models import Delivery, Event, FlowStep
from deliveries.models.sealing import MASK
from integrations.errors import AttemptLost
from integrations.flows.record import Begun, Kept
from tests.automations.handlers import acts, go_on
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase, delivery_to, eventually
from tests.deliveries.execution.test_transitions import LATER, NOW, claim
from tests.integrations.handlers.test_hub_flow import step


class FlowTests(DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        acts.clear()

    def flow(self, *steps: dict[str, Any], **route: Any) -> Delivery:
        values = {"retry": {"max_attempts": 1}, "events": ["test"], **route}
        return delivery_to("hub.flow", config={"steps": list(steps)}, **values)

    def states(self, delivery: Delivery) -> dict[str, str]:
        return dict(FlowStep.objects.filter(delivery=delivery).order_by("position").values_list("name", "state"))

    def calls(self) -> dict[str, int]:
        return {act: count for (_, act), count in acts.items()}

    def replay(self, delivery: Delivery, *, from_start: bool = False) -> None:
        Delivery.objects.filter(pk=delivery.pk).replay(now=timezone.now(), requested_by="ada", from_start=from_start)
        self.work()

    def test_goes_on_from_the_failed_step_at_a_replay_and_anew_from_the_start(self) -> None:
        delivery = self.flow(
            step("lookup", act="lookup", output={"id": 5}, emits=["looked.up"]),
            step("idle", when="!(steps.lookup)"),
            step("tell", act="tell", failures=1, sees=True),
        )
        self.work()
        self.assertEqual(self.states(delivery), {"lookup": "succeeded", "idle": "skipped", "tell": "failed"})
        self.assertIn("Step tell: not yet", self.attempt(delivery).error_message)
        self.assertEqual(self.attempt(delivery).error_type, "Broken")
        self.assertFalse(Event.objects.filter(event_type="looked.up").exists())

        self.replay(delivery)

        self.assertEqual(self.states(delivery), {"lookup": "succeeded", "idle": "skipped", "tell": "succeeded"})
        self.assertEqual(self.calls(), {"lookup": 1, "tell": 2})
        told = FlowStep.objects.get(delivery=delivery, name="tell")
        self.assertEqual(told.kept["output"], {"steps": {"lookup": {"id": 5}, "idle": None}})
        self.assertEqual(Event.objects.filter(event_type="looked.up").count(), 1)

        self.replay(delivery, from_start=True)

        self.assertEqual(self.calls(), {"lookup": 2, "tell": 3})

    def test_tries_a_step_again_by_its_own_policy_and_spends_no_attempt(self) -> None:
        delivery = self.flow(step("a", act="a"), step("b", act="b", failures=2, retry=AT_ONCE))
        for _ in range(3):
            self.work()
            self.make_due(delivery)

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 3))
        self.assertEqual(self.calls(), {"a": 1, "b": 3})

    def test_is_dead_when_the_tries_of_a_step_are_spent_whatever_the_route_allows(self) -> None:
        delivery = self.flow(step("a", act="a", failures=9, retry=AT_ONCE), retry={"max_attempts": 50})
        for _ in range(3):
            self.work()
            self.make_due(delivery)

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("dead", 3))
        self.replay(delivery)  # the tries count anew
        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("dead", 6))

    def test_gives_up_where_a_step_does_and_waits_where_nobody_was_called(self) -> None:
        lenient = {"max_attempts": 9, "jitter": False}
        given_up = self.flow(step("a", failures=9, error="GiveUp", act="a", retry=lenient), retry=lenient)
        waiting = self.flow(step("a", failures=9, error="CircuitOpen", act="b", retry={"max_attempts": 1}))
        self.work()

        given_up.refresh_from_db()
        waiting.refresh_from_db()
        self.assertEqual((given_up.status, waiting.status), ("dead", "waiting"))
        self.assertEqual(FlowStep.objects.get(delivery=waiting).tries, 0)

    def test_is_interrupted_at_the_time_of_its_route_also_in_a_coroutine(self) -> None:
        delivery = self.flow(step("a"), step("b", "test.aact", seconds=60), timeout_seconds=0.5)
        drain = self.background()
        drain.start()
        eventually(lambda: Delivery.objects.filter(pk=delivery.pk, status="dead").exists())

        self.assertEqual(self.attempt(delivery).outcome, "timed_out")
        self.assertEqual(self.states(delivery), {"a": "succeeded", "b": "running"})

    def test_keeps_what_it_was_given_without_credentials_and_encrypted(self) -> None:
        delivery = self.flow(step("a", output="out-in-plain", token="t0p", act="in-plain"))
        self.work()

        row = FlowStep.objects.get(delivery=delivery)
        self.assertEqual(row.input, {"output": "out-in-plain", "token": MASK, "act": "in-plain"})
        stored = FlowStep.objects.filter(pk=row.pk).values_list("input", "kept")[0]
        self.assertNotIn("in-plain", "".join(map(str, stored)))

    def test_goes_on_with_what_a_late_worker_has_done(self) -> None:
        delivery = self.flow(step("a", act="a", wait=True, output=1), step("b", act="b"), retry={"max_attempts": 3})
        late = self.background("late:1")
        late.start()
        eventually(lambda: self.states(delivery) == {"a": "running"})
        Delivery.objects.update(lease_until=NOW)
        Delivery.objects.take_over(now=timezone.now())
        go_on.set()
        late.join()
        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, self.calls()["b"]), ("succeeded", 1))


class ARecord(TransactionTestCase):
    def setUp(self) -> None:
        self.delivery = delivery_to("hub.flow", config={"steps": []})
        Delivery.objects.update(due_at=NOW)
        [row] = claim(LATER)
        self.record = DatabaseRecord(row.pk, row.attempt_count)
        self.step = Begun("a", 0, "log", "", {"x": 1})

    def test_keeps_what_came_first(self) -> None:
        self.assertEqual(self.record.begin(self.step), 1)

        self.assertEqual(self.record.end("a", Kept(1)), Kept(1))
        self.assertEqual(self.record.end("a", Kept(2)), Kept(1))
        self.assertEqual(self.record.begin(self.step), Kept(1))
        self.assertEqual(self.record.over(), {"a": Kept(1)})

    def test_refuses_what_is_no_json_or_too_large(self) -> None:
        self.record.begin(self.step)
        for value, error in (({1}, TypeError), (float("nan"), TypeError), ("x" * 1024 * 1024, ValueError)):
            with self.subTest(str(value)[:10]), self.assertRaises(error):
                self.record.end("a", Kept(value))

    def test_begins_nothing_for_an_attempt_that_is_lost(self) -> None:
        Delivery.objects.update(attempt_count=2)

        with self.assertRaises(AttemptLost):
            self.record.begin(self.step)

    def test_keeps_nothing_of_an_attempt_before_a_replay_from_the_start(self) -> None:
        self.record.begin(self.step)
        Delivery.objects.update(steps_start=1)

        self.record.end("a", Kept(1))

        self.assertEqual(self.record.over(), {})
