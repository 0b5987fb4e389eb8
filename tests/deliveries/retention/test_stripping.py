"""Bodies, headers and what attempts said go by their own ages; the rows stay."""

from __future__ import annotations

from datetime import timedelta

from django.test import override_settings

from deliveries.models import Attempt, Batch, Event, EventVariant, FlowStep, StepResult
from deliveries.retention import stripping
from tests.deliveries.retention.aging import NOW, RetentionTestCase, ago
from tests.factories import make_endpoint


class OldEventTests(RetentionTestCase):
    def test_loses_body_headers_and_what_its_attempts_said(self) -> None:
        row = self.delivered(31)

        counts = self.prune()

        event = Event.objects.get(pk=row.event_id)
        self.assertEqual((event.raw_body, event.headers, event.query_string), (None, {}, ""))
        self.assertEqual((event.body_removed_at, event.headers_removed_at, event.keeps), (NOW, NOW, None))
        attempt = Attempt.objects.get()
        said = (attempt.error_message, attempt.traceback, attempt.log, attempt.response, attempt.calls)
        self.assertEqual(said, ("", "", [], None, None))
        self.assertEqual((attempt.outcome, attempt.error_type), ("failed", "ValueError"))
        self.assertFalse(StepResult.objects.exists())
        step = FlowStep.objects.get()
        self.assertEqual((step.input, step.kept, step.error, step.state), (None, None, "", "failed"))
        self.assertEqual(counts, {"bodies": 1, "headers": 1, "attempts": 1})

    def test_keeps_what_tells_it_from_others(self) -> None:
        before = self.event(31)

        self.prune()

        after = Event.objects.get()
        for name in ("event_id", "event_type", "dedupe_key", "body_sha256", "body_bytes", "verdict", "received_at"):
            with self.subTest(name=name):
                self.assertEqual(getattr(after, name), getattr(before, name))

    def test_is_left_alone_until_its_age(self) -> None:
        self.event(29)

        self.assertEqual(self.prune(), {})
        self.assertIsNotNone(Event.objects.get().raw_body)

    def test_loses_each_part_at_its_own_age(self) -> None:
        self.endpoint.keep_body_days, self.endpoint.keep_headers_days, self.endpoint.keep_attempts_days = 20, 10, 5
        self.endpoint.save()
        self.delivered(7)

        found = [self.prune(days=days) for days in (0, 4, 14, 15)]

        self.assertEqual(found, [{"attempts": 1}, {"headers": 1}, {"bodies": 1}, {}])

    def test_is_kept_for_ever_where_its_endpoint_says_so(self) -> None:
        kept = make_endpoint(keep_body_days=0)
        self.event(99, endpoint=kept)

        self.prune()

        event = Event.objects.get()
        self.assertIsNotNone(event.raw_body)
        self.assertEqual(event.headers, {})

    @override_settings(HUB_BODY_DAYS=0, HUB_HEADERS_DAYS=0, HUB_ATTEMPT_DAYS=0, HUB_EVENT_DAYS=0)
    def test_is_kept_for_ever_where_the_settings_say_so(self) -> None:
        self.event(5000)

        self.assertEqual(self.prune(), {})

    def test_loses_other_bodies_under_its_id_with_its_own(self) -> None:
        event = self.event(31)
        EventVariant.objects.create(event=event, body_sha256=b"x" * 32, received_at=ago(30), raw_body=b"other")

        self.prune()

        self.assertFalse(EventVariant.objects.exists())

    def test_takes_its_batch_along_once_none_of_it_has_a_body(self) -> None:
        batch = Batch.objects.create(
            endpoint=self.endpoint, provider="generic_none", item_count=2, received_at=ago(31), raw_body=b"[1, 2]"
        )
        self.event(31, batch=batch, batch_index=0)
        waiting = self.delivered(31, status="held", event=self.event(31, batch=batch, batch_index=1))

        self.prune()
        first = Batch.objects.get().raw_body
        type(waiting).objects.update(status="discarded", finished_at=ago(0))
        self.prune()

        self.assertEqual(bytes(first or b""), b"[1, 2]")
        self.assertIsNone(Batch.objects.get().raw_body)


