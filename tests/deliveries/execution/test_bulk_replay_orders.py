"""Orders to run many deliveries again: what is fed when, what comes of it, and what an interruption leaves behind."""

from __future__ import annotations

from django.test import TestCase
from django.utils import timezone

from deliveries import bulk_replay
from deliveries.models import Delivery, StepResult
from deliveries.models import replaying as moves
from deliveries.models.states import DeliveryStatus
from integrations.models import OrderingFailure
from tests.deliveries.execution.replays import (
    EARLIER,
    claim,
    close,
    counts,
    feed,
    make_dead,
    order,
    standing,
    without_due,
)
from tests.factories import make_delivery, make_endpoint, make_event, make_route


class PausingTests(TestCase):
    def setUp(self) -> None:
        self.rows = make_dead(3) + make_dead(1, status="succeeded") + make_dead(1, status="discarded")
        StepResult.objects.create(delivery=self.rows[0], key="step", value=1)
        self.before = [without_due(row) for row in self.rows]
        statuses = ["dead", "succeeded", "discarded"]
        self.replay = order({"status": statuses}, from_start=True)
        feed()
        self.assertEqual(counts(self.replay), {"queued": 5})

    def test_puts_what_has_not_started_back_to_what_it_was(self) -> None:
        self.assertTrue(moves.pause(self.replay.pk))

        self.assertEqual([without_due(row) for row in self.rows], self.before)
        self.assertEqual(counts(self.replay), {"waiting": 5})
        self.assertTrue(StepResult.objects.exists())

    def test_feeds_nothing_until_it_is_resumed(self) -> None:
        moves.pause(self.replay.pk)
        feed(times=2)
        self.assertEqual(claim(), [])

        self.assertTrue(moves.resume(self.replay.pk))
        feed()

        self.assertEqual(len(claim()), 5)

    def test_leaves_what_runs(self) -> None:
        (running,) = claim(limit=1)

        moves.pause(self.replay.pk)
        self.assertEqual(counts(self.replay), {"waiting": 4, "queued": 1})
        close(running)
        feed()

        self.replay.refresh_from_db()
        self.assertEqual((self.replay.state, self.replay.succeeded), ("paused", 1))

    def test_leaves_what_a_worker_has_started_and_given_back(self) -> None:
        (row,) = claim(limit=1)
        Delivery.objects.give_back({row.pk: row.attempt_count}, now=timezone.now())

        moves.pause(self.replay.pk)

        self.assertEqual(standing(row)["status"], "pending")
        self.assertEqual(counts(self.replay), {"waiting": 4, "queued": 1})

    def test_by_cancelling_ends_it_and_what_runs_still_counts(self) -> None:
        (running,) = claim(limit=1)

        self.assertTrue(moves.cancel(self.replay.pk, now=timezone.now()))
        self.assertFalse(moves.cancel(self.replay.pk, now=timezone.now()))
        self.assertFalse(moves.resume(self.replay.pk))
        close(running)
        feed(times=2)

        self.replay.refresh_from_db()
        self.assertEqual((self.replay.state, self.replay.done, self.replay.succeeded), ("cancelled", 1, 1))
        self.assertEqual([without_due(row) for row in self.rows if row.pk != running.pk],
                         [row for row in self.before if row["id"] != running.pk])  # fmt: skip

    def test_gives_nothing_back_that_another_order_has_queued(self) -> None:
        for row in claim():
            close(row, DeliveryStatus.DEAD)
        other = order()
        moves.list_some(other.pk, now=timezone.now())
        feed(times=2)
        self.assertEqual(counts(other), {"queued": 5})

        moves.pause(self.replay.pk)

        self.assertEqual(Delivery.objects.filter(status="pending").count(), 5)

    def test_that_comes_twice_is_done_once(self) -> None:
        self.assertEqual([moves.pause(self.replay.pk) for _ in range(2)], [True, False])
        self.assertEqual([moves.resume(self.replay.pk) for _ in range(2)], [True, False])


