"""When the disk is full is foretold from statistics."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries.concerns import Kind, Level, Sight, concerns
from deliveries.doctor import examine
from deliveries.models import RollupTotal
from deliveries.models.rollup import Grain
from deliveries.stats import disk

GIB = 1024**3


@override_settings(HUB_BODY_DAYS=90, HUB_STATS_DAYS=400, HUB_DATABASE_DISK_BYTES=0)
class ForecastTests(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now().replace(hour=12)
        self.enterContext(mock.patch.object(disk, "_size", return_value=10 * GIB))
        self.free = self.enterContext(mock.patch.object(disk, "_free", return_value=5 * GIB))

    def came(self, count: int, *, days: range) -> None:
        today = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        RollupTotal.objects.bulk_create(
            RollupTotal(
                grain_minutes=Grain.DAY,
                measure="accepted",
                starts_at=today - timedelta(days=day),
                count=count,
            )
            for day in days
        )

    def test_grows_by_what_comes_where_nothing_goes_yet(self) -> None:
        self.came(1000, days=range(10))

        found = disk.forecast(self.now)

        self.assertAlmostEqual(found.growth / GIB, 8 / 7, places=1)
        self.assertEqual(found.full_in and found.full_in.days, 4)

    def test_stands_still_where_as_much_goes_as_comes(self) -> None:
        self.came(1000, days=range(120))

        found = disk.forecast(self.now)

        self.assertEqual((found.growth, found.full_in), (0, None))

    def test_has_no_end_where_bodies_go_before_the_disk_is_full(self) -> None:
        self.free.return_value = 500 * GIB
        self.came(1000, days=range(60))

        self.assertIsNone(disk.forecast(self.now).full_in)

    def test_is_a_concern_a_month_ahead_and_a_problem_a_week_ahead(self) -> None:
        self.came(1000, days=range(10))
        levels = {}
        for gib in (5, 20, 80):
            self.free.return_value = gib * GIB
            found = concerns(Sight(None, now=self.now))
            levels[gib] = [concern.level for concern in found if concern.kind == Kind.DISK]

        self.assertEqual(levels, {5: [Level.PROBLEM], 20: [Level.WARNING], 80: []})

    def test_is_told_by_doctor(self) -> None:
        self.came(1000, days=range(10))

        [result] = [result for result in examine(self.now) if result.check == "growth"]

        self.assertIn("full in about 4 days", result.symptoms[0].text)

    def test_knows_nothing_of_a_hub_without_events(self) -> None:
        self.assertEqual(disk.forecast(self.now).growth, 0)


class SizeTests(TestCase):
    def test_is_that_of_the_database(self) -> None:
        self.assertGreater(disk._size(), 100_000)

    @override_settings(HUB_DATABASE_DISK_BYTES=10 * GIB)
    def test_is_taken_from_what_the_setting_says_there_is(self) -> None:
        self.assertEqual(disk._free(4 * GIB), 6 * GIB)
