"""Follow-up events: stored with the success of the delivery whose handler emitted them, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest import mock

import structlog
from django.db import DataError, OperationalError
from django.utils import timezone

from deliveries.models import Delivery, Event
from deliveries.receiving import ingest
from deliveries.receiving.emitting import MOST_HOPS
from integrations.models import Endpoint
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase, delivery_to, eventually
from tests.deliveries.execution.test_leases import lapse
from tests.factories import make_delivery, make_endpoint, make_event, make_route

AWAY = OperationalError("server closed the connection unexpectedly")


def emitted() -> list[Event]:
    return list(Event.objects.filter(verdict="internal").order_by("pk"))


class EmittingTests(DrainTestCase):
    def emitting(self, *, taken_by: str = "followed", **route: Any) -> Delivery:
        """Return a delivery whose handler emits; a second route of its endpoint takes events of ``taken_by``."""
        delivery = delivery_to("test.emit", **{"events": ["test"], **route})
        if taken_by:
            make_route(delivery.endpoint, events=[taken_by])
        return delivery

    def replay(self, delivery: Delivery, *, from_start: bool = False) -> None:
        rows = Delivery.objects.filter(pk=delivery.pk)
        self.assertEqual(rows.replay(now=timezone.now(), requested_by="ada", from_start=from_start), 1)
        self.work()

    def test_makes_an_event_and_its_deliveries(self) -> None:
        delivery = self.emitting()
        Event.objects.update(request_id="r-1", event_type="order.paid")

        self.work()

        [event] = emitted()
        self.assertEqual((event.endpoint_id, event.event_type), (delivery.endpoint_id, "followed"))
        self.assertEqual((event.payload, event.content_type), ({"after": "order.paid"}, "application/json"))
        self.assertEqual((event.derived_from_id, event.hops, event.request_id), (delivery.event_id, 1, "r-1"))
        [follow_up] = event.deliveries.all()
        self.assertEqual((follow_up.status, follow_up.route.handler), ("succeeded", "log"))

    def test_makes_none_when_the_attempt_fails(self) -> None:
        delivery = self.emitting(config={"failures": 1}, retry={"max_attempts": 1})

        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, emitted()), ("dead", []))

    def test_makes_one_however_many_attempts_it_takes(self) -> None:
        delivery = self.emitting(config={"failures": 2}, retry=AT_ONCE)

        while Delivery.objects.filter(pk=delivery.pk, attempt_count__lt=3).exists():
            self.assertEqual(emitted(), [])
            self.work()

        self.assertEqual(len(emitted()), 1)

    def test_makes_no_second_one_at_a_replay(self) -> None:
        delivery = self.emitting()
        self.work()

        self.replay(delivery)

        [event] = emitted()
        self.assertEqual((event.duplicates, event.deliveries.count()), (1, 1))

    def test_makes_a_second_one_at_a_replay_from_the_start(self) -> None:
        delivery = self.emitting()
        self.work()

        self.replay(delivery, from_start=True)

        self.assertEqual(len({event.event_id for event in emitted()}), 2)

    def test_tells_what_is_the_same_by_its_content_and_not_by_its_order(self) -> None:
        delivery = self.emitting(config={"events": [["a", 1], ["a", 1], ["b", {"x": 1, "y": 2}]]}, taken_by="")
        self.work()
        self.assertEqual([event.event_type for event in emitted()], ["a", "a", "b"])

        delivery.route.config = {"events": [["b", {"y": 2, "x": 1}], ["c", 1], ["a", 1], ["a", 1]]}
        delivery.route.save()
        self.replay(delivery)

        self.assertEqual([event.event_type for event in emitted()], ["a", "a", "b", "c"])

    def test_reaches_an_internal_endpoint_by_name(self) -> None:
        internal = make_endpoint(slug="shipping", provider="internal")
        make_route(internal)
        self.emitting(config={"endpoint": "shipping"})

        self.work()

        [event] = emitted()
        self.assertEqual((event.endpoint, event.provider), (internal, "internal"))
        self.assertEqual(event.deliveries.get().status, "succeeded")

    def test_fails_for_any_other_endpoint(self) -> None:
        make_endpoint(slug="public", provider="generic_none")
        make_endpoint(slug="off", provider="internal", state="disabled")
        make_endpoint(slug="retired", provider="internal", retired_at=timezone.now())
        for slug in ("public", "off", "retired", "nowhere"):
            with self.subTest(slug):
                delivery = self.emitting(config={"endpoint": slug})
                self.work()
                delivery.refresh_from_db()
                self.assertEqual(delivery.status, "waiting")
                self.assertIn(f"NoInternalEndpoint: There is no endpoint '{slug}'", delivery.last_error)
        self.assertEqual(emitted(), [])

    def test_holds_the_deliveries_of_a_paused_endpoint(self) -> None:
        make_route(make_endpoint(slug="shipping", provider="internal", state="paused"))
        self.emitting(config={"endpoint": "shipping"})

        self.work()

        self.assertEqual(emitted()[0].deliveries.get().status, "held")

    def test_orders_its_deliveries_by_their_key(self) -> None:
        events = [["followed", {"n": number}] for number in range(3)]
        delivery = self.emitting(config={"events": events}, taken_by="")
        make_route(delivery.endpoint, handler="test.note", events=["followed"], ordering_key="'one'")

        self.work(times=3)

        noted = [pk for pk, _ in automations.seen if pk != str(delivery.pk)]
        self.assertEqual(noted, [str(event.deliveries.get().pk) for event in emitted()])

    def test_goes_behind_live_traffic_where_a_bulk_replay_set_it_off(self) -> None:
        delivery = self.emitting(config={"failures": 1}, retry={"max_attempts": 1})
        self.work()
        Delivery.objects.replay(now=timezone.now(), requested_by="ada", bulk=True)
        self.work()

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.bulk), ("succeeded", True))
        self.assertTrue(emitted()[0].deliveries.get().bulk)

    def test_is_encrypted_where_the_endpoints_bodies_are(self) -> None:
        delivery = self.emitting()
        Endpoint.objects.update(sensitive=True)

        self.work()

        [event] = emitted()
        self.assertTrue(event.body_is_encrypted)
        self.assertEqual((event.payload, delivery.endpoint_id), ({"after": "test"}, event.endpoint_id))

    def test_ends_a_chain_that_leads_back_to_itself(self) -> None:
        self.emitting(events=[], taken_by="")  # its own route takes every event

        self.work(times=3)

        self.assertEqual([event.hops for event in emitted()], list(range(1, MOST_HOPS + 1)))
        last = emitted()[-1].deliveries.get()
        self.assertEqual(last.status, "dead")
        self.assertIn(f"the last of a chain of {MOST_HOPS}", self.attempt(last).error_message)

    def test_is_read_as_json_whatever_else_the_preset_reads(self) -> None:
        delivery = self.emitting()
        Endpoint.objects.update(provider="twilio")
        Event.objects.update(provider="twilio")

        self.work()

        [event] = emitted()
        self.assertEqual((event.provider, event.payload), ("twilio", {"after": "test"}))
        self.assertEqual(delivery.endpoint_id, event.endpoint_id)


class ExactlyOnceTests(DrainTestCase):
    """A worker may end, or be taken for dead, at any moment between the handler's last line and the commit."""

    def setUp(self) -> None:
        super().setUp()
        self.delivery = delivery_to("test.emit", events=["test"])
        make_route(self.delivery.endpoint, events=["followed"])

    def assert_one(self, *, attempts: int) -> None:
        self.delivery.refresh_from_db()
        self.assertEqual((self.delivery.status, self.delivery.attempt_count), ("succeeded", attempts))
        [event] = emitted()
        self.assertEqual((event.duplicates, event.deliveries.count()), (0, 1))

    def failing(self, error: Exception, *, when: Callable[[], bool]) -> Any:
        """Fail once the follow-up is stored, and before that is committed."""
        store, self.failures = ingest.store, 0

        def replaced(*args: Any, **values: Any) -> Any:
            stored = store(*args, **values)
            if when():
                self.failures += 1
                raise error
            return stored

        return mock.patch.object(ingest, "store", replaced)

    def test_with_a_takeover_before_the_commit(self) -> None:
        late = self.background("late:1")
        with self.failing(AWAY, when=lambda: threading.current_thread() is not threading.main_thread()):
            late.start()
            eventually(lambda: self.failures)
            self.assertEqual(emitted(), [])
            with mock.patch.object(late.drain, "_claim"):  # else it may be the one that takes over
                lapse(self.delivery)
                self.work(times=2)
                late.join()

        self.assert_one(attempts=2)
        outcomes = self.delivery.attempts.order_by("number").values_list("worker", "outcome")
        self.assertEqual(list(outcomes), [("late:1", "lost"), ("test:1", "succeeded")])

    def test_with_a_takeover_while_the_handler_runs(self) -> None:
        self.delivery.route.config = {"wait": True}
        self.delivery.route.save()
        late = self.background("late:1").start()
        eventually(lambda: automations.seen)
        lapse(self.delivery)
        other = self.background("other:2").start()
        eventually(lambda: len(automations.seen) == 2)
        automations.go_on.set()
        late.join()
        other.join()

        self.assert_one(attempts=2)

    def test_with_a_database_that_was_away(self) -> None:
        with self.failing(AWAY, when=lambda: self.failures < 3):
            self.work()

        self.assert_one(attempts=1)
        self.assertEqual(self.failures, 3)

    def test_with_a_database_that_refuses_them(self) -> None:
        with (
            self.failing(DataError("refused"), when=lambda: not self.failures),
            structlog.testing.capture_logs() as logs,
        ):
            self.work()
        self.delivery.refresh_from_db()
        self.assertEqual((self.delivery.status, emitted()), ("waiting", []))
        self.assertEqual(self.attempt(self.delivery).error_type, "NotStorable")
        self.assertIn("attempt.not_storable", [line["event"] for line in logs])

        self.make_due(self.delivery)
        self.work(times=2)

        self.assert_one(attempts=2)


