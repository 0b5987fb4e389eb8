"""What rules find becomes an alert that begins once, lasts and ends; one worker looks in each minute."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.db import DatabaseError

from deliveries.alerts import evaluating
from deliveries.alerts.evaluating import Watch, claim, evaluate
from deliveries.alerts.quiet import is_quiet
from deliveries.models import Alert, AlertClock, AlertRule
from tests.deliveries.alerts.cases import NOW, AlertTestCase
from tests.factories import make_delivery


class ClaimTests(AlertTestCase):
    def test_is_given_to_one_in_each_minute(self) -> None:
        self.assertEqual([claim(NOW), claim(NOW), claim(NOW + timedelta(seconds=59))], [True, False, False])
        self.assertTrue(claim(NOW + timedelta(seconds=60)))

    def test_is_given_again_after_a_clock_was_set_back(self) -> None:
        claim(NOW + timedelta(days=1))
        self.assertTrue(claim(NOW))

    def test_is_asked_for_by_a_worker_every_few_seconds_at_most(self) -> None:
        watch = Watch()
        self.rule("dead_letters")
        make_delivery(self.route, status="dead", finished_at=NOW)
        watch.step(NOW)
        self.assertEqual(self.texts(), ["1 delivery gave up."])
        with self.assertNumQueries(0):
            watch.step(NOW + timedelta(minutes=1))


class AlertTests(AlertTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.delivery = make_delivery(self.route, status="dead", finished_at=NOW)

    def mend(self) -> None:
        type(self.delivery).objects.filter(pk=self.delivery.pk).update(status="discarded")

    def test_names_what_it_is_about_and_where_to_look(self) -> None:
        rule = self.rule("dead_letters")
        self.look()
        row = Alert.objects.get()
        self.assertEqual((row.about, row.endpoint_id, row.rule_id), ("shop → to the ERP", self.shop.pk, rule.pk))
        self.assertEqual(row.page, "deliveries")
        self.assertEqual(row.page_filters, {"status": "dead", "route": str(self.route.pk)})

    def test_waits_until_it_has_been_the_case_for_long_enough(self) -> None:
        self.rule("dead_letters", for_seconds=120)
        self.look()
        self.look(1)
        self.assertEqual((self.texts(), len(self.texts(state="pending"))), ([], 1))
        self.look(2)
        self.assertEqual((len(self.texts()), Alert.objects.get().since), (1, NOW))

    def test_is_forgotten_if_it_passes_before(self) -> None:
        self.rule("dead_letters", for_seconds=120)
        self.look()
        self.mend()
        self.look(1)
        self.assertFalse(Alert.objects.exists())

    def test_is_one_for_as_long_as_it_lasts(self) -> None:
        self.rule("dead_letters")
        for minute in range(5):
            self.look(minute)
        self.assertEqual(len(Alert.objects.all()), 1)

    def test_is_over_when_nothing_was_found_for_three_minutes(self) -> None:
        self.rule("dead_letters")
        self.look()
        self.mend()
        self.look(2)
        self.assertEqual(len(self.texts()), 1)
        self.look(3)
        row = Alert.objects.get()
        self.assertEqual((row.state, row.resolved_at), ("resolved", NOW + timedelta(minutes=3)))

    def test_is_another_when_it_comes_again_later(self) -> None:
        self.rule("dead_letters")
        self.look()
        self.mend()
        self.look(3)
        make_delivery(self.route, status="dead", finished_at=NOW)
        self.look(4)
        self.assertEqual(sorted(Alert.objects.values_list("state", flat=True)), ["firing", "resolved"])

    def test_ends_with_its_rule(self) -> None:
        for change in (lambda row: row.delete(), lambda row: AlertRule.objects.filter(pk=row.pk).update(enabled=False)):
            Alert.objects.all().delete()
            rule = self.rule("dead_letters", name=f"rule {id(change)}")
            self.look()
            change(rule)
            self.look(1)
            self.assertEqual([row.state for row in Alert.objects.all()], ["resolved"])

    def test_stays_where_its_rule_cannot_be_judged_for_once(self) -> None:
        self.rule("dead_letters")
        self.look()
        with (
            mock.patch.dict(evaluating.FINDERS, dead_letters=mock.Mock(side_effect=KeyError("x"))),
            self.assertLogs("deliveries.alerts.evaluating", "ERROR"),
        ):
            self.look(10)
        self.assertEqual(len(self.texts()), 1)

    def test_is_not_judged_while_the_database_is_away(self) -> None:
        self.rule("dead_letters")
        broken = mock.Mock(side_effect=DatabaseError)
        with mock.patch.dict(evaluating.FINDERS, dead_letters=broken), self.assertRaises(DatabaseError):
            evaluate(now=NOW)

    def test_is_looked_for_without_looking_through_large_tables(self) -> None:
        for kind in evaluating.FINDERS:
            self.rule(kind)
        claim(NOW)
        with self.assertNumQueries(23):
            evaluate(now=NOW)
        self.assertEqual(AlertClock.objects.get().evaluated_at, NOW)


class QuietTests(AlertTestCase):
    def test_times_are_those_of_the_week_on_the_clock_of_a_zone(self) -> None:
        # It is Wednesday, 12:30 UTC, and 13:30 in Berlin.
        for text, zone, quiet in (
            ("", "UTC", False),
            ("WED", "UTC", True),
            ("MON-TUE, THU-SUN".replace(" ", ""), "UTC", False),
            ("MON-FRI 12:00-13:00", "UTC", True),
            ("mon-fri 12:00-13:00", "Europe/Berlin", False),
            ("TUE 18:00-13:00", "UTC", True),
            ("WED 18:00-13:00", "UTC", False),
            ("SAT-WED 00:00-24:00", "UTC", True),
            ("SUN\nWED 12:30-12:31", "UTC", True),
        ):
            with self.subTest(text, zone=zone):
                self.assertEqual(is_quiet(text, zone, now=NOW), quiet)
