"""What a delivery that gave up means for the others of its ordering key, and what a changed policy mends."""

from __future__ import annotations

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from deliveries.models import Delivery, ParkedKey
from deliveries.models.ordering import let_go_on, mend_stranded
from integrations.models import Endpoint, Route
from tests.deliveries.execution.lines import (
    LEASE,
    claim,
    close,
    line,
    ordered_route,
    replay,
    rows,
    run_all,
    statuses,
)


def pks(deliveries: list[Delivery]) -> list[object]:
    return [delivery.pk for delivery in deliveries]


class FailureTests(TestCase):
    """What a delivery that gave up means for its key is the route's choice."""

    def failed(self, failure: str) -> list[Delivery]:
        """Return a line of four whose first has given up."""
        self.route = ordered_route(failure=failure)
        deliveries = line(self.route, 4)
        (first,) = claim()
        close(first, "dead")
        return deliveries

    def test_blocks_the_key_until_it_is_replayed(self) -> None:
        deliveries = self.failed("block")
        deliveries += line(self.route, 1)
        self.assertEqual(claim(), [])

        replay(deliveries[0])

        self.assertEqual(run_all(), pks(deliveries))

    def test_blocks_the_key_until_it_is_discarded(self) -> None:
        deliveries = self.failed("block")

        rows(deliveries[0]).discard(now=timezone.now(), reason="")

        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_blocks_its_own_key_only(self) -> None:
        self.failed("block")

        other = line(self.route, 1, key="b")
        self.assertEqual(run_all(), pks(other))

    def test_is_skipped(self) -> None:
        deliveries = self.failed("skip")

        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_is_skipped_also_when_its_worker_died_once_too_often(self) -> None:
        self.route = ordered_route(failure="skip", retry={"max_attempts": 1})
        deliveries = line(self.route, 2)
        claim()
        later = timezone.now() + 2 * LEASE

        Delivery.objects.take_over(now=later)

        self.assertEqual(statuses(deliveries), ["dead", "pending"])
        self.assertEqual(pks(claim(later)), [deliveries[1].pk])

    def test_parks_the_key_and_holds_what_comes(self) -> None:
        deliveries = self.failed("park")
        deliveries += line(self.route, 1)

        self.assertEqual(statuses(deliveries), ["dead", "held", "held", "held", "held"])
        parked = ParkedKey.objects.get()
        self.assertEqual((parked.delivery_id, parked.ordering_key), (deliveries[0].pk, "a"))
        other = line(self.route, 1, key="b")
        self.assertEqual(run_all(), pks(other))

    def test_parks_the_key_also_against_the_end_of_a_pause(self) -> None:
        deliveries = self.failed("park")

        self.assertEqual(Delivery.objects.filter(route=self.route).resume(now=timezone.now()), 0)

        self.assertEqual((claim(), statuses(deliveries)[1:]), ([], ["held"] * 3))

    def test_parks_the_key_until_its_replay_succeeds(self) -> None:
        deliveries = self.failed("park")
        replay(deliveries[0])
        (again,) = claim()
        close(again, "waiting")
        self.assertEqual(statuses(deliveries)[1:], ["held"] * 3)

        self.assertEqual(run_all(), pks(deliveries))
        self.assertFalse(ParkedKey.objects.exists())

    def test_parks_the_key_but_lets_its_replay_go_on_after_a_pause(self) -> None:
        deliveries = self.failed("park")
        replay(deliveries[0])
        Delivery.objects.filter(route=self.route).hold()

        self.assertEqual(Delivery.objects.filter(route=self.route).resume(now=timezone.now()), 1)

        self.assertEqual(run_all(), pks(deliveries))

    def test_parks_the_key_on_when_its_replay_fails(self) -> None:
        deliveries = self.failed("park")
        replay(deliveries[0])
        (again,) = claim()
        close(again, "dead")

        self.assertEqual(statuses(deliveries), ["dead", "held", "held", "held"])
        self.assertEqual(ParkedKey.objects.count(), 1)

    def test_parks_the_key_until_it_is_discarded(self) -> None:
        deliveries = self.failed("park")

        rows(deliveries[0]).discard(now=timezone.now(), reason="")

        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_parks_the_key_although_one_that_is_held_is_discarded(self) -> None:
        deliveries = self.failed("park")

        rows(deliveries[1]).discard(now=timezone.now(), reason="")

        self.assertEqual((claim(), ParkedKey.objects.count()), ([], 1))
        let_go_on(ParkedKey.objects.get(), now=timezone.now())
        self.assertEqual(run_all(), pks(deliveries[2:]))

    def test_parks_the_key_until_an_operator_lets_it_go_on(self) -> None:
        deliveries = self.failed("park")

        self.assertEqual(let_go_on(ParkedKey.objects.get(), now=timezone.now()), 3)

        self.assertEqual(run_all(), pks(deliveries[1:]))
        self.assertEqual(statuses(deliveries[:1]), ["dead"])

    def test_parks_the_key_while_the_replay_is_under_way_and_an_operator_lets_it_go_on(self) -> None:
        deliveries = self.failed("park")
        replay(deliveries[0])
        (again,) = claim()

        let_go_on(ParkedKey.objects.get(), now=timezone.now())

        self.assertEqual(claim(), [])
        close(again)
        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_lets_a_parked_key_go_no_further_than_a_pause(self) -> None:
        deliveries = self.failed("park")
        Endpoint.objects.update(state="paused")

        self.assertEqual(let_go_on(ParkedKey.objects.get(), now=timezone.now()), 0)
        self.assertEqual(statuses(deliveries)[1:], ["held"] * 3)

        Endpoint.objects.update(state="active")
        Delivery.objects.filter(route=self.route).resume(now=timezone.now())
        self.assertEqual(run_all(), pks(deliveries[1:]))