class OrderingKeyTests(DrainTestCase):
    def test_are_not_waited_for_in_a_circle(self) -> None:
        """Two deliveries emit into each other's key, and both are closed at the same moment."""
        ordered = {"ordering_key": "'one'", "retry": {"max_attempts": 1}}
        first = delivery_to("test.emit", events=["test", "back"], config={"events": [["there", 1]]}, **ordered)
        second = make_route(
            first.endpoint, handler="test.emit", events=["other", "there"], config={"events": [["back", 1]]}, **ordered
        )
        Delivery.objects.update(ordering_key="one", ordinal=1)
        make_delivery(second, event=make_event(first.endpoint, event_type="other"), ordering_key="one", ordinal=1)
        store, both = ingest.store, threading.Barrier(2)

        def slowly(*args: Any, **values: Any) -> Any:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)  # each holds its own key, if it has not waited for the other's before
            return store(*args, **values)

        with mock.patch.object(ingest, "store", slowly), structlog.testing.capture_logs() as logs:
            drains = [self.background(name, threads=1).start() for name in ("one:1", "two:2")]
            eventually(lambda: not Delivery.objects.exclude(status__in=["succeeded", "dead"]).exists(), seconds=60)
            for drain in drains:
                drain.stop.set()
                drain.join()

        self.assertNotIn("worker.database_unavailable", [line["event"] for line in logs])
        self.assertEqual(len(emitted()), 2 * MOST_HOPS)


