"""Endpoints that only refuse, and endpoints that have gone quiet, are what an operator has to know of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.utils import timezone

from deliveries.concerns import Concern, Kind, Level, Page, Sight, concerns
from deliveries.models import RejectionCount
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from integrations.models import Endpoint
from tests.deliveries.admin.people import make_user
from tests.deliveries.concerns.history import hear, hear_every_week
from tests.factories import make_endpoint

NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)


def found(kind: Kind, *, now: datetime = NOW) -> list[Concern]:
    return [concern for concern in concerns(Sight(None, now=now)) if concern.kind == kind]


class OnlyRefusesTests(TestCase):
    def setUp(self) -> None:
        self.shop = make_endpoint(slug="shop")

    def refuse(self, at: datetime, count: int) -> None:
        hear(self.shop, at, count, measure=Measure.REFUSED)

    def test_is_a_problem_where_nothing_was_taken_for_a_day(self) -> None:
        self.refuse(NOW - timedelta(hours=5), 7)
        hour = NOW.replace(minute=0) - timedelta(hours=5)
        for reason, count in (("signature_mismatch", 6), ("too_large", 1)):
            RejectionCount.objects.create(endpoint=self.shop, reason=reason, hour=hour, count=count)

        [concern] = found(Kind.ONLY_REFUSES)

        self.assertEqual((concern.level, concern.about, concern.count), (Level.PROBLEM, "shop", 7))
        self.assertIn("of the last 24 hours: 7, most of them for signature mismatch.", concern.text)
        self.assertIn("what would have matched", concern.next_step)
        self.assertEqual(
            (concern.place.page, concern.place.filters), (Page.REJECTIONS, {"endpoint": str(self.shop.pk)})
        )

    def test_is_a_warning_where_something_was_taken_earlier_that_day(self) -> None:
        hear(self.shop, NOW - timedelta(hours=5), 20)
        self.refuse(NOW - timedelta(minutes=20), 4)

        [concern] = found(Kind.ONLY_REFUSES)

        self.assertEqual((concern.level, concern.count), (Level.WARNING, 4))
        self.assertIn("of the last hour: 4", concern.text)

    def test_is_over_as_soon_as_something_is_taken(self) -> None:
        self.refuse(NOW - timedelta(minutes=20), 400)
        for measure in (Measure.DUPLICATE, Measure.ACCEPTED):
            hear(self.shop, NOW - timedelta(minutes=1), 1, measure=measure)
            self.assertEqual(found(Kind.ONLY_REFUSES), [])

    def test_is_not_said_of_a_stranger_or_two(self) -> None:
        self.refuse(NOW - timedelta(minutes=20), 2)
        self.assertEqual(found(Kind.ONLY_REFUSES), [])

    def test_is_not_said_of_what_is_switched_off(self) -> None:
        self.refuse(NOW - timedelta(minutes=20), 30)
        for values in ({"state": "disabled"}, {"state": "active", "retired_at": NOW}):
            Endpoint.objects.update(**values)
            self.assertEqual(found(Kind.ONLY_REFUSES), [])


class SilenceTests(TestCase):
    def setUp(self) -> None:
        self.shop = make_endpoint(slug="shop")

    def test_is_told_where_each_of_four_weeks_heard_much_more(self) -> None:
        hear_every_week(self.shop, NOW, [40, 31, 52, 38])

        [concern] = found(Kind.SILENCE)

        self.assertEqual((concern.level, concern.about), (Level.WARNING, "shop"))
        self.assertEqual((concern.place.page, concern.place.pk), (Page.ENDPOINT, self.shop.pk))
        self.assertIn("Nothing came in the last 24 hours; at the same time of the four weeks before", concern.text)
        self.assertIn("31 to 52.", concern.text)

    def test_is_told_of_the_hour_alone_where_the_day_was_as_always(self) -> None:
        for hours in (1.0, 10.0):
            hear_every_week(self.shop, NOW, [20] * 4, hours=hours)
        hear(self.shop, NOW - timedelta(hours=10), 20)

        [concern] = found(Kind.SILENCE)

        self.assertIn("Nothing came in the last 6 hours;", concern.text)

    def test_is_also_much_less_than_ever(self) -> None:
        hear_every_week(self.shop, NOW, [40] * 4)
        hear(self.shop, NOW - timedelta(hours=1), 4)
        self.assertIn("Only 4 came", found(Kind.SILENCE)[0].text)
        hear(self.shop, NOW - timedelta(hours=1), 1)
        self.assertEqual(found(Kind.SILENCE), [])

    def test_is_not_told_of_nights_and_weekends(self) -> None:
        sunday = datetime(2026, 11, 29, 3, 10, tzinfo=UTC)
        for day in range(2, 7):  # Monday to Friday, eight to six
            for week in range(5):
                morning = sunday.replace(hour=8, minute=0) - timedelta(days=day, weeks=week)
                for hour in range(10):
                    counting.add(Measure.ACCEPTED, self.shop.pk, at=morning + timedelta(hours=hour), count=50)
        counting.flush()

        for now in (sunday, sunday + timedelta(hours=12)):
            self.assertEqual(found(Kind.SILENCE, now=now), [])
        monday_noon = sunday.replace(hour=12) + timedelta(days=1)
        self.assertIn("Nothing came", found(Kind.SILENCE, now=monday_noon)[0].text)

    def test_is_not_told_where_one_week_was_as_quiet(self) -> None:
        hear_every_week(self.shop, NOW, [40, 0, 52, 38])
        self.assertEqual(found(Kind.SILENCE), [])

    def test_is_not_told_of_what_is_too_young_or_hears_too_little(self) -> None:
        hear_every_week(self.shop, NOW, [400, 400, 400])
        hear_every_week(make_endpoint(), NOW, [9, 9, 9, 9])
        self.assertEqual(found(Kind.SILENCE), [])

    def test_is_over_with_the_first_that_comes_again(self) -> None:
        hear_every_week(self.shop, NOW, [40] * 4)
        hear(self.shop, NOW - timedelta(minutes=1), 30)
        self.assertEqual(found(Kind.SILENCE), [])

    def test_is_not_told_of_what_is_switched_off(self) -> None:
        hear_every_week(self.shop, NOW, [40] * 4)
        Endpoint.objects.update(state="disabled")
        self.assertEqual(found(Kind.SILENCE), [])

    def test_follows_the_clock_on_the_wall(self) -> None:
        # Summer time ended on 25 October: eight in the morning is an hour later by UTC than in the weeks before.
        with self.settings(TIME_ZONE="Europe/Zurich"):
            morning = datetime(2026, 10, 27, 8, 0, tzinfo=timezone.get_default_timezone())
            for week in range(1, 5):
                eight = datetime(2026, 10, 27, 8, 0) - timedelta(weeks=week)
                hear(self.shop, eight.replace(tzinfo=timezone.get_default_timezone()).astimezone(UTC), 50)

            self.assertEqual(found(Kind.SILENCE, now=morning.astimezone(UTC)), [])
            self.assertEqual(len(found(Kind.SILENCE, now=morning.astimezone(UTC) + timedelta(hours=1))), 1)

    def test_is_shown_without_a_link_to_who_may_not_open_the_endpoint(self) -> None:
        hear_every_week(self.shop, timezone.now(), [40] * 4)
        user = make_user("nobody")
        user.user_permissions.add(Permission.objects.get(codename="view_event"))
        self.client.force_login(user)

        page = self.client.get("/admin/")

        self.assertContains(page, "Nothing came in the last 24 hours")
        self.assertNotContains(page, "Open the endpoint")