class UnfinishedTests(RetentionTestCase):
    def test_keeps_all_of_its_event(self) -> None:
        for status in ("pending", "held", "waiting"):
            self.delivered(101, status=status)
        self.delivered(101, status="running", lease_until=NOW)
        self.knows_kept_keys()

        self.assertEqual(self.prune(), {})
        self.assertEqual(Event.objects.exclude(raw_body=None).count(), 4)

    def test_lets_it_go_once_it_is_finished(self) -> None:
        row = self.delivered(40, status="waiting")
        self.prune()
        type(row).objects.update(status="succeeded", finished_at=ago(31))

        self.assertEqual(self.prune(), {"bodies": 1, "headers": 1, "attempts": 1})


class DeadLetterTests(RetentionTestCase):
    def test_keeps_its_body_for_its_own_age(self) -> None:
        self.delivered(90, status="dead", ended=59)

        self.assertEqual([self.prune(), self.prune(days=2)], [{}, {"bodies": 1, "headers": 1, "attempts": 1}])

    def test_stays_while_it_is_in_the_way_of_later_ones(self) -> None:
        self.route.ordering_key, self.route.ordering_failure = "id", "block"
        self.route.save()
        row = self.delivered(200, status="dead", ordering_key="7", ordinal=1)

        self.prune()
        type(row).objects.update(status="discarded")

        self.assertEqual(self.prune(), {"bodies": 1, "headers": 1, "attempts": 1})


class ReplayedTests(RetentionTestCase):
    def test_has_what_its_new_attempts_say_removed_in_their_time(self) -> None:
        self.endpoint.keep_body_days, self.endpoint.keep_headers_days = 0, 0
        self.endpoint.save()
        row = self.delivered(31)
        self.prune()

        type(row).objects.all().replay(now=NOW, requested_by="ada")
        type(row).objects.update(status="succeeded", finished_at=NOW)
        Attempt.objects.create(
            delivery=row, number=2, trigger="replay", started_at=NOW, finished_at=NOW, outcome="succeeded", log=["new"]
        )

        self.assertEqual(self.prune(days=29), {})
        self.assertEqual(Attempt.objects.get(number=2).log, ["new"])
        self.assertEqual(self.prune(days=31), {"attempts": 1})
        self.assertEqual(Attempt.objects.get(number=2).log, [])


class BatchedTests(RetentionTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name, value in (("AT_ONCE", 2), ("BYTES_AT_ONCE", 50)):
            before = getattr(stripping, name)
            setattr(stripping, name, value)
            self.addCleanup(setattr, stripping, name, before)

    def test_goes_on_behind_what_it_cannot_remove(self) -> None:
        for hours in range(3):
            self.delivered(40 - hours / 24, status="held")
        for _ in range(3):
            self.event(35)

        self.assertEqual(self.prune()["bodies"], 3)

    def test_takes_few_large_bodies_at_once(self) -> None:
        for _ in range(2):
            self.event(31, body=b"x" * 60)

        with self.settings(HUB_EVENT_DAYS=0):
            looked = stripping.strip_some(
                self.endpoint, Event.objects.all()[0].parts, after=None, now=NOW + timedelta(days=1)
            )

        self.assertEqual(looked.counts["bodies"], 1)


class DryRunTests(RetentionTestCase):
    def test_foretells_what_goes(self) -> None:
        self.delivered(31)
        self.delivered(101)
        self.delivered(31, status="held")
        self.knows_kept_keys()

        told = self.prune(dry_run=True)

        self.assertEqual(Event.objects.exclude(raw_body=None).count(), 3)
        self.assertEqual(told, self.prune())