class ContextTests(DrainTestCase):
    def keys(self, number: int) -> dict[str, Any]:
        fields: dict[str, Any] = self.attempt(self.delivery, number).log[0]["fields"]
        return fields

    def replay(self, **values: Any) -> None:
        Delivery.objects.replay(now=timezone.now(), requested_by="ada", **values)
        self.work()

    def test_has_keys_that_change_only_at_a_replay_from_the_start(self) -> None:
        self.delivery = delivery_to("test.keys", timeout_seconds=40)
        self.work()
        self.replay()
        self.replay(from_start=True)
        self.replay()

        first, replayed, from_start, again = (self.keys(number) for number in range(1, 5))
        self.assertEqual(first["all"], str(self.delivery.pk))
        for name in ("all", "one"):
            self.assertEqual(first[name], replayed[name])
            self.assertNotEqual(first[name], from_start[name])
            self.assertEqual(from_start[name], again[name])
        self.assertEqual(len({first["all"], first["one"], from_start["all"], from_start["one"]}), 4)

    def test_costs_no_query(self) -> None:
        self.delivery = delivery_to("test.keys")
        now = timezone.now()
        [row] = Delivery.objects.claim(limit=1, now=now, lease=timedelta(seconds=15), worker="one:1")

        with self.assertNumQueries(0):
            self.assertEqual((row.idempotency_key, row.budget_from), (self.delivery.pk, self.delivery.created_at))

    def test_says_until_when_the_attempt_may_take(self) -> None:
        self.delivery = delivery_to("test.keys", timeout_seconds=40)
        before = time.monotonic()

        self.work()

        left = self.keys(1)["left"]
        self.assertLessEqual(left, 40)
        self.assertGreater(left, 40 - (time.monotonic() - before) - 0.1)
