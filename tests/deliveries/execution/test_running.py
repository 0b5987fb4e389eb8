from __future__ import annotations

import json
from datetime import timedelta

from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone

from deliveries.execution import endings, journal
from deliveries.execution.drain import Drain
from deliveries.models import Attempt, Delivery
from integrations.models import Route
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase, delivery_to


class RunningTests(DrainTestCase):
    def test_succeeds_when_the_handler_returns(self) -> None:
        delivery = delivery_to("test.note", body=b'{"a": 1}')

        self.work()

        delivery.refresh_from_db()
        attempt = self.attempt(delivery)
        self.assertEqual((delivery.status, attempt.outcome, attempt.worker), ("succeeded", "succeeded", "test:1"))
        self.assertEqual(attempt.log[0]["message"], "noted")
        self.assertEqual(attempt.log[0]["fields"], {"payload": {"a": 1}, "in_transaction": False})

    def test_waits_for_a_retry_when_the_handler_raises(self) -> None:
        delivery = delivery_to("test.fail", retry={"initial_seconds": 60, "jitter": False})
        before = timezone.now()

        self.work()

        delivery.refresh_from_db()
        attempt = self.attempt(delivery)
        self.assertEqual((delivery.status, attempt.outcome), ("waiting", "failed"))
        self.assertGreaterEqual(delivery.due_at, before + timedelta(seconds=60))
        self.assertLess(delivery.due_at, timezone.now() + timedelta(seconds=61))
        self.assertEqual((attempt.error_type, attempt.error_message), ("Broken", "it does not work"))
        self.assertEqual(delivery.last_error, "Broken: it does not work")
        self.assertEqual(attempt.log[0]["message"], "about to fail")

    def test_shows_the_traceback_from_the_handler_on(self) -> None:
        delivery = delivery_to("test.fail")

        self.work()

        stack = self.attempt(delivery).traceback
        self.assertIn("raise Broken(", stack)
        self.assertNotIn("runner.py", stack)

    def test_becomes_a_dead_letter_when_the_attempts_are_spent(self) -> None:
        delivery = delivery_to("test.fail", retry=AT_ONCE)

        for _ in range(5):
            self.make_due_if_waiting(delivery)
            self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("dead", 3))
        self.assertEqual(
            list(Attempt.objects.order_by("number").values_list("trigger", "outcome")),
            [("first", "failed"), ("retry", "failed"), ("retry", "failed")],
        )

    def test_has_a_new_budget_after_a_replay(self) -> None:
        delivery = delivery_to("test.fail", retry={**AT_ONCE, "max_attempts": 1})
        self.work()

        Delivery.objects.replay(now=timezone.now(), requested_by="ada")
        Route.objects.update(handler="test.note")
        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 2))
        self.assertEqual(self.attempt(delivery, 2).requested_by, "ada")

    def test_survives_a_handler_that_tries_to_end_the_process(self) -> None:
        delivery = delivery_to("test.exit")

        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, self.attempt(delivery).error_type), ("waiting", "SystemExit"))

    def test_retries_no_sooner_than_a_handler_asks(self) -> None:
        delivery = delivery_to("test.later", config={"seconds": 1000}, retry=AT_ONCE)
        before = timezone.now()

        self.work()

        delivery.refresh_from_db()
        self.assertEqual(delivery.status, "waiting")
        self.assertGreaterEqual(delivery.due_at, before + timedelta(seconds=1000))

    def test_counts_a_retry_that_a_handler_asked_for(self) -> None:
        delivery = delivery_to("test.later", config={"seconds": -5}, retry={**AT_ONCE, "max_attempts": 2})

        self.work()
        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("dead", 2))

    def test_gives_up_at_once_when_the_handler_says_so(self) -> None:
        delivery = delivery_to("test.give_up")

        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.last_error), ("dead", "GiveUp: no such customer"))

    def test_names_a_handler_that_nobody_registers(self) -> None:
        delivery = delivery_to("crm.gone")

        self.work()

        delivery.refresh_from_db()
        self.assertEqual(delivery.status, "dead")
        self.assertEqual(delivery.last_error, "UnknownHandler: No installed app registers the handler 'crm.gone'.")

    def test_refuses_a_config_that_does_not_fit_without_quoting_it(self) -> None:
        delivery = delivery_to("test.strict", config={"password": "hunter2"})

        self.work()

        delivery.refresh_from_db()
        attempt = self.attempt(delivery)
        self.assertEqual((delivery.status, attempt.error_type), ("dead", "InvalidConfig"))
        self.assertNotIn("hunter2", attempt.error_message + attempt.traceback)

    def test_fails_alone_when_its_event_cannot_be_decrypted(self) -> None:
        broken, whole = delivery_to("test.note"), delivery_to("test.note")
        foreign = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
        with connection.cursor() as cursor:  # as if its key had been removed
            cursor.execute(
                "UPDATE deliveries_event SET raw_body = %s, body_is_encrypted = %s WHERE id = %s",
                [foreign.encode(), True, self.key(broken)],
            )

        self.work()

        broken.refresh_from_db()
        whole.refresh_from_db()
        self.assertEqual((broken.status, whole.status), ("waiting", "succeeded"))
        self.assertIn("HUB_ENCRYPTION_KEYS", broken.last_error)

    def test_leaves_no_transaction_open_for_the_next(self) -> None:
        first = delivery_to("test.leave_transaction")
        drain = self.background(threads=1)
        drain.drain.run()
        second = delivery_to("test.note")

        Drain(drain.pulse, drain.threads, stop=drain.stop).run()  # in the same thread

        first.refresh_from_db()
        self.assertEqual(first.status, "succeeded")
        self.assertFalse(self.attempt(second).log[0]["fields"]["in_transaction"])

    def test_runs_async_handlers_and_their_steps_once(self) -> None:
        delivery = delivery_to("test.async")

        self.work()

        attempt = self.attempt(delivery)
        self.assertEqual(attempt.outcome, "succeeded", attempt.traceback)
        self.assertEqual(attempt.log[0]["fields"], {"result": 1, "plain": 7})

    def test_keeps_the_result_of_a_step_across_retries(self) -> None:
        delivery = delivery_to("test.once", retry=AT_ONCE)

        self.work()
        self.make_due(delivery)
        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("succeeded", 2))
        self.assertEqual(automations.steps[str(delivery.pk)], 1)
        logged = [self.attempt(delivery, number).log[0]["fields"] for number in (1, 2)]
        self.assertEqual(logged, [{"number": 1, "pair": [1, 2]}] * 2)

    def test_stores_whatever_text_an_error_has(self) -> None:
        text = "nul \x00, half of a pair \ud800, and long " + "x" * 100_000
        delivery = delivery_to("test.fail")
        automations.texts[str(delivery.pk)] = text

        self.work()

        attempt = self.attempt(delivery)
        self.assertEqual(attempt.error_type, "Broken")
        self.assertIn("nul \\x00, half of a pair \\ud800", attempt.error_message)
        self.assertLessEqual(len(attempt.error_message), endings.MESSAGE_CHARACTERS)
        self.assertLessEqual(len(attempt.traceback), endings.TRACEBACK_CHARACTERS)

    def test_keeps_a_bounded_journal(self) -> None:
        many, wide = delivery_to("test.chatter"), delivery_to("test.chatter", config={"width": 900})

        self.work()

        for delivery in (many, wide):
            attempt = self.attempt(delivery)
            self.assertEqual(attempt.outcome, "succeeded", attempt.traceback)
            self.assertLessEqual(len(attempt.log), journal.LOG_LINES + 1)
            self.assertLess(len(json.dumps(attempt.log)), journal.LOG_BYTES + 200)
            self.assertEqual(attempt.log[-1]["message"], "further lines were not kept")
            self.assertLessEqual(len(json.dumps(attempt.response)), journal.RESPONSE_BYTES)
            self.assertEqual(attempt.response["status"], 200)
        self.assertEqual(len(self.attempt(many).log), journal.LOG_LINES + 1)

    def test_runs_many_deliveries_each_once(self) -> None:
        deliveries = [delivery_to("test.note") for _ in range(40)]

        self.work()

        self.assertEqual(set(Delivery.objects.values_list("status", "attempt_count")), {("succeeded", 1)})
        self.assertEqual(sorted(pk for pk, _ in automations.seen), sorted(str(row.pk) for row in deliveries))

    def key(self, delivery: Delivery) -> object:
        """Return the event's id as the database spells it."""
        return delivery.event_id.hex if connection.vendor == "sqlite" else delivery.event_id

    def make_due_if_waiting(self, delivery: Delivery) -> None:
        Delivery.objects.filter(pk=delivery.pk, status="waiting").update(due_at=timezone.now())
