from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import TestCase

from deliveries.models import Attempt, Delivery, DeliveryStatus, Outcome, StepResult
from deliveries.models.claiming import LARGE_BYTES, Share
from deliveries.models.closing import AttemptResult, Closing
from deliveries.models.states import CLAIMABLE, FINISHED
from deliveries.models.transitions import MOST_GIVE_BACKS, held_by
from integrations.models import Endpoint, Route
from tests.deliveries.execution.moves import LATER, LEASE, NOW, claim, close, standing
from tests.factories import make_delivery, make_endpoint, make_event, make_route


class ClaimingTests(TestCase):
    def test_opens_an_attempt_before_anything_runs(self) -> None:
        make_delivery(make_route(make_endpoint()), now=NOW)

        (row,) = claim()

        self.assertEqual((row.status, row.worker, row.lease_until), ("running", "one:1", NOW + LEASE))
        attempt = Attempt.objects.get(delivery=row)
        self.assertEqual((attempt.number, attempt.trigger, attempt.outcome), (1, "first", "running"))

    def test_takes_the_urgent_first_and_then_the_oldest(self) -> None:
        route = make_route(make_endpoint())
        old = make_delivery(route, now=NOW - timedelta(minutes=2))
        older = make_delivery(route, now=NOW - timedelta(minutes=3))
        urgent = make_delivery(make_route(route.endpoint, priority=9), now=NOW)

        self.assertEqual([row.pk for row in claim(limit=2)], [urgent.pk, older.pk])
        self.assertEqual([row.pk for row in claim()], [old.pk])

    def test_leaves_what_is_not_due_or_not_claimable(self) -> None:
        make_delivery(make_route(make_endpoint()), now=NOW + timedelta(seconds=1))
        for status in set(DeliveryStatus) - set(CLAIMABLE):
            standing(status)

        self.assertEqual(claim(), [])

    def test_leaves_retries_and_replays_of_what_is_paused(self) -> None:
        of_route = standing(DeliveryStatus.WAITING)
        Route.objects.filter(pk=of_route.route_id).update(paused=True)
        of_endpoint = standing(DeliveryStatus.DEAD)
        Endpoint.objects.filter(pk=of_endpoint.endpoint_id).update(state="paused")
        Delivery.objects.replay(now=NOW, requested_by="ada")

        self.assertEqual(claim(), [])

        Route.objects.update(paused=False)
        Endpoint.objects.update(state="active")
        self.assertEqual({row.pk for row in claim()}, {of_route.pk, of_endpoint.pk})

    def test_brings_the_events_along(self) -> None:
        route = make_route(make_endpoint())
        small, large = make_event(route.endpoint), make_event(route.endpoint, body=b"x" * (LARGE_BYTES + 1))
        for event in (small, large):
            make_delivery(route, event=event, now=NOW)

        claimed = {row.event_id: row for row in claim()}

        with self.assertNumQueries(0):
            self.assertEqual(claimed[small.pk].event.raw_body, small.raw_body)
            self.assertEqual(claimed[large.pk].event.body_bytes, LARGE_BYTES + 1)
        self.assertIn("raw_body", claimed[large.pk].event.get_deferred_fields())

    def test_takes_the_same_number_of_queries_for_many(self) -> None:
        route = make_route(make_endpoint())
        for _ in range(20):
            make_delivery(route, now=NOW)

        # On PostgreSQL a second one goes by Django's count; on SQLite two are the savepoint that this test case adds.
        with self.assertNumQueries(1 if connection.vendor == "postgresql" else 7):
            self.assertEqual(len(claim(limit=20)), 20)


class RenewingTests(TestCase):
    def test_extends_what_is_held_and_names_what_is_not(self) -> None:
        mine, again, gone = (standing(DeliveryStatus.RUNNING, attempt_count=number) for number in (1, 2, 1))
        Delivery.objects.filter(pk=gone.pk).update(attempt_count=2)

        still = Delivery.objects.renew(held_by([mine, again, gone]), until=LATER)

        self.assertEqual(still, {mine.pk, again.pk})
        self.assertEqual(Delivery.objects.get(pk=mine.pk).lease_until, LATER)
        self.assertEqual(Delivery.objects.get(pk=gone.pk).lease_until, NOW + LEASE)

    def test_does_not_bring_back_what_is_closed(self) -> None:
        row = standing(DeliveryStatus.RUNNING)
        close(row)

        self.assertEqual(Delivery.objects.renew(held_by([row]), until=LATER), set())
        self.assertIsNone(Delivery.objects.get(pk=row.pk).lease_until)

    def test_takes_one_statement_for_all_of_a_number(self) -> None:
        rows = [standing(DeliveryStatus.RUNNING) for _ in range(5)]

        with self.assertNumQueries(1):
            Delivery.objects.renew(held_by(rows), until=LATER)