class OrderedTests(TestCase):
    """Deliveries with an ordering key keep their order in a bulk replay, too."""

    def keyed(self, failure: OrderingFailure, statuses: list[str]) -> list[Delivery]:
        route = make_route(make_endpoint(), ordering_key="key", ordering_failure=failure)
        finished = {"dead", "succeeded"}
        return [
            make_delivery(
                route,
                now=EARLIER,
                status=status,
                finished_at=EARLIER if status in finished else None,
                ordering_key="a",
                ordinal=number,
                blocked=status == "pending" and failure == OrderingFailure.BLOCK,
            )
            for number, status in enumerate(statuses)
        ]

    def test_run_one_after_the_other(self) -> None:
        first, second = self.keyed(OrderingFailure.BLOCK, ["dead", "dead"])
        order()
        feed()

        (claimed,) = claim()
        self.assertEqual(claimed.pk, first.pk)
        close(claimed)

        self.assertEqual([row.pk for row in claim()], [second.pk])

    def test_block_the_later_ones_again_when_they_are_given_back(self) -> None:
        dead, later = self.keyed(OrderingFailure.BLOCK, ["dead", "pending"])
        replay = order()
        feed()

        moves.pause(replay.pk)

        self.assertEqual(claim(), [])
        self.assertEqual((standing(dead)["status"], standing(later)["blocked"]), ("dead", True))

    def test_let_the_later_ones_go_on_when_they_are_given_back_where_the_route_skips(self) -> None:
        dead, later = self.keyed(OrderingFailure.SKIP, ["dead", "pending"])
        replay = order()
        feed()
        self.assertTrue(standing(later)["blocked"])

        moves.pause(replay.pk)

        self.assertEqual([row.pk for row in claim()], [later.pk])
        self.assertEqual(standing(dead)["status"], "dead")


class SelectionTests(TestCase):
    def test_without_a_status_means_dead_letters(self) -> None:
        self.assertEqual(bulk_replay.complete({"endpoint": "a"}), {"endpoint": "a", "status": ["dead"]})

    def test_that_is_empty_has_to_be_meant(self) -> None:
        with self.assertRaises(bulk_replay.NothingSelected):
            bulk_replay.complete({})
        self.assertEqual(bulk_replay.complete({}, everything=True), {"status": ["dead"]})

    def test_of_what_cannot_be_replayed_is_refused(self) -> None:
        with self.assertRaisesMessage(bulk_replay.NotReplayable, "held or running"):
            bulk_replay.complete({"status": ["running", "held", "dead"]})

    def test_of_named_deliveries_means_them_whatever_their_status(self) -> None:
        named = {"deliveries": ["01a201c4-e5ab-7789-8168-142fb51cb3c7"]}

        self.assertEqual(bulk_replay.complete(named), named)

    def test_is_previewed_by_route_and_status(self) -> None:
        rows = make_dead(3)
        make_dead(1, route=rows[0].route, status="discarded")
        make_dead(1, status="succeeded")
        event = make_event(rows[0].endpoint)
        make_delivery(rows[0].route, event=event)

        found = bulk_replay.preview({"status": ["dead", "discarded"]})

        self.assertEqual([(row.route_id, row.status, row.count) for row in found],
                         [(str(rows[0].route_id), "dead", 3), (str(rows[0].route_id), "discarded", 1)])  # fmt: skip

    def test_is_previewed_no_further_than_so_many(self) -> None:
        rows = make_dead(3)
        make_dead(1, route=rows[0].route, status="discarded")
        make_delivery(rows[0].route, event=make_event(rows[0].endpoint))
        both = {"status": ["dead", "discarded"]}

        self.assertEqual(bulk_replay.preview_of_some(both, most=4), (bulk_replay.preview(both), False))
        some, is_cut = bulk_replay.preview_of_some(both, most=2)
        self.assertEqual((sum(row.count for row in some), is_cut), (3, True))
        self.assertEqual(bulk_replay.preview_of_some({"deliveries": []}, most=2), ([], False))