class ChangedPolicyTests(TestCase):
    """Keys that stand still follow a changed policy at the next sweep."""

    def failed(self, failure: str, *, then: str) -> list[Delivery]:
        self.route = ordered_route(failure=failure)
        deliveries = line(self.route, 3)
        first = next(row for row in claim() if row.pk == deliveries[0].pk)
        close(first, "dead")
        Route.objects.filter(pk=self.route.pk).update(ordering_failure=then)
        self.route.refresh_from_db()
        return deliveries

    def sweep(self) -> int:
        return mend_stranded(now=timezone.now(), using="default")

    def test_finds_nothing_where_nothing_is_stranded(self) -> None:
        for failure in ("block", "skip", "park"):
            self.failed(failure, then=failure)
            line(self.route, 2, key="b")
            before = list(Delivery.objects.order_by("pk").values_list("pk", "status", "blocked"))

            self.assertEqual(self.sweep(), 0)

            self.assertEqual(list(Delivery.objects.order_by("pk").values_list("pk", "status", "blocked")), before)

    def test_lets_a_blocked_key_go_on(self) -> None:
        deliveries = self.failed("block", then="skip")
        self.assertEqual(claim(), [])

        self.assertEqual(self.sweep(), 1)

        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_parks_a_blocked_key(self) -> None:
        deliveries = self.failed("block", then="park")

        self.assertEqual(self.sweep(), 1)

        self.assertEqual(statuses(deliveries), ["dead", "held", "held"])
        self.assertEqual(ParkedKey.objects.get().delivery_id, deliveries[0].pk)
        replay(deliveries[0])
        self.assertEqual(run_all(), pks(deliveries))

    def test_lets_a_parked_key_go_on(self) -> None:
        deliveries = self.failed("park", then="skip")

        self.assertEqual(self.sweep(), 1)

        self.assertEqual(run_all(), pks(deliveries[1:]))
        self.assertFalse(ParkedKey.objects.exists())

    def test_blocks_a_parked_key(self) -> None:
        deliveries = self.failed("park", then="block")

        self.assertEqual(self.sweep(), 1)

        self.assertEqual((claim(), statuses(deliveries)), ([], ["dead", "pending", "pending"]))
        self.assertFalse(ParkedKey.objects.exists())
        replay(deliveries[0])
        self.assertEqual(run_all(), pks(deliveries))

    def test_lets_go_what_stands_behind_a_row_that_was_removed(self) -> None:
        route = ordered_route()
        deliveries = line(route, 2)
        with connection.cursor() as cursor:
            table = Delivery._meta.pk.get_db_prep_value(deliveries[0].pk, connection)
            cursor.execute("DELETE FROM deliveries_delivery WHERE id = %s", [table])

        self.assertEqual(self.sweep(), 1)

        self.assertEqual(run_all(), [deliveries[1].pk])