class ClosingTests(TestCase):
    def test_ends_the_attempt_with_the_delivery(self) -> None:
        row = standing(DeliveryStatus.RUNNING)

        self.assertTrue(close(row, now=LATER))

        stored = Delivery.objects.get(pk=row.pk)
        self.assertEqual(
            (stored.status, stored.finished_at, stored.lease_until, stored.worker), ("succeeded", LATER, None, "")
        )
        self.assertEqual(Attempt.objects.get(delivery=row).outcome, "succeeded")

    def test_is_refused_to_a_worker_that_came_too_late(self) -> None:
        row = standing(DeliveryStatus.RUNNING)
        Delivery.objects.take_over(now=LATER)
        (retaken,) = claim(LATER, worker="two:2")

        self.assertFalse(close(row, now=LATER))

        self.assertEqual(Attempt.objects.get(delivery=row, number=1).outcome, "lost")
        self.assertTrue(close(retaken, now=LATER))

    def test_takes_the_same_number_of_statements_for_many(self) -> None:
        rows = [standing(DeliveryStatus.RUNNING) for _ in range(5)]
        late = standing(DeliveryStatus.RUNNING, attempt_count=2)
        endings = [(row.pk, row.attempt_count) for row in rows] + [(late.pk, 1)]
        closings = [Closing(*ending, AttemptResult(Outcome.SUCCEEDED), DeliveryStatus.SUCCEEDED) for ending in endings]

        # On PostgreSQL the one goes by Django's count; on SQLite two are the savepoint that this test case adds.
        with self.assertNumQueries(0 if connection.vendor == "postgresql" else 5):
            closed = Delivery.objects.close_all(closings, now=LATER)

        self.assertEqual(closed, {row.pk for row in rows})
        late.refresh_from_db()
        self.assertEqual(late.status, "running")

    def test_is_refused_for_what_does_not_run(self) -> None:
        for status in set(DeliveryStatus) - {DeliveryStatus.RUNNING}:
            with self.subTest(status):
                self.assertFalse(close(standing(status)))


class TakingOverTests(TestCase):
    def test_leaves_a_lease_that_holds(self) -> None:
        standing(DeliveryStatus.RUNNING)

        self.assertEqual(Delivery.objects.take_over(now=NOW + LEASE), [])

    def test_makes_an_abandoned_delivery_due_and_its_attempt_lost(self) -> None:
        row = standing(DeliveryStatus.RUNNING)

        (lost,) = Delivery.objects.take_over(now=LATER)

        self.assertEqual((lost.pk, lost.status), (row.pk, "pending"))
        self.assertEqual(Attempt.objects.get(delivery=row).outcome, "lost")
        (retaken,) = claim(LATER)
        self.assertEqual((retaken.attempt_count, retaken.next_trigger), (2, "takeover"))

    def test_ends_as_a_dead_letter_when_lost_attempts_have_spent_the_budget(self) -> None:
        route = make_route(make_endpoint(), retry={"max_attempts": 2})
        delivery = make_delivery(route, now=NOW)
        for number in range(2):
            claim(NOW + number * 2 * LEASE)
            Delivery.objects.take_over(now=NOW + (number + 1) * 2 * LEASE)

        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), ("dead", 2))
        self.assertIn("Lost", delivery.last_error)

    def test_is_not_stopped_by_a_retry_policy_that_makes_no_sense(self) -> None:
        row = standing(DeliveryStatus.RUNNING)
        row.route.retry = {"max_attempts": "many", "unknown": 1}
        row.route.save()

        self.assertEqual(len(Delivery.objects.take_over(now=LATER)), 1)


class GivingBackTests(TestCase):
    def test_makes_due_at_once_and_costs_no_attempt_of_the_budget(self) -> None:
        row = standing(DeliveryStatus.RUNNING)
        row.route.retry = {"max_attempts": 1}
        row.route.save()

        self.assertEqual(len(Delivery.objects.give_back(held_by([row]), now=NOW)), 1)

        row.refresh_from_db()
        self.assertEqual((row.status, row.due_at, row.attempt_count - row.budget_start), ("pending", NOW, 0))
        self.assertEqual(Attempt.objects.get(delivery=row).outcome, "lost")

    def test_leaves_what_somebody_else_holds(self) -> None:
        row = standing(DeliveryStatus.RUNNING)

        self.assertEqual(Delivery.objects.give_back({row.pk: 7}, now=NOW), [])
        self.assertEqual(Delivery.objects.get(pk=row.pk).status, "running")


