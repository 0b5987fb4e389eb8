"""A body that a claim leaves where it is, and what handlers see of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.backends.signals import connection_created
from django.utils import timezone

from deliveries.execution import runner
from deliveries.execution.journal import AttemptJournal
from deliveries.execution.timeouts import TimeLimit
from deliveries.models import Delivery, Event
from deliveries.models.claiming import LARGE_BYTES
from tests.deliveries.execution.drains import DrainTestCase, delivery_to

BODY = b'{"a": "%s"}' % (b"x" * LARGE_BYTES)
MEASURED = {"body": len(BODY), "text": LARGE_BYTES}


class LargeBodyTests(DrainTestCase):
    def claimed(self, handler: str) -> Delivery:
        delivery_to(handler, body=BODY)
        (claimed,) = Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(seconds=60), worker="w")
        return claimed

    def test_is_not_read_for_a_handler_that_does_not_look(self) -> None:
        delivery = delivery_to("test.nothing", body=BODY)
        opened: list[str] = []

        def note(**values: Any) -> None:
            opened.append(threading.current_thread().name)

        connection_created.connect(note)
        self.addCleanup(connection_created.disconnect, note)
        self.work()

        delivery.refresh_from_db()
        self.assertEqual(delivery.status, "succeeded")
        self.assertEqual([name for name in opened if name.startswith("handler")], [])

    def test_is_read_for_one_that_looks(self) -> None:
        for name in ("test.measure", "test.ameasure"):
            with self.subTest(name):
                delivery = delivery_to(name, body=BODY)

                self.work()

                self.assertEqual(self.attempt(delivery).log[0]["fields"], MEASURED)

    def test_fails_for_good_where_it_has_been_removed_since_the_claim(self) -> None:
        for name in ("test.measure", "test.ameasure"):
            with self.subTest(name):
                claimed = self.claimed(name)
                Event.objects.update(raw_body=None, body_removed_at=timezone.now())

                ending = runner.run(claimed, AttemptJournal(claimed.pk, 1), TimeLimit(5))

                self.assertEqual((ending.status, ending.result.error_type), ("dead", "BodyRemoved"))
                self.assertIn("by retention", ending.result.error_message)

    def test_is_the_same_in_the_copy_that_a_step_is_given(self) -> None:
        event = self.claimed("test.measure").event
        inbound = event.inbound()

        copy = replace(inbound, steps={"before": 1})

        self.assertEqual((copy.body, copy.payload, copy.steps), (BODY, event.payload, {"before": 1}))
        self.assertEqual(replace(copy, steps=None), inbound)
        with self.assertRaisesMessage(AttributeError, "no attribute 'other'"):
            inbound.other  # type: ignore[attr-defined]  # noqa: B018
