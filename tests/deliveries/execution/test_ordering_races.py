"""Ordering keys under fire: many drains, many senders and operators at once."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest import mock

from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections
from django.test import override_settings
from django.utils import timezone

from deliveries import replay as orders
from deliveries.models import Attempt, Delivery, ParkedKey
from deliveries.models.ordering import mend_stranded
from integrations.models import Route
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase, eventually
from tests.deliveries.execution.lines import claim, close, line, ordered_route, receive, rows
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender
from tests.factories import make_route


def at_once(*moves: Callable[[], Any]) -> None:
    """Make all ``moves`` in threads with a connection each; the first error of one is raised."""
    errors: list[BaseException] = []
    ready = threading.Barrier(len(moves))

    def run(move: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            ready.wait(10)
            move()
        except BaseException as exc:
            errors.append(exc)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(move,)) for move in moves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def began(key: str) -> list[int]:
    """Return the numbers of the attempts of ``key``, in the order in which they began."""
    return [span["number"] for what, span in automations.spans if what == "begin" and span["key"] == key]


class OrderCase(DrainTestCase):
    def drain_all(self, *, drains: int = 5, seconds: float = 40) -> None:
        """Let several drains work until every delivery has finished."""

        def unfinished() -> Any:
            return Delivery.objects.filter(finished_at=None)

        def keep_working(name: str) -> None:
            until = time.monotonic() + seconds
            while unfinished().exists():
                assert time.monotonic() < until, list(unfinished().values_list("status", "blocked", "ordering_key"))
                drain = self.background(name, threads=3)
                drain.drain.run()
                time.sleep(0.01)

        at_once(*(lambda name=f"host:{number}": keep_working(name) for number in range(drains)))

    def assert_never_two_at_once(self) -> None:
        inside: dict[str, dict[str, Any] | None] = defaultdict(lambda: None)
        for what, span in automations.spans:
            key = span["key"]
            if what == "begin":
                self.assertIsNone(inside[key], f"{span} began within {inside[key]}")
                inside[key] = span
            else:
                self.assertEqual(inside[key], span)
                inside[key] = None


class ManyDrainsTests(OrderCase):
    def test_keep_every_key_in_order(self) -> None:
        route = ordered_route(handler="test.step")
        for number in range(15):
            receive(route, *({"key": key, "number": number, "seconds": 0.002} for key in "abcd"))

        self.drain_all()

        self.assert_never_two_at_once()
        for key in "abcd":
            self.assertEqual(began(key), list(range(15)))

    def test_keep_every_key_in_order_over_retries(self) -> None:
        route = ordered_route(handler="test.step", retry=AT_ONCE)
        for number in range(8):
            receive(route, *({"key": key, "number": number, "failures": number % 3} for key in "abc"))

        self.drain_all()

        self.assert_never_two_at_once()
        for key in "abc":
            self.assertEqual(began(key), [number for number in range(8) for _ in range(number % 3 + 1)])

    def test_go_on_behind_what_gave_up_if_the_route_says_so(self) -> None:
        route = ordered_route(handler="test.step", failure="skip", retry={"max_attempts": 1})
        for number in range(9):
            receive(route, *({"key": key, "number": number, "failures": number % 3} for key in "abc"))

        self.drain_all()

        self.assert_never_two_at_once()
        for key in "abc":
            self.assertEqual(began(key), list(range(9)))
        self.assertEqual(Delivery.objects.filter(status="dead").count(), 18)

    def test_run_nothing_behind_what_gave_up_unless_the_route_says_so(self) -> None:
        for failure, status in (("block", "pending"), ("park", "held")):
            route = ordered_route(handler="test.step", failure=failure, retry={"max_attempts": 1})
            for number in range(4):
                receive(route, *({"key": failure, "number": number, "failures": int(number == 1)} for _ in range(1)))
            others = line(route, 2, key=f"{failure} other")

            at_once(*(self.background(f"host:{number}").drain.run for number in range(4)))
            eventually(lambda others=others: not rows(*others).filter(finished_at=None).exists())

            self.assertEqual(began(failure), [0, 1])
            self.assertEqual(Delivery.objects.filter(route=route, status=status).count(), 2)

    def test_run_keyless_deliveries_of_the_route_beside_each_other(self) -> None:
        route = ordered_route(handler="test.wait")
        receive(route, {"key": "a"}, {"key": "a"}, {}, {"key": None}, {"key": ""})
        drain = self.background(threads=8).start()

        eventually(lambda: len(automations.seen) == 4)
        time.sleep(0.3)
        self.assertEqual(Delivery.objects.filter(status="running").count(), 4)

        automations.go_on.set()
        drain.join()
        self.work()
        self.assertFalse(Delivery.objects.filter(finished_at=None).exists())

    @override_settings(HUB_LEASE_SECONDS=1)
    def test_keep_the_order_over_a_takeover(self) -> None:
        route = ordered_route(handler="test.step")
        deliveries = line(route, 4)
        (lost,) = claim(worker="gone:1")
        rows(lost).update(lease_until=timezone.now() - timedelta(seconds=1))

        self.drain_all()

        self.assertFalse(close(lost))
        self.assertEqual(began("a"), [0, 1, 2, 3])
        self.assertEqual(Attempt.objects.get(delivery=deliveries[0], number=1).outcome, "lost")

    def test_keep_two_apart_while_operators_replay_hold_and_resume(self) -> None:
        route = ordered_route(handler="test.step", failure="skip", retry=AT_ONCE)
        for number in range(10):
            receive(
                route,
                *({"key": key, "number": number, "failures": 3 * (number % 4 == 1), "seconds": 0.002} for key in "ab"),
            )
        over = threading.Event()

        def operate(seed: int) -> None:
            rng = random.Random(seed)
            for _ in range(25):
                pick = Delivery.objects.filter(route=route, event__received_at__lte=timezone.now())
                match rng.randrange(4):
                    case 0 | 1:
                        ids = list(pick.filter(status__in=("succeeded", "dead")).values_list("pk", flat=True))
                        some = Delivery.objects.filter(pk__in=rng.sample(ids, min(3, len(ids))))
                        some.replay(now=timezone.now(), requested_by="ada")
                    case 2:
                        pick.hold()
                    case _:
                        pick.resume(now=timezone.now())
                time.sleep(0.01)
            pick.resume(now=timezone.now())

        def work(name: str) -> None:
            while not over.is_set():
                self.background(name, threads=3).drain.run()
                time.sleep(0.01)

        def operate_all() -> None:
            try:
                at_once(*(lambda seed=seed: operate(seed) for seed in range(2)))
                Delivery.objects.resume(now=timezone.now())
                eventually(lambda: not Delivery.objects.filter(finished_at=None).exists(), seconds=40)
            finally:
                over.set()

        # What nobody may need: keys are never stranded by the hub's own moves.
        with mock.patch("deliveries.execution.housekeeping.mend_stranded", return_value=0):
            at_once(operate_all, *(lambda name=f"host:{number}": work(name) for number in range(4)))

        self.assert_never_two_at_once()


class ManySendersTests(DrainTestCase):
    def test_get_a_place_each_and_let_one_of_a_key_run(self) -> None:
        route = ordered_route()

        def send(sender: int) -> None:
            for number in range(10):
                receive(route, {"key": "a", "number": number}, {"key": "b", "number": sender})

        at_once(*(lambda sender=sender: send(sender) for sender in range(6)))

        for key in "ab":
            stored = Delivery.objects.filter(ordering_key=key).order_by("ordinal")
            ordinals = list(stored.values_list("ordinal", flat=True))
            self.assertEqual(len(set(ordinals)), 60)
            self.assertEqual(stored.filter(blocked=False).count(), 1)
            self.assertEqual(stored.filter(blocked=False).get(), stored.first())

    def test_stand_behind_what_was_committed_before_they_began(self) -> None:
        route = ordered_route()

        def send(sender: int) -> None:
            for _ in range(8):
                before = Delivery.objects.filter(ordering_key="a").order_by("-ordinal")
                last = before.values_list("ordinal", flat=True).first() or 0
                (made,) = receive(route, {"key": "a", "sender": sender})
                assert (made.ordinal or 0) > last

        at_once(*(lambda sender=sender: send(sender) for sender in range(6)))

        self.assertEqual(Delivery.objects.filter(ordering_key="a").count(), 48)

    def test_leave_nobody_behind_while_drains_finish_what_is_before_them(self) -> None:
        route = ordered_route(handler="test.step")
        sent = threading.Event()

        def send() -> None:
            try:
                for number in range(60):
                    receive(route, {"key": "a", "number": number})
            finally:
                sent.set()

        def work(name: str) -> None:
            until = time.monotonic() + 30
            while not sent.is_set() or Delivery.objects.filter(finished_at=None).exists():
                assert time.monotonic() < until, "somebody was left behind"
                self.background(name, threads=2).drain.run()

        with mock.patch("deliveries.execution.housekeeping.mend_stranded", return_value=0):
            at_once(send, *(lambda name=f"host:{number}": work(name) for number in range(3)))

        self.assertEqual(began("a"), list(range(60)))


class SplitRequestTests(WithBatches, Sender, OrderCase):
    def test_keeps_the_order_of_its_items(self) -> None:
        route = make_route(splitting(), handler="test.step", ordering_key="key")
        sent = [{**item, "key": "abc"[place % 3], "number": place} for place, item in enumerate(items(*range(30)))]

        answer = self.send(route.endpoint, {"events": sent})

        self.assertEqual(answer.json()["events"], 30)
        self.assertEqual(Delivery.objects.filter(route=route, blocked=False).count(), 3)
        self.drain_all(drains=4)
        self.assert_never_two_at_once()
        for place, key in enumerate("abc"):
            self.assertEqual(began(key), list(range(place, 30, 3)))


class OrdersBesideWorkersTests(DrainTestCase):
    """Operators and workers never wait for each other in a circle."""

    def test_discard_beside_workers_that_close(self) -> None:
        ada = User.objects.create_user("ada")
        route = ordered_route()
        for number in range(12):
            receive(route, *({"key": f"k{key}", "number": number} for key in range(6)))

        def work() -> None:
            for _ in range(40):
                for row in claim():
                    close(row)

        def discard() -> None:
            for place in range(6):
                waiting = Delivery.objects.filter(ordering_key=f"k{place}", status="pending")
                orders.discard(waiting, by=ada)

        at_once(work, discard, work)

        while claimed := claim():
            for row in claimed:
                close(row)
        self.assertFalse(Delivery.objects.filter(finished_at=None).exists())

    def test_hold_and_resume_beside_workers_that_close_and_take_over(self) -> None:
        route = ordered_route(failure="skip")
        for number in range(12):
            receive(route, *({"key": f"k{key}", "number": number} for key in range(6)))

        def work() -> None:
            for _ in range(30):
                claimed = claim()
                for row in claimed[::2]:
                    close(row)
                Delivery.objects.take_over(now=timezone.now() + timedelta(minutes=5))

        def hold() -> None:
            for _ in range(15):
                Delivery.objects.filter(route=route).hold()
                Delivery.objects.filter(route=route).resume(now=timezone.now())

        at_once(work, hold, work, hold)

        Delivery.objects.resume(now=timezone.now())
        Delivery.objects.take_over(now=timezone.now() + timedelta(minutes=5))
        Delivery.objects.filter(finished_at=None).update(due_at=timezone.now())
        while claimed := claim():
            for row in claimed:
                close(row)
        self.assertFalse(Delivery.objects.filter(finished_at=None).exists())

    def test_park_a_key_for_good_although_a_pause_ends_meanwhile(self) -> None:
        for number in range(15):
            route = ordered_route(failure="park")
            deliveries = line(route, 3, key=f"k{number}")
            running = next(row for row in claim() if row.pk == deliveries[0].pk)
            rows(*deliveries[1:]).hold()

            at_once(
                lambda running=running: close(running, "dead"),
                lambda route=route: Delivery.objects.filter(route=route).resume(now=timezone.now()),
            )

            self.assertTrue(ParkedKey.objects.filter(route=route).exists())
            self.assertEqual(set(rows(*deliveries[1:]).values_list("status", flat=True)), {"held"})

    def test_mend_what_is_stranded_beside_workers(self) -> None:
        route = ordered_route(failure="block")
        for key in range(6):
            first, _, _ = line(route, 3, key=f"k{key}")
            rows(first).update(status="dead", finished_at=timezone.now())
        Route.objects.update(ordering_failure="skip")

        def work() -> None:
            for _ in range(30):
                for row in claim():
                    with suppress(OperationalError):
                        close(row)

        at_once(work, work, *(lambda: mend_stranded(now=timezone.now(), using="default") for _ in range(3)))

        while claimed := claim():
            for row in claimed:
                close(row)
        self.assertFalse(Delivery.objects.filter(finished_at=None).exists())
