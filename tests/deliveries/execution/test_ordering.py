"""Ordering keys, one move at a time; `test_ordering_races` has many at once."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from deliveries.models import Delivery, ParkedKey
from deliveries.models.ordering import let_go_on, mend_stranded
from deliveries.models.transitions import held_by
from deliveries.receiving.queueing import ordering_key
from integrations.models import Endpoint, Route
from tests.deliveries.execution.lines import (
    LEASE,
    claim,
    close,
    line,
    ordered_route,
    receive,
    replay,
    rows,
    run_all,
    statuses,
)


def pks(deliveries: list[Delivery]) -> list[object]:
    return [delivery.pk for delivery in deliveries]


class KeyTests(TestCase):
    """The key is what the expression finds."""

    def test_is_a_text_for_every_kind_of_value(self) -> None:
        for value, key in (
            ("c-1", "c-1"), (7, "7"), (7.5, "7.5"), (True, "true"), (0, "0"),
            ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'), ("", ""), (None, ""), ("Zoë", "Zoë"), ("a\x00b", "a\\x00b"),
        ):  # fmt: skip
            with self.subTest(value=value):
                self.assertEqual(ordering_key("id", {"id": value}), key)

    def test_is_nothing_where_the_expression_finds_nothing(self) -> None:
        for payload in ({}, [], None, "text", {"other": 1}):
            self.assertEqual(ordering_key("id", payload), "")
        self.assertEqual(ordering_key("", {"id": 1}), "")

    def test_is_a_digest_where_the_text_is_too_long(self) -> None:
        long, longer = ordering_key("id", {"id": "x" * 201}), ordering_key("id", {"id": "x" * 202})

        self.assertEqual((len(long), len(longer)), (64, 64))
        self.assertNotEqual(long, longer)
        self.assertEqual(ordering_key("id", {"id": "x" * 200}), "x" * 200)


class LineTests(TestCase):
    """Deliveries of one key run one after the other, in order of receipt."""

    def setUp(self) -> None:
        self.route = ordered_route()

    def test_run_one_at_a_time(self) -> None:
        deliveries = line(self.route, 4)

        self.assertEqual(pks(claim()), pks(deliveries[:1]))
        self.assertEqual(claim(), [])

    def test_run_in_order_of_receipt(self) -> None:
        deliveries = line(self.route, 5)

        self.assertEqual(run_all(), pks(deliveries))

    def test_run_in_order_within_one_request(self) -> None:
        deliveries = receive(self.route, *({"key": "ab"[number % 2], "number": number} for number in range(8)))

        self.assertEqual({row.pk for row in claim()}, set(pks(deliveries[:2])))
        for row in Delivery.objects.filter(status="running"):
            close(row)
        self.assertEqual({row.pk for row in claim()}, set(pks(deliveries[2:4])))

    def test_leave_other_keys_other_routes_and_keyless_ones_alone(self) -> None:
        first, *_ = line(self.route, 2)
        other_key = line(self.route, 1, key="b")
        keyless = receive(self.route, {"number": 1}, {"key": None}, {"key": ""})
        other_route = line(ordered_route(), 1)

        self.assertEqual({row.pk for row in claim()}, {first.pk, *pks(other_key + keyless + other_route)})

    def test_stand_in_order_of_commit_whatever_the_clock_says(self) -> None:
        (first,) = receive(self.route, {"key": "a"})
        rows(first).update(ordinal=first.ordinal + 3_600_000_000)  # made by a machine whose clock is an hour ahead
        later = line(self.route, 2)

        self.assertEqual(run_all(), pks([first, *later]))

    def test_wait_behind_one_that_waits_for_its_retry(self) -> None:
        deliveries = line(self.route, 2)
        (running,) = claim()
        close(running, "waiting", now=timezone.now() + timedelta(hours=1))

        self.assertEqual(claim(), [])
        rows(running).update(due_at=timezone.now())
        self.assertEqual(run_all(), pks(deliveries))

    def test_wait_behind_one_that_is_taken_over(self) -> None:
        deliveries = line(self.route, 3)
        (lost,) = claim()
        later = timezone.now() + 2 * LEASE

        Delivery.objects.take_over(now=later)

        (again,) = claim(later, worker="two:2")
        self.assertEqual((again.pk, again.attempt_count), (deliveries[0].pk, 2))
        self.assertFalse(close(lost), "the late worker lets nobody go")
        self.assertEqual(claim(later), [])
        close(again)
        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_wait_behind_one_that_a_worker_gave_back(self) -> None:
        deliveries = line(self.route, 2)

        Delivery.objects.give_back(held_by(claim()), now=timezone.now())

        self.assertEqual(run_all(), pks(deliveries))

    def test_go_on_when_the_one_in_the_way_is_discarded(self) -> None:
        deliveries = line(self.route, 3)

        rows(deliveries[0]).discard(now=timezone.now(), reason="")

        self.assertEqual(run_all(), pks(deliveries[1:]))

    def test_go_on_without_one_in_the_middle_that_is_discarded(self) -> None:
        deliveries = line(self.route, 3)

        rows(deliveries[1]).discard(now=timezone.now(), reason="")

        self.assertEqual(run_all(), [deliveries[0].pk, deliveries[2].pk])

    def test_go_on_when_all_are_discarded_and_more_come(self) -> None:
        deliveries = line(self.route, 3)
        rows(*deliveries).discard(now=timezone.now(), reason="")

        more = line(self.route, 2)
        self.assertEqual(run_all(), pks(more))

    def test_keep_their_order_over_a_pause(self) -> None:
        deliveries = line(self.route, 3)
        rows(*deliveries).hold()
        Route.objects.filter(pk=self.route.pk).update(paused=True)
        self.route.refresh_from_db()
        deliveries += line(self.route, 2)
        self.assertEqual((claim(), statuses(deliveries)), ([], ["held"] * 5))

        Route.objects.filter(pk=self.route.pk).update(paused=False)
        rows(*deliveries).resume(now=timezone.now())

        self.assertEqual(run_all(), pks(deliveries))

    def test_stay_in_line_when_only_later_ones_are_resumed(self) -> None:
        deliveries = line(self.route, 3)
        rows(*deliveries).hold()

        rows(*deliveries[1:]).resume(now=timezone.now())

        self.assertEqual(claim(), [])
        rows(deliveries[0]).resume(now=timezone.now())
        self.assertEqual(run_all(), pks(deliveries))


class ReplayTests(TestCase):
    """A replayed delivery takes its old place in the line."""

    def setUp(self) -> None:
        self.route = ordered_route(failure="skip")
        self.line = line(self.route, 4)
        self.first = self.line[0]
        (running,) = claim()
        close(running, "dead")

    def test_runs_before_those_that_wait(self) -> None:
        replay(self.first)

        self.assertEqual(run_all(), pks(self.line))

    def test_runs_when_all_later_ones_are_done(self) -> None:
        self.assertEqual(run_all(), pks(self.line[1:]))

        replay(self.first)

        self.assertEqual(run_all(), [self.first.pk])

    def test_waits_for_a_later_one_that_runs_and_is_next(self) -> None:
        (second,) = claim()
        replay(self.first)
        self.assertEqual(claim(), [])

        close(second)

        self.assertEqual(run_all(), [self.first.pk, *pks(self.line[2:])])

    def test_is_next_also_when_the_later_one_has_to_be_retried(self) -> None:
        (second,) = claim()
        replay(self.first)

        close(second, "waiting")

        self.assertEqual(run_all(), pks(self.line))

    def test_is_next_also_when_the_later_one_is_given_back(self) -> None:
        running = claim()
        replay(self.first)

        Delivery.objects.give_back(held_by(running), now=timezone.now())

        self.assertEqual(run_all(), pks(self.line))

    def test_is_next_also_when_the_later_one_is_taken_over(self) -> None:
        claim()
        replay(self.first)
        later = timezone.now() + 2 * LEASE

        Delivery.objects.take_over(now=later)

        self.assertEqual(pks(claim(later)), [self.first.pk])

    def test_goes_before_a_later_one_that_waits_for_its_retry(self) -> None:
        (second,) = claim()
        close(second, "waiting")

        replay(self.first)

        self.assertEqual(run_all(), pks(self.line))

    def test_of_several_keeps_their_order(self) -> None:
        run_all()
        replay(*self.line[::-1])

        self.assertEqual(run_all(), pks(self.line))

    def test_can_be_discarded_again_while_it_waits(self) -> None:
        (second,) = claim()
        replay(self.first)

        rows(self.first).discard(now=timezone.now(), reason="")
        close(second)

        self.assertEqual(run_all(), pks(self.line[2:]))


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
