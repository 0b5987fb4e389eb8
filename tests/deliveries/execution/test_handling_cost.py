"""What a handled delivery costs a worker, counted: a call or a connection more is a regression that no clock shows."""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db.backends.signals import connection_created

from deliveries.execution.drain import Drain
from deliveries.execution.housekeeping import Housekeeping
from deliveries.models import Delivery
from tests.calls import counted
from tests.deliveries.execution.drains import DrainTestCase
from tests.factories import make_delivery, make_endpoint, make_event, make_route

COUNT = 24
#: Calls of Python functions for a delivery of such a batch, in all threads, with what a drain does once. Half as many
#: again as were counted (603 on PostgreSQL, 587 on SQLite): a busy machine closes a batch in several parts.
MOST_CALLS = 900


class HandledDeliveryTests(DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.route = make_route(make_endpoint(), handler="test.nothing")

    def queue(self, count: int = COUNT) -> None:
        for _ in range(count):
            make_delivery(self.route, event=make_event(self.route.endpoint))

    def test_opens_no_connection_for_a_handler_that_asks_for_nothing(self) -> None:
        self.queue(8)
        opened: list[str] = []

        def note(**values: Any) -> None:
            opened.append(threading.current_thread().name)

        connection_created.connect(note)
        self.addCleanup(connection_created.disconnect, note)
        self.work()

        self.assertEqual(Delivery.objects.filter(status="succeeded").count(), 8)
        self.assertEqual([name for name in opened if name.startswith("handler")], [])

    def test_takes_so_many_calls(self) -> None:
        logging.disable(logging.CRITICAL)  # what a line costs depends on who else listens to them
        self.addCleanup(logging.disable, logging.NOTSET)
        kept, housekeeping = self.background(threads=2 * COUNT), Housekeeping()
        with counted(in_new_threads=True) as calls:
            for _ in range(2):  # the first loads and compiles, starts threads and does what is done now and then
                self.queue()
                calls.clear()
                Drain(kept.pulse, kept.threads, housekeeping=housekeeping, stop=kept.stop).run()
            taken = len(calls)

        self.assertEqual(Delivery.objects.filter(status="succeeded").count(), 2 * COUNT)
        self.assertLess(taken / COUNT, MOST_CALLS)
