"""The index is written beside everything else: each event once, none lost, and nothing half."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.db import DatabaseError

from deliveries.execution.drain import Drain
from deliveries.execution.housekeeping import Housekeeping
from deliveries.execution.pulse import Pulse
from deliveries.execution.threads import HandlerThreads
from deliveries.models import Event, IndexCoverage, IndexSegment, Postings
from deliveries.payload_index import coverage, rounds
from deliveries.payload_index.rounds import LAG, Indexer
from integrations.models import Endpoint
from tests.deliveries.execution.drains import DrainTestCase, delivery_to
from tests.deliveries.payload_index.cases import IndexTestCase
from tests.factories import make_endpoint


class RoundTests(IndexTestCase):
    def test_begin_with_what_is_there_and_go_back_to_the_first(self) -> None:
        events = self.events(10)
        self.index()

        self.assertEqual(self.in_index(), [event.pk for event in events])
        self.assertTrue(IndexCoverage.objects.get().is_whole)
        for number, event in enumerate(events):
            self.assertEqual(self.found(f"n = {number}"), {event.pk})
        self.assertEqual(self.found("n = 10"), set())

    def test_go_on_with_what_came_once_there_is_enough_for_a_segment(self) -> None:
        self.events(8)
        self.index()
        later = self.now + timedelta(hours=1)
        new = self.events(7, minutes=-1, name="m")
        self.index(later)

        self.assertEqual(self.in_index()[8:], [event.pk for event in new[:4]])

    def test_leave_out_what_may_still_be_committed_behind_them(self) -> None:
        self.events(4, minutes=60)
        self.index()
        self.events(4, minutes=0.5)
        self.index()
        self.assertEqual(len(self.in_index()), 4)
        self.index(self.now + LAG)
        self.assertEqual(len(self.in_index()), 8)

    def test_make_no_index_for_a_few_events(self) -> None:
        self.events(3)
        self.index()
        self.assertEqual(self.in_index(), [])
        self.assertIsNone(coverage())

    def test_make_a_segment_early_where_bodies_are_large(self) -> None:
        with mock.patch.object(rounds, "_BYTES", 20):
            for number, segments in ((2, 0), (1, 1)):  # of eight bytes each
                self.events(number)
                self.index()
                self.assertEqual(IndexSegment.objects.count(), segments)

    def test_that_are_killed_half_way_have_written_nothing(self) -> None:
        events = self.events(4)
        fails = mock.patch.object(Postings.objects, "bulk_create", side_effect=DatabaseError)
        with fails, self.assertRaises(DatabaseError):
            self.index()
        self.assertEqual((IndexSegment.objects.count(), coverage()), (0, None))
        self.index(self.now + timedelta(minutes=2))
        self.assertEqual(self.in_index(), [event.pk for event in events])

    def test_are_one_worker_s_at_a_time(self) -> None:
        self.events(4)
        first, second = Indexer(), Indexer()
        first.step(self.now, at_leisure=True)
        second.work_off(self.now)
        self.assertEqual(self.in_index(), [])
        second = Indexer()
        second.work_off(self.now + timedelta(minutes=2))  # the first has not been heard of since
        self.assertEqual(len(self.in_index()), 4)
        first.work_off(self.now + timedelta(minutes=2))
        self.assertEqual(len(self.in_index()), 4)

    def test_wait_while_deliveries_run_unless_too_much_waits(self) -> None:
        self.events(4)
        for urgent, expected in ((20_000, 0), (3, 4)):
            IndexCoverage.objects.all().delete()
            self.now += timedelta(seconds=1)
            IndexCoverage.objects.create(
                key="00" * 32,
                **{name: self.now - timedelta(days=1) for name in ("low_at", "high_at", "held_until")},
                low_id="0" * 32,
                high_id="0" * 32,
            )
            indexer = Indexer()
            with mock.patch.object(rounds, "URGENT", urgent), mock.patch.object(rounds, "_REST_SECONDS", 0):
                for _ in range(5):
                    indexer.step(self.now, at_leisure=False)
            self.assertEqual(len(self.in_index()), expected)

    def test_read_for_a_moment_and_go_on_where_they_were(self) -> None:
        events = self.events(4)
        indexer = Indexer()
        steps = 0
        at_once = mock.patch("deliveries.payload_index.segments._READ_AT_ONCE", 1)
        work, rest = (mock.patch.object(rounds, name, 0) for name in ("_WORK_SECONDS", "_REST_SECONDS"))
        with at_once, work, rest:
            while not self.in_index() and steps < 10:
                indexer.step(self.now, at_leisure=True)
                steps += 1
        self.assertEqual(steps, 5)  # one to begin, and one for each
        self.assertEqual(self.found("n = 3"), {events[3].pk})


class AWorkerTests(IndexTestCase):
    def test_writes_the_index_while_it_has_no_deliveries(self) -> None:
        self.events(4)
        for at_leisure, expected in ((False, 0), (True, 4)):
            keeper = Housekeeping()
            with mock.patch.object(rounds, "_REST_SECONDS", 0):
                for _ in range(3):
                    keeper.tidy_up(self.now, at_leisure=at_leisure)
            self.assertEqual(len(self.in_index()), expected)
            IndexCoverage.objects.update(held_until=self.now)


class ADrainTests(DrainTestCase):
    def test_with_a_delivery_at_hand_is_not_at_leisure(self) -> None:
        delivery_to("log")
        told: list[bool] = []
        keeper = mock.Mock(tidy_up=lambda now, *, at_leisure: told.append(at_leisure))
        Drain(Pulse(), HandlerThreads(1), housekeeping=keeper).run()
        self.assertEqual((told[0], told[-1]), (False, True))


class StartingOverTests(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clinic = make_endpoint(slug="clinic", sensitive=True)
        self.hidden = self.event({"n": 99}, endpoint=self.clinic, minutes=50)
        self.shown = self.events(7)
        self.index()

    def test_payloads_of_sensitive_endpoints_are_left_out(self) -> None:
        self.assertIn(self.hidden.pk, self.in_index())
        self.assertEqual(self.found("n = 99"), set())

    def test_once_an_endpoint_is_no_longer_sensitive_what_it_received_is_found(self) -> None:
        Endpoint.objects.filter(pk=self.clinic.pk).update(sensitive=False)
        self.index()
        self.assertEqual(self.found("n = 99"), {self.hidden.pk})
        self.assertEqual(self.found("n = 3"), {self.shown[3].pk})

    def test_once_an_endpoint_is_sensitive_nothing_is_kept_of_what_it_received(self) -> None:
        before = IndexCoverage.objects.get().key
        Endpoint.objects.filter(pk=self.shop.pk).update(sensitive=True)
        self.index()
        self.assertEqual(Postings.objects.count(), 0)
        self.assertNotEqual(IndexCoverage.objects.get().key, before)

    def test_a_new_endpoint_that_is_sensitive_changes_nothing(self) -> None:
        before = list(IndexSegment.objects.values_list("pk", flat=True))
        make_endpoint(slug="ward", sensitive=True)
        self.index()
        self.assertEqual(list(IndexSegment.objects.values_list("pk", flat=True)), before)

    def test_with_a_lost_key_the_index_is_not_asked_and_is_made_anew(self) -> None:
        IndexCoverage.objects.update(key="")
        other = self.settings(HUB_ENCRYPTION_KEYS=["b" * 43 + "="])
        with other:
            IndexCoverage.objects.update(key="11" * 32)
        self.assertIsNone(coverage())
        self.index()
        self.assertEqual(self.found("n = 3"), {self.shown[3].pk})


class TermTests(IndexTestCase):
    def test_of_a_payload_with_too_many_values_are_not_kept_and_it_is_looked_at(self) -> None:
        large = self.event({f"f{number}": number for number in range(3_000)})
        lost = self.event({"id": 5}, provider="gone-with-its-plugin")
        self.events(2)
        self.index()
        self.assertEqual(self.found("nothing = 5"), {large.pk, lost.pk})

    def test_are_found_by_names_and_by_numbers_of_lists(self) -> None:
        event = self.event({"items": [{"sku": "a"}, {"sku": ["b", "c"]}], "2026": {"x": None}})
        self.events(3)
        self.index()
        for text in ("items.sku = a", "items.1.sku = b", "items.sku.1 = c", "2026.x = null"):
            self.assertIn(event.pk, self.found(text), text)

    def test_are_not_those_of_a_body_that_is_encrypted(self) -> None:
        self.event({"n": 99}, body_is_encrypted=True)
        self.events(3)
        self.index()
        self.assertEqual(self.found("n = 99"), set())

    def test_are_the_same_for_two_indexes_of_one_key_only(self) -> None:
        self.events(4)
        self.index()
        kept = set(map(bytes, Postings.objects.values_list("entries", flat=True)))
        IndexSegment.objects.all().delete()
        IndexCoverage.objects.all().delete()
        self.index()
        self.assertNotEqual(set(map(bytes, Postings.objects.values_list("entries", flat=True))), kept)
        self.assertEqual(Event.objects.count(), 4)


class DraftTests(IndexTestCase):
    def test_divides_its_terms_so_that_a_look_reads_few(self) -> None:
        with mock.patch("deliveries.payload_index.segments._ENTRIES", 5):
            events = [self.event({f"f{each}": number for each in range(10)}) for number in range(4)]
            self.index()
        segment = IndexSegment.objects.get()
        self.assertEqual(segment.bits, 3)
        self.assertGreater(segment.postings.count(), 4)
        for number, event in enumerate(events):
            self.assertEqual(self.found(f"f7 = {number}"), {event.pk})
