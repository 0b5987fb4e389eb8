from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import connection, connections, transaction
from django.test import TransactionTestCase, override_settings
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from deliveries.execution.broker import DueDeliveries
from deliveries.models import Delivery
from deliveries.receiving.queueing import Wanted, make_deliveries
from tests.factories import make_delivery, make_endpoint, make_event, make_route


def busy_broker() -> DueDeliveries:
    """Return a broker that has just handed out its idle order."""
    broker = DueDeliveries()
    broker.dequeue()
    return broker


class BrokerTests(TransactionTestCase):
    def test_is_the_one_that_the_workers_use(self) -> None:
        self.assertIsInstance(get_broker(), DueDeliveries)

    def test_orders_a_drain_when_a_delivery_is_due(self) -> None:
        broker = busy_broker()
        self.assertIsNone(broker.dequeue())
        make_delivery(make_route(make_endpoint()))

        self.assertIsNotNone(broker.dequeue())

    def test_is_woken_by_a_commit_before_its_time(self) -> None:
        broker = busy_broker()
        endpoint = make_endpoint()
        wanted = Wanted(make_event(endpoint), make_route(endpoint), {})
        broker.dequeue()  # by now it listens
        with ThreadPoolExecutor(1) as other, mock.patch("deliveries.execution.broker.POLL_SECONDS", 30):
            other.submit(self.commit_soon, wanted)
            started = time.monotonic()

            while not broker.dequeue():
                self.assertLess(time.monotonic(), started + 20)

        self.assertLess(time.monotonic(), started + 20)

    def commit_soon(self, wanted: Wanted) -> None:
        time.sleep(0.3)
        with transaction.atomic():
            make_deliveries([wanted], wanted.event.endpoint, now=timezone.now())
        connections.close_all()

    def test_does_not_order_for_a_route_that_runs_as_many_as_it_may(self) -> None:
        broker = busy_broker()
        route = make_route(make_endpoint(), concurrency=1)
        make_delivery(route)
        Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(seconds=60), worker="busy:1")
        make_delivery(route)

        self.assertIsNone(broker.dequeue())

    def test_does_not_order_for_what_is_due_later_or_running(self) -> None:
        broker = busy_broker()
        route = make_route(make_endpoint())
        make_delivery(route, now=timezone.now() + timedelta(hours=1))
        make_delivery(route)
        Delivery.objects.claim(limit=1, now=timezone.now(), lease=timedelta(seconds=60), worker="busy:1")

        self.assertIsNone(broker.dequeue())

    def test_orders_now_and_then_when_idle_so_that_workers_show_themselves(self) -> None:
        broker = busy_broker()
        until = time.monotonic() + 2.5

        orders = []
        while time.monotonic() < until:
            orders.append(broker.dequeue())

        self.assertEqual(len([order for order in orders if order]), 1)

    @override_settings(HUB_WORKERS=50)
    def test_orders_more_often_for_more_workers(self) -> None:
        broker = busy_broker()

        self.assertTrue(any(broker.dequeue() for _ in range(4)))

    def test_orders_nothing_but_the_drain_without_a_timeout_over_all_handlers(self) -> None:
        ((ack_id, package),) = DueDeliveries().dequeue() or []
        task: dict[str, Any] = SignedPackage.loads(package)

        self.assertEqual((ack_id, task["func"]), (0, "deliveries.execution.drain.drain"))
        self.assertEqual((task["args"], task["kwargs"], task["timeout"], task["save"]), ((), {}, -1, False))

    def test_lets_nobody_queue_a_function(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "functions cannot be queued"):
            async_task("os.system", "true")


class BrokerWithoutDatabaseTests(TransactionTestCase):
    def test_waits_and_tries_again(self) -> None:
        broker = busy_broker()
        make_delivery(make_route(make_endpoint()))
        self.hide_the_table()

        for _ in range(5):
            self.assertIsNone(broker.dequeue())

        self.show_the_table()
        until = time.monotonic() + 10
        while not broker.dequeue():
            self.assertLess(time.monotonic(), until)

    def test_keeps_the_workers_alive_meanwhile(self) -> None:
        self.hide_the_table()
        broker = busy_broker()
        until = time.monotonic() + 4

        while not broker.dequeue():
            self.assertLess(time.monotonic(), until)

    def hide_the_table(self) -> None:
        """Make every look at the deliveries fail, on both databases, as if the database were away."""
        self.addCleanup(self.show_the_table)
        self.rename("deliveries_delivery", "hidden")

    def show_the_table(self) -> None:
        if "hidden" in connection.introspection.table_names():
            self.rename("hidden", "deliveries_delivery")

    def rename(self, old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")
