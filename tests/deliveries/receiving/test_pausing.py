"""Who makes held deliveries and who lets them go, on connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.test import TransactionTestCase

from deliveries import hold
from deliveries.models import Delivery, DeliveryStatus, pause_lock
from deliveries.receiving import endpoints
from integrations.models import Endpoint
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_route
from tests.running_hub import wait_until


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Do ``work`` in a thread, on a connection of its own; wait for its end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(20)


@pytest.mark.stricter_database
class APausedEndpointTests(Sender, TransactionTestCase):
    def setUp(self) -> None:
        if connection.vendor != "postgresql":
            self.skipTest("SQLite has one writer")
        self.operator = get_user_model()._default_manager.create(username="operator")
        self.endpoint = signed_endpoint(state="paused")
        self.route = make_route(self.endpoint)
        self.is_storing, self.may_commit = threading.Event(), threading.Event()

    def store_slowly(self) -> None:
        """Store an event, and commit when that is allowed."""
        with transaction.atomic():
            assert self.send(self.endpoint, event_id="slow").status_code == 200
            self.is_storing.set()
            self.may_commit.wait(20)

    def resume(self) -> None:
        hold.resume_endpoint(Endpoint.objects.get(pk=self.endpoint.pk), by=self.operator)

    def statuses(self) -> set[str]:
        return set(Delivery.objects.values_list("status", flat=True))

    def waits_for_the_lock(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(cursor.fetchone()[0])

    def test_takes_events_in_that_do_not_wait_for_each_other(self) -> None:
        with beside(self.store_slowly):
            self.assertTrue(self.is_storing.wait(20))
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
            try:
                self.assertEqual(self.send(self.endpoint, event_id="2").status_code, 200)
            finally:
                connection.close()
                self.may_commit.set()

        self.assertEqual((Delivery.objects.count(), self.statuses()), (2, {DeliveryStatus.HELD}))

    def test_is_resumed_once_what_is_being_stored_is_there(self) -> None:
        with beside(self.store_slowly):
            self.assertTrue(self.is_storing.wait(20))
            with beside(self.resume):
                wait_until(self.waits_for_the_lock, what="the resume's wait")
                self.may_commit.set()

        self.assertEqual(self.statuses(), {DeliveryStatus.PENDING})

    def test_holds_nothing_any_more_that_comes_while_it_is_resumed(self) -> None:
        self.send(self.endpoint, event_id="1")

        def resume_slowly() -> None:
            with transaction.atomic():
                self.resume()
                self.is_storing.set()
                self.may_commit.wait(20)

        with beside(resume_slowly):
            self.assertTrue(self.is_storing.wait(20))
            endpoints.forget()  # what is loaded now is still paused
            with beside(lambda: self.send(self.endpoint, event_id="2")):
                wait_until(self.waits_for_the_lock, what="the event's wait")
                self.may_commit.set()

        self.assertEqual((Delivery.objects.count(), self.statuses()), (2, {DeliveryStatus.PENDING}))

    def test_has_a_route_resumed_once_what_is_being_stored_is_there(self) -> None:
        refused: list[Exception] = []

        def resume_route() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            try:
                hold.resume_route(self.route, by=self.operator)
            except OperationalError as exc:
                refused.append(exc)

        with transaction.atomic():
            pause_lock.share([self.endpoint.pk], using="default")
            with beside(resume_route):
                pass

        self.assertEqual(len(refused), 1)
