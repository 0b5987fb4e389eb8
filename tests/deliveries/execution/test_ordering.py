"""Ordering keys, one move at a time; `test_ordering_races` has many at once."""

from __future__ import annotations

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from deliveries.models import Delivery
from deliveries.models.transitions import held_by
from deliveries.receiving.queueing import ordering_key
from integrations.models import Route
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
