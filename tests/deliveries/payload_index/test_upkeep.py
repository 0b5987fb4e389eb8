"""Events that come late are found, payloads that go are forgotten, and what leads to nothing is removed."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from deliveries import erasing
from deliveries.models import Event, EventVariant, IndexCoverage, IndexSegment, Postings
from deliveries.payload_index import forget, take_in
from deliveries.payload_index.rounds import Indexer
from deliveries.payload_index.segments import unpack
from deliveries.variants import accept
from tests.deliveries.admin.people import make_user
from tests.deliveries.payload_index.cases import IndexTestCase
from tests.deliveries.retention.aging import NOW
from tests.deliveries.retention.test_archive import ArchiveTestCase


class LateEventTests(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.early = self.events(8)
        self.index()

    def test_that_was_committed_behind_the_index_is_found_after_a_while(self) -> None:
        late = self.event({"n": 77}, minutes=59.95)
        self.index(self.now + timedelta(minutes=14))
        self.assertEqual(self.found("n = 77"), set())
        self.index(self.now + timedelta(minutes=16))
        self.assertEqual(self.found("n = 77"), {late.pk})
        self.index(self.now + timedelta(minutes=40))
        self.assertEqual(self.in_index().count(late.pk), 1)
        self.assertFalse(IndexSegment.objects.filter(checked_at=None).exists())

    def test_that_is_taken_in_is_found_at_once_and_read_later(self) -> None:
        late = [self.event({"n": number}, minutes=59.95) for number in range(70, 76)]
        for event in late:
            take_in([event.pk])
        self.assertEqual(self.found("n = 71"), {event.pk for event in late})
        self.index()
        self.assertEqual(self.found("n = 71"), {late[1].pk})
        self.assertEqual(IndexSegment.objects.filter(is_read=False).count(), 0)
        self.assertEqual(IndexSegment.objects.count(), 2 + 2)  # they share what has room for four

    def test_that_is_gone_before_it_is_read_leaves_nothing(self) -> None:
        late = self.event({"n": 77}, minutes=59.95)
        take_in([late.pk])
        late.delete()
        self.index()
        self.assertEqual(IndexSegment.objects.count(), 2)

    def test_needs_nothing_where_it_is_not_in_the_time_of_the_index(self) -> None:
        take_in([self.event({"n": 77}, minutes=0).pk])
        IndexCoverage.objects.all().delete()
        take_in([self.early[0].pk])
        self.assertEqual(IndexSegment.objects.filter(is_read=False).count(), 0)

    def test_that_an_operator_made_of_another_body_is_found(self) -> None:
        variant = EventVariant.objects.create(
            event=self.early[0],
            body_sha256=b"x" * 32,
            received_at=self.early[0].received_at,
            raw_body=b'{"n": 77}',
            body_bytes=9,
            content_type="application/json",
            verdict="verified",
        )
        made = accept(variant, by=make_user("operator"))
        self.assertEqual(self.found("n = 77"), {made.event_id})


class ForgettingTests(IndexTestCase):
    def test_leaves_nothing_of_what_was_erased(self) -> None:
        events = self.events(4)
        self.event({"mail": "ada@example.com", "n": 9}, minutes=59)
        self.events(3, minutes=58)
        self.index()
        self.assertEqual(len(self.entries()), 9)
        erasure = erasing.work_off(erasing.order("ada@example.com", by=None))
        erasing.confirm(erasure, by=None)
        erasing.work_off(erasure)

        self.assertEqual(self.found("mail = ada@example.com"), set())
        self.assertEqual(len(self.entries()), 7)
        self.assertEqual(self.found("n = 3"), {events[3].pk})

    def test_of_what_was_read_and_is_not_saved_yet_lets_the_worker_begin_anew(self) -> None:
        events = self.events(4)
        indexer = Indexer()
        indexer.step(self.now, at_leisure=True)
        with mock.patch.object(Indexer, "_end") as end:
            indexer._at = 0.0
            indexer.step(self.now, at_leisure=True)
        job, now = end.call_args.args
        Event.objects.filter(pk=events[0].pk).update(raw_body=None)
        forget([events[0].pk])
        indexer._end(job, now)
        self.assertEqual(self.in_index(), [])
        self.index(self.now + timedelta(minutes=2))
        self.assertEqual((self.found("n = 0"), self.found("n = 1")), (set(), {events[1].pk}))

    def entries(self) -> list[tuple[int, int]]:
        rows = Postings.objects.values_list("entries", flat=True)
        return [entry for kept in rows for entry in zip(*unpack(bytes(kept)), strict=True)]


class RemovalTests(IndexTestCase):
    def test_of_a_segment_waits_until_none_of_its_payloads_is_left(self) -> None:
        events = self.events(4)
        self.index()
        self.index(self.now + timedelta(minutes=20))
        for left, expected in ((1, 1), (0, 0)):
            Event.objects.filter(pk__in=[event.pk for event in events[left:]]).update(raw_body=None)
            self.index(self.now + timedelta(days=2 - left))
            self.assertEqual(IndexSegment.objects.count(), expected)
        self.assertEqual(Postings.objects.count(), 0)


class RestoredTests(ArchiveTestCase):
    def test_events_of_a_time_that_is_in_the_index_are_found_again(self) -> None:
        event = self.delivered(101).event_id
        start = NOW - timedelta(days=200)
        IndexCoverage.objects.create(
            key="00" * 32, low_at=start, low_id=event, high_at=NOW, high_id=event, is_whole=True, held_until=NOW
        )
        self.prune()
        self.assertFalse(Event.objects.filter(pk=event, raw_body__isnull=False).exists())
        self.restore()

        self.assertEqual([segment.events for segment in IndexSegment.objects.all()], [[event]])