class GivingBackOftenTests(TestCase):
    def test_counts_from_the_sixth_time_on(self) -> None:
        row = standing(DeliveryStatus.RUNNING, give_backs=MOST_GIVE_BACKS)
        Route.objects.filter(pk=row.route_id).update(retry={"max_attempts": 2})

        Delivery.objects.give_back({row.pk: 1}, now=NOW)
        row.refresh_from_db()
        self.assertEqual((row.status, row.budget_start), ("pending", 0))
        (again,) = claim()
        Delivery.objects.give_back({again.pk: 2}, now=NOW)

        row.refresh_from_db()
        self.assertEqual((row.status, row.finished_at), ("dead", NOW))


class LimitTests(TestCase):
    def test_holds_for_live_and_bulk_deliveries_together(self) -> None:
        route = make_route(make_endpoint(), concurrency=2)
        for bulk in (False, True):
            for _ in range(3):
                make_delivery(route, now=NOW, bulk=bulk)
        wanted = [Share(route.pk, bulk, limit=2, concurrency=2) for bulk in (False, True)]

        taken = Delivery.objects.take(wanted, now=NOW, lease=LEASE, worker="one:1")

        self.assertEqual(len(taken), 2)


class OrderTests(TestCase):
    """What an operator orders moves exactly the rows that stand where the order makes sense."""

    orders: dict[str, tuple[Callable[[Any], int], set[DeliveryStatus], set[str]]] = {
        "replay": (
            lambda rows: rows.replay(now=LATER, requested_by="ada"),
            set(FINISHED),
            {"pending"},
        ),
        "discard": (
            lambda rows: rows.discard(now=LATER, reason="no need"),
            {*CLAIMABLE, DeliveryStatus.HELD, DeliveryStatus.DEAD},
            {"discarded"},
        ),
        "hold": (lambda rows: rows.hold(), set(CLAIMABLE), {"held"}),
        "resume": (lambda rows: rows.resume(now=LATER), {DeliveryStatus.HELD}, {"pending"}),
    }

    def test_moves_the_legal_and_leaves_the_illegal(self) -> None:
        for name, (order, legal, after) in self.orders.items():
            for status in DeliveryStatus:
                with self.subTest(order=name, status=status):
                    row = standing(status)

                    moved = order(Delivery.objects.filter(pk=row.pk))

                    row.refresh_from_db()
                    self.assertEqual(moved, int(status in legal))
                    self.assertIn(row.status, after if status in legal else {status})

    def test_moves_rows_that_were_selected_through_a_join(self) -> None:
        row = standing(DeliveryStatus.DEAD)
        selected = Delivery.objects.filter(endpoint__slug=row.endpoint.slug, event__event_type="test")

        self.assertEqual(selected.replay(now=LATER, requested_by="ada"), 1)

    def test_replays_with_a_new_budget_and_says_who_asked(self) -> None:
        row = standing(DeliveryStatus.DEAD, attempt_count=3)
        StepResult.objects.create(delivery=row, key="step", value=1)

        Delivery.objects.filter(pk=row.pk).replay(now=NOW, requested_by="ada")
        (claimed,) = claim()

        attempt = Attempt.objects.get(delivery=claimed)
        self.assertEqual((attempt.number, attempt.trigger, attempt.requested_by), (4, "replay", "ada"))
        self.assertEqual(claimed.attempt_count - claimed.budget_start, 1)
        self.assertEqual(StepResult.objects.count(), 1)

    def test_forgets_the_steps_of_a_replay_from_the_start_only(self) -> None:
        row, other = standing(DeliveryStatus.DEAD), standing(DeliveryStatus.DEAD)
        for delivery in (row, other):
            StepResult.objects.create(delivery=delivery, key="step", value=1)

        Delivery.objects.filter(pk=row.pk).replay(now=NOW, requested_by="ada", from_start=True)

        self.assertEqual(list(StepResult.objects.values_list("delivery", flat=True)), [other.pk])

    def test_lets_a_held_retry_wait_for_its_time(self) -> None:
        row = standing(DeliveryStatus.WAITING)
        Delivery.objects.filter(pk=row.pk).update(due_at=LATER)
        Delivery.objects.hold()

        Delivery.objects.resume(now=NOW)

        row.refresh_from_db()
        self.assertEqual((row.status, row.due_at), ("waiting", LATER))
