"""Routes share the workers, and none runs more at once than it may."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID, uuid4

from django.test import SimpleTestCase
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Event
from deliveries.models.claiming import DueRoute, shares
from integrations.models import Route
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import BackgroundDrain, DrainTestCase, eventually
from tests.factories import make_delivery, make_endpoint, make_event, make_route

A, B, C = sorted(uuid4() for _ in range(3))


def due(route_id: UUID, count: int, *, priority: int = 10, bulk: bool = False, **limits: int) -> DueRoute:
    return DueRoute(route_id, bulk, priority, count, **limits)


class ShareTests(SimpleTestCase):
    def divided(
        self,
        *routes: DueRoute,
        free: int,
        threads: int | None = None,
        running: dict[tuple[UUID, bool], int] | None = None,
    ) -> list[tuple[UUID, bool, int]]:
        found = shares(routes, free=free, threads=threads, running=running or {})
        return [(share.route_id, share.bulk, share.limit) for share in found]

    def test_are_even_between_equals(self) -> None:
        self.assertEqual(self.divided(due(A, 99), due(B, 99), free=8), [(A, False, 4), (B, False, 4)])

    def test_leave_to_others_what_one_does_not_need(self) -> None:
        self.assertEqual(self.divided(due(A, 99), due(B, 1), free=8), [(A, False, 7), (B, False, 1)])

    def test_differ_by_no_more_than_one(self) -> None:
        found = self.divided(due(A, 99), due(B, 99), due(C, 99), free=8)

        self.assertEqual(sorted(limit for _, _, limit in found), [2, 3, 3])

    def test_go_to_the_urgent_first(self) -> None:
        self.assertEqual(self.divided(due(A, 99), due(B, 5, priority=11), free=8), [(B, False, 5), (A, False, 3)])
        self.assertEqual(self.divided(due(A, 99), due(B, 99, priority=11), free=8), [(B, False, 8)])

    def test_go_to_bulk_replays_last_however_urgent_their_route(self) -> None:
        urgent = due(A, 99, priority=18, bulk=True)

        self.assertEqual(self.divided(urgent, due(B, 6), free=8), [(B, False, 6), (A, True, 2)])

    def test_leave_threads_to_newcomers(self) -> None:
        self.assertEqual(self.divided(due(A, 99), free=8, threads=8), [(A, False, 6)])
        self.assertEqual(self.divided(due(A, 99), free=2, threads=8, running={(A, False): 6}), [])
        self.assertEqual(
            self.divided(due(A, 99), due(B, 1), free=2, threads=8, running={(A, False): 6}), [(B, False, 1)]
        )

    def test_leave_a_newcomer_a_thread_also_beside_the_urgent(self) -> None:
        self.assertEqual(self.divided(due(A, 99, priority=18), due(B, 1, priority=0), free=8, threads=8)[-1][0], B)

    def test_give_a_route_one_thread_at_least(self) -> None:
        self.assertEqual(self.divided(due(A, 9), free=1, threads=1), [(A, False, 1)])

    def test_give_bulk_replays_a_part_and_one_thread_at_least(self) -> None:
        self.assertEqual(self.divided(due(A, 99, bulk=True), due(B, 99, bulk=True), free=16, threads=16),
                         [(A, True, 2), (B, True, 2)])  # fmt: skip
        self.assertEqual(self.divided(due(A, 99, bulk=True), free=2, threads=2), [(A, True, 1)])
        self.assertEqual(self.divided(due(A, 99, bulk=True), free=12, threads=16, running={(B, True): 4}), [])

    def test_keep_within_a_routes_limit(self) -> None:
        self.assertEqual(self.divided(due(A, 99, concurrency=3, running=1), free=8), [(A, False, 2)])
        self.assertEqual(self.divided(due(A, 99, concurrency=3, running=3), free=8), [])
        self.assertEqual(self.divided(due(A, 99, concurrency=3, running=7), free=8), [])

    def test_keep_within_a_routes_limit_live_and_bulk_together(self) -> None:
        limited = {"concurrency": 3, "running": 0}

        found = self.divided(due(A, 2, **limited), due(A, 99, bulk=True, **limited), free=8)

        self.assertEqual(found, [(A, False, 2), (A, True, 1)])

    def test_are_never_more_than_is_free_or_due(self) -> None:
        for free in range(6):
            for count in range(6):
                found = self.divided(due(A, count), due(B, 2 * count, priority=12), due(C, 3, bulk=True), free=free)
                self.assertEqual(sum(limit for _, _, limit in found), min(free, 3 * count + 3))


class FairnessTests(DrainTestCase):
    def queue(self, route: Route, count: int, *, bulk: bool = False) -> None:
        """Make ``count`` deliveries that have been due for some minutes."""
        now = timezone.now() - timedelta(minutes=5)
        events = [
            Event(
                endpoint=route.endpoint,
                provider="generic_none",
                verdict="verified",
                dedupe_key=f"id:{number}",
                body_sha256=b"",
                received_at=now,
                raw_body=b"{}",
                body_bytes=2,
            )
            for number in range(count)
        ]
        Event.objects.bulk_create(events, batch_size=500)
        Delivery.objects.bulk_create(
            [
                Delivery(event=event, endpoint=route.endpoint, route=route, due_at=now, created_at=now, bulk=bulk)
                for event in events
            ],
            batch_size=500,
        )

    def picked_up_after(self, delivery: Delivery) -> float:
        attempt: Any = eventually(lambda: Attempt.objects.filter(delivery=delivery).first(), seconds=10)
        return float((attempt.started_at - delivery.created_at).total_seconds())

    def test_picks_up_another_routes_event_within_a_second_beside_ten_thousand(self) -> None:
        noisy = make_route(make_endpoint(priority=9), handler="test.wait", priority=9)
        self.queue(noisy, 10_000)
        drains = [self.background(f"host:{number}", threads=8).start() for number in range(2)]
        eventually(lambda: Delivery.objects.filter(route=noisy, status="running").count() >= 12)

        for _ in range(3):
            newcomer = make_delivery(make_route(make_endpoint(), handler="test.note"))
            self.assertLess(self.picked_up_after(newcomer), 1)

        self.assertEqual(Delivery.objects.filter(route=noisy, status="running").count(), 12)
        self.end(noisy, drains)

    def test_picks_up_a_live_event_within_a_second_beside_a_bulk_replay(self) -> None:
        route = make_route(make_endpoint(), handler="test.wait")
        self.queue(route, 200, bulk=True)
        drain = self.background(threads=8).start()
        eventually(lambda: Delivery.objects.filter(status="running").count() == 2)

        self.assertLess(self.picked_up_after(make_delivery(route)), 1)

        self.assertEqual(Delivery.objects.filter(status="running", bulk=True).count(), 2)
        self.end(route, [drain])

    def end(self, route: Route, drains: list[BackgroundDrain]) -> None:
        Delivery.objects.filter(route=route, status="pending").update(status="held")
        automations.go_on.set()
        for drain in drains:
            drain.join()


class LimitTests(DrainTestCase):
    def test_is_never_exceeded_and_filled_by_many_drains(self) -> None:
        route = make_route(make_endpoint(), handler="test.step", concurrency=3, priority=9)
        for _ in range(45):
            make_delivery(route, event=make_event(route.endpoint, body=b'{"key": "a", "seconds": 0.03}'))
        until = time.monotonic() + 40
        while Delivery.objects.filter(finished_at=None).exists():
            self.assertLess(time.monotonic(), until)
            drains = [self.background(f"host:{number}", threads=4).start() for number in range(4)]
            for drain in drains:
                drain.join(30)

        at_once = list(accumulate(1 if what == "begin" else -1 for what, _ in automations.spans))
        self.assertEqual((len(at_once), max(at_once), at_once[-1]), (90, 3, 0))

    def test_leaves_the_other_threads_to_others(self) -> None:
        limited = make_route(make_endpoint(priority=9), handler="test.wait", concurrency=2)
        other = make_route(make_endpoint(), handler="test.wait")
        for _ in range(6):
            make_delivery(limited)
            make_delivery(other)
        drain = self.background(threads=6).start()

        eventually(lambda: Delivery.objects.filter(status="running").count() == 5)

        self.assertEqual(Delivery.objects.filter(route=limited, status="running").count(), 2)
        automations.go_on.set()
        drain.join()

    def test_counts_what_runs_elsewhere(self) -> None:
        route = make_route(make_endpoint(), handler="test.note", concurrency=2)
        make_delivery(route, status="running", lease_until=timezone.now() + timedelta(minutes=1), worker="other:1")
        for _ in range(5):
            make_delivery(route)

        claimed = Delivery.objects.claim(limit=9, now=timezone.now(), lease=timedelta(seconds=15), worker="one:1")

        self.assertEqual(len(claimed), 1)

    def test_counts_bulk_replays_too(self) -> None:
        route = make_route(make_endpoint(), handler="test.note", concurrency=2)
        for number in range(6):
            make_delivery(route, bulk=number % 2 == 1)

        claimed = Delivery.objects.claim(limit=9, now=timezone.now(), lease=timedelta(seconds=15), worker="one:1")

        self.assertEqual([row.bulk for row in claimed], [False, False])
