"""Moves of deliveries that several workers make at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, connections
from django.test import TransactionTestCase

from deliveries.models import Attempt, Delivery, DeliveryStatus
from deliveries.models.transitions import held_by
from tests.deliveries.execution.moves import LATER, NOW, claim, close, standing
from tests.factories import make_delivery, make_endpoint, make_route


class RacedMoveTests(TransactionTestCase):
    """Many threads, each with a connection of its own, make the same move at once."""

    def race(self, move: Callable[[int], Any], *, threads: int = 6) -> list[Any]:
        results: list[Any] = []
        errors: list[BaseException] = []
        ready = threading.Barrier(threads)

        def run(number: int) -> None:
            try:
                connection.ensure_connection()
                ready.wait(10)
                results.append(move(number))
            except BaseException as exc:
                errors.append(exc)
            finally:
                connections.close_all()

        racers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(60)
        self.assertEqual(errors, [])
        return results

    def test_gives_each_delivery_to_one_worker(self) -> None:
        route = make_route(make_endpoint())
        for _ in range(30):
            make_delivery(route, now=NOW)

        def claim_all(number: int) -> list[Any]:
            mine: list[Any] = []
            while rows := claim(limit=3, worker=f"w:{number}"):
                mine.extend(row.pk for row in rows)
            return mine

        claimed = [pk for mine in self.race(claim_all) for pk in mine]

        self.assertEqual(len(claimed), len(set(claimed)))
        # One that skips a locked row may stop before the others have finished; nothing is claimed twice or lost.
        self.assertEqual(len(claimed) + len(claim(limit=30)), 30)
        self.assertEqual(Attempt.objects.count(), 30)

    def test_takes_an_abandoned_delivery_over_once(self) -> None:
        standing(DeliveryStatus.RUNNING)

        lost = self.race(lambda number: len(Delivery.objects.take_over(now=LATER)))

        self.assertEqual(sum(lost), 1)

    def test_closes_once_when_a_takeover_comes_at_the_same_time(self) -> None:
        for _ in range(5):
            row = standing(DeliveryStatus.RUNNING)

            def move(number: int, row: Delivery = row) -> bool:
                return bool(Delivery.objects.take_over(now=LATER)) if number % 2 else close(row, now=LATER)

            self.assertEqual(self.race(move, threads=4).count(True), 1)
            stored = Delivery.objects.get(pk=row.pk)
            outcome = Attempt.objects.get(delivery=row).outcome
            self.assertIn((stored.status, outcome), {("succeeded", "succeeded"), ("pending", "lost")})

    def test_replays_once_also_while_workers_claim(self) -> None:
        rows = [standing(DeliveryStatus.DEAD) for _ in range(10)]
        slugs = [row.endpoint.slug for row in rows]

        def move(number: int) -> int:
            if number % 2:
                claim(LATER, limit=20, worker=f"w:{number}")
                return 0
            dead = Delivery.objects.filter(endpoint__slug__in=slugs)
            return dead.replay(now=NOW, requested_by=f"user {number}", from_start=True)

        self.assertEqual(sum(self.race(move)), 10)
        for row in Delivery.objects.all():
            self.assertLessEqual(row.attempt_count, 1)

    def test_gives_back_or_takes_over_once(self) -> None:
        row = standing(DeliveryStatus.RUNNING)

        def move(number: int) -> int:
            if number % 2:
                return len(Delivery.objects.take_over(now=LATER))
            return len(Delivery.objects.give_back(held_by([row]), now=LATER))

        self.assertEqual(sum(self.race(move)), 1)
