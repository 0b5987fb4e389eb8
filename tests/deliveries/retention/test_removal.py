"""Whole events go by age; what tells a repetition stays."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from unittest import mock

from django.test import TestCase
from django.utils import timezone

from deliveries.models import (
    Attempt,
    Batch,
    Delivery,
    Event,
    EventVariant,
    KeptKey,
    Replay,
    ReplayItem,
    Rollup,
    StepResult,
)
from deliveries.models.rollup import Grain
from deliveries.receiving import endpoints
from deliveries.retention.sweep import prune_events
from integrations.models import BatchedItem, Endpoint, ItemBatch
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.deliveries.retention.aging import NOW, RetentionTestCase, ago
from tests.factories import make_endpoint, make_route


class VeryOldEventTests(RetentionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.knows_kept_keys()

    def test_goes_with_all_that_belongs_to_it(self) -> None:
        row = self.delivered(101)
        batch = Batch.objects.create(endpoint=self.endpoint, provider="x", item_count=1, received_at=ago(101))
        Event.objects.update(batch=batch)
        EventVariant.objects.create(event=row.event, body_sha256=b"x" * 32, received_at=ago(101))
        order = Replay.objects.create(selection={}, state="finished", created_at=ago(100), finished_at=ago(100))
        ReplayItem.objects.create(
            replay=order,
            delivery=row,
            status_before="dead",
            finished_before=ago(101),
            attempts_before=1,
            budget_before=0,
        )
        made = self.event(10, derived_from=row.event)
        item = BatchedItem.objects.add(
            place="p", key=str(row.event_id), folder="f", form="jsonl", line="{}", now=ago(101)
        )
        BatchedItem.objects.take(item, now=NOW, until=NOW, wait=timedelta(0), most=(1, 100))

        counts = self.prune()

        self.assertEqual(counts["events"], 1)
        self.assertEqual(counts["deliveries"], 1)
        for model in (Delivery, Attempt, StepResult, ReplayItem, EventVariant, Batch, BatchedItem, ItemBatch):
            self.assertFalse(model.objects.exists(), model)
        self.assertEqual(Event.objects.get(), made)
        self.assertIsNone(Event.objects.get().derived_from)

    def test_stays_while_a_dead_letter_of_it_has_its_time(self) -> None:
        self.delivered(101, status="dead", ended=59)

        self.assertEqual(self.prune(), {})
        self.assertEqual(self.prune(days=2)["events"], 1)

    def test_leaves_the_statistics_as_they_are(self) -> None:
        day = ago(101).replace(hour=0, minute=0, second=0)
        Rollup.objects.create(
            grain_minutes=Grain.DAY, measure="accepted", starts_at=day, endpoint=self.endpoint, count=7
        )
        self.delivered(101)

        self.prune()

        self.assertEqual(Rollup.objects.get().count, 7)


class NoticeTests(RetentionTestCase):
    def test_is_given_to_receiving_ten_minutes_before_the_first_event_goes(self) -> None:
        self.event(101)

        first = prune_events(now=NOW, pause=lambda _: None)
        early = prune_events(now=NOW + timedelta(minutes=9), pause=lambda _: None)
        late = prune_events(now=NOW + timedelta(minutes=10), pause=lambda _: None)

        self.assertEqual([counts["events"] for counts in (first, early, late)], [0, 0, 1])

    def test_is_given_a_day_ahead(self) -> None:
        self.event(99.5)

        self.prune()

        self.assertEqual(Endpoint.objects.get().keys_kept_since, NOW)

    def test_is_not_given_where_nothing_goes_yet(self) -> None:
        self.event(90)

        self.prune()

        self.assertIsNone(Endpoint.objects.get().keys_kept_since)


class RepetitionTests(Sender, TestCase):
    def setUp(self) -> None:
        self.endpoint = signed_endpoint(keep_events_days=100)
        make_route(self.endpoint)
        Endpoint.objects.update(keys_kept_since=timezone.now() - timedelta(days=1))
        endpoints.forget()

    def age_and_prune(self, *, days: float = 101) -> None:
        Event.objects.update(received_at=timezone.now() - timedelta(days=days))
        Delivery.objects.update(status="succeeded", finished_at=timezone.now() - timedelta(days=days))
        prune_events(now=timezone.now(), pause=lambda _: None)
        self.assertFalse(Event.objects.exists())

    def test_of_an_event_that_is_gone_is_known_and_runs_nothing(self) -> None:
        first = self.send(self.endpoint, {"type": "a"}, event_id="evt-1").json()["event"]
        self.age_and_prune()

        answer = self.send(self.endpoint, {"type": "a"}, event_id="evt-1")

        self.assertEqual(answer.json(), {"status": "duplicate", "event": first})
        self.assertFalse(Event.objects.exists())
        self.assertFalse(Delivery.objects.exists())

    def test_of_a_body_is_taken_anew_once_its_time_is_over(self) -> None:
        self.send(self.endpoint, b'{"a": 1}')
        self.age_and_prune()

        self.assertEqual(self.send(self.endpoint, b'{"a": 1}').json()["status"], "accepted")
        self.assertFalse(KeptKey.objects.exists())

    def test_of_a_body_is_known_as_long_as_its_endpoint_says(self) -> None:
        Endpoint.objects.update(dedupe_seconds=110 * 86400)
        endpoints.forget()
        self.send(self.endpoint, b'{"a": 1}')
        self.age_and_prune()

        self.assertEqual(self.send(self.endpoint, b'{"a": 1}').json()["status"], "duplicate")
        with mock.patch.object(timezone, "now", return_value=timezone.now() + timedelta(days=20)):
            self.assertEqual(self.send(self.endpoint, b'{"a": 1}').json()["status"], "accepted")

    def test_costs_no_query_before_the_first_event_goes(self) -> None:
        Endpoint.objects.update(keys_kept_since=None)
        self.send(self.endpoint, b"{}", event_id="evt-0")
        with mock.patch.object(KeptKey.objects, "holders") as asked:
            self.send(self.endpoint, b"{}", event_id="evt-1")

        asked.assert_not_called()

    def test_of_another_endpoints_id_is_new(self) -> None:
        self.send(self.endpoint, b"{}", event_id="evt-1")
        self.age_and_prune()
        other = signed_endpoint(keys_kept_since=timezone.now())

        self.assertEqual(self.send(other, b"{}", event_id="evt-1").json()["status"], "accepted")


class SplitRepetitionTests(WithBatches, Sender, TestCase):
    def test_leaves_out_the_items_that_are_gone(self) -> None:
        endpoint = splitting(keep_events_days=100, keys_kept_since=timezone.now() - timedelta(days=1))
        make_route(endpoint)
        self.send(endpoint, {"events": items(1, 2)})
        Event.objects.update(received_at=timezone.now() - timedelta(days=101))
        Delivery.objects.update(status="succeeded", finished_at=timezone.now() - timedelta(days=101))
        prune_events(now=timezone.now(), pause=lambda _: None)

        again = self.send(endpoint, {"events": items(1, 2)}).json()
        more = self.send(endpoint, {"events": items(2, 3)}).json()

        self.assertEqual(again["status"], "duplicate")
        self.assertEqual((more["events"], more["deliveries"]), (1, 1))
        self.assertEqual(list(Event.objects.values_list("event_id", flat=True)), ["evt-3"])


class KeptKeyTests(TestCase):
    def test_is_the_same_for_the_same_key_and_another_for_any_other(self) -> None:
        first, second = make_endpoint(), make_endpoint()

        ids = {KeptKey.id_of(place.pk, key) for place in (first, second) for key in ("id:a", "id:b", "id:a")}

        self.assertEqual(len(ids), 4)
        expected = hashlib.sha256(first.pk.bytes + b"id:a").digest()[:16]
        self.assertIn(expected, {each.bytes for each in ids})
