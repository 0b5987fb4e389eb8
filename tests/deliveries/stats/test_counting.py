"""What happens is counted once, wherever it happens, and written a second later."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from django.db import OperationalError
from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from deliveries import replay
from deliveries.models import Delivery, Rollup, RollupTotal
from deliveries.models.rollup import COUNTS, Cell, Grain, Measure
from deliveries.retention import prune_some_rollups
from deliveries.stats import reading
from deliveries.stats.buckets import bucket_of, percentile, upper
from deliveries.stats.counting import Counting, counting
from deliveries.stats.windows import window
from tests.deliveries.admin.people import make_user
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_delivery, make_endpoint, make_route

NOW = datetime(2026, 11, 27, 10, 41, 7, tzinfo=UTC)


def counts(grain: Grain = Grain.HOUR) -> dict[str, int]:
    """Write what was counted; return it by measure."""
    counting.flush()
    found: Counter[str] = Counter()
    for row in Rollup.objects.filter(grain_minutes=grain):
        found[row.measure] += row.count
    return dict(found)


class PercentileTests(SimpleTestCase):
    def test_is_within_a_bucket_of_the_true_one(self) -> None:
        rng = random.Random(12)
        for spread in (0.5, 1.5, 3.0):
            durations = sorted(rng.lognormvariate(-4, spread) for _ in range(2000))
            found = Counter(bucket_of(seconds) for seconds in durations)
            for percent in (50, 95, 99):
                true = durations[len(durations) * percent // 100 - 1]
                said = percentile(found, percent)
                assert said is not None
                self.assertLess(said / true, 1.26)
                self.assertGreater(said / true, 0.79)

    def test_of_nothing_is_none(self) -> None:
        self.assertIsNone(percentile({}, 95))

    def test_puts_each_bound_in_its_own_bucket_and_all_else_somewhere(self) -> None:
        for bucket in range(111):
            self.assertEqual(bucket_of(upper(bucket)), bucket)
        self.assertEqual([bucket_of(seconds) for seconds in (-1, 0, 1e9)], [0, 0, 110])


class WindowTests(SimpleTestCase):
    def test_is_at_least_as_long_as_it_says_and_begins_with_a_span(self) -> None:
        for text, since, spans in (
            ("15m", NOW.replace(minute=26, second=0), 16),
            ("24h", (NOW - timedelta(days=1)).replace(minute=0, second=0), 25),
            ("7d", (NOW - timedelta(days=7)).replace(minute=0, second=0), 169),
            ("30d", datetime(2026, 10, 28, tzinfo=UTC), 31),
        ):
            found = window(text, now=NOW)
            self.assertEqual((found.since, len(found.slots)), (since, spans), text)
            self.assertLessEqual(found.slots[-1], NOW)

    def test_is_made_of_the_longest_spans_without_gap_or_overlap(self) -> None:
        midnight = datetime(2026, 11, 27, tzinfo=UTC)
        for text, now, expected in (
            ("7d", NOW, [(60, 14), (1440, 7)]),
            ("24h", NOW, [(60, 14), (1440, 1)]),
            ("24h", midnight, [(1440, 2)]),
            ("1h", NOW, [(1, 19), (60, 14)]),
            ("15m", NOW, [(1, 34)]),
            ("2h", midnight + timedelta(minutes=30), [(1, 30), (60, 1), (1440, 1)]),
            ("30d", NOW, [(1440, 31)]),
        ):
            found = window(text, now=now)
            spans = [(grain, int((ends - begins) / grain.length)) for grain, begins, ends in found.parts]
            self.assertEqual(spans, expected, text)
            bounds = [bound for _, *pair in found.parts for bound in pair]
            self.assertEqual(bounds[0], found.since)
            self.assertEqual(bounds[1:-1:2], bounds[2::2])
            self.assertGreater(bounds[-1], now)

    def test_of_hours_has_whole_days_that_it_is_drawn_by(self) -> None:
        by_day = window("7d", now=NOW).coarser

        self.assertEqual((by_day.grain, by_day.slots[0]), (Grain.DAY, datetime(2026, 11, 21, tzinfo=UTC)))
        self.assertEqual(len(by_day.slots), 7)

    def test_is_refused_where_it_makes_no_sense(self) -> None:
        for text in ("", "24", "0h", "-1h", "1y", "24h ", "٢h", "367d", "99999w", "1.5h"):
            with self.assertRaises(ValueError, msg=text):
                window(text, now=NOW)


class CountingTests(Sender, TestCase):
    def test_knows_what_was_accepted_repeated_and_refused(self) -> None:
        endpoint = signed_endpoint()
        for event_id in ("a", "b", "a"):
            self.send(endpoint, event_id=event_id)
        self.send(endpoint, secret="wrong")

        self.assertEqual(counts(), {"accepted": 2, "duplicate": 1, "refused": 1, "ack": 3})
        self.assertEqual({row.endpoint_id for row in Rollup.objects.all()}, {endpoint.pk})

    def test_adds_up_in_a_row_of_each_grain(self) -> None:
        endpoint, ours = make_endpoint(), Counting()
        for minutes in (0, 1, 50):
            ours.add(Measure.ACCEPTED, endpoint.pk, at=NOW + timedelta(minutes=minutes), count=2)
            ours.flush()

        found = sorted(Rollup.objects.values_list("grain_minutes", "count"))
        self.assertEqual(found, [(0, 6), (1, 2), (1, 2), (1, 2), (60, 2), (60, 4), (1440, 6)])

    def test_adds_up_for_all_endpoints_together(self) -> None:
        ours = Counting()
        for endpoint in (make_endpoint(), make_endpoint()):
            ours.add(Measure.ACCEPTED, endpoint.pk, at=NOW)
            ours.time(Measure.ACK, endpoint.pk, at=NOW, seconds=0.01)
        ours.flush()

        found = sorted(RollupTotal.objects.values_list("grain_minutes", "measure", "bucket", "count"))
        expected = [
            (grain, name, bucket, 2) for grain in (1, 60, 1440) for name, bucket in (("accepted", 0), ("ack", 20))
        ]
        self.assertEqual(found, expected)

    def test_is_the_same_from_the_longest_spans_as_from_each(self) -> None:
        rng, endpoints, ours = random.Random(7), [make_endpoint() for _ in range(3)], Counting()
        for _ in range(200):
            at = NOW - timedelta(minutes=rng.randrange(9 * 24 * 60))
            ours.add(rng.choice(COUNTS), rng.choice(endpoints).pk, at=at, count=rng.randrange(1, 9))
        ours.flush()

        for text in ("1h", "24h", "7d", "30d"):
            chosen = window(text, now=NOW)
            found = reading.summary(make_user("administrator", name=text), chosen)
            rows = Rollup.objects.within(chosen.grain, chosen.since).values_list("measure", "count")
            expected: Counter[str] = Counter()
            for measure, count in rows:
                expected[measure] += count
            self.assertEqual(found.counts, expected, text)
            self.assertEqual(sum((each.counts for each in found.endpoints.values()), Counter()), expected, text)

    def test_knows_who_was_discarded(self) -> None:
        route = make_route(make_endpoint())
        make_delivery(route)
        make_delivery(route, status="succeeded", finished_at=timezone.now())

        with self.captureOnCommitCallbacks(execute=True):
            replay.discard(Delivery.objects.all(), by=make_user("operator"))

        self.assertEqual(counts(), {"discarded": 1})
        self.assertEqual({row.route for row in Rollup.objects.all()}, {route.pk})

    def test_keeps_what_cannot_be_written(self) -> None:
        endpoint = make_endpoint()
        counting.add(Measure.ACCEPTED, endpoint.pk, at=NOW)
        with patch.object(type(Rollup.objects.all()), "add", side_effect=OperationalError("away")):
            counting.flush()

        self.assertEqual(counts(), {"accepted": 1})

    def test_takes_no_more_than_a_hundredth_of_the_time(self) -> None:
        moments = iter([0.0, 0.0, 0.5, 0.5])
        slow = Counting(clock=lambda: next(moments))
        slow.add(Measure.ACCEPTED, make_endpoint().pk, at=NOW)

        slow.flush()

        self.assertEqual(slow._due_at, 50.5)

    def test_is_removed_when_its_time_is_over(self) -> None:
        endpoint = make_endpoint()
        ages = {Grain.MINUTE: timedelta(days=1), Grain.HOUR: timedelta(days=35), Grain.DAY: timedelta(days=400)}
        for grain, age in ages.items():
            for at in (NOW - age - grain.length, NOW - age + grain.length):
                Rollup.objects.add({Cell(grain, "accepted", at, endpoint.pk): 1})

        self.assertEqual(prune_some_rollups(now=NOW), 1)
        self.assertEqual((Rollup.objects.count(), RollupTotal.objects.count()), (3, 3))
        self.assertEqual(prune_some_rollups(now=NOW), 0)
