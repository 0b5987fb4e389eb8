"""Schedules: when their time comes, and that a tick makes one event."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, connections
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from deliveries.models import AuditEntry, Delivery, Event, Schedule
from deliveries.receiving import own_events
from deliveries.schedules import firing
from deliveries.schedules.firing import Scheduler, fire
from deliveries.schedules.timing import MOST_MISSED, Rule, check_cron, in_words
from tests.deliveries.api.cases import make_user
from tests.factories import make_endpoint, make_route
from tests.running_hub import ROOT

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def local(rule: Rule, start: str, count: int) -> list[str]:
    """Return the next ticks of a cron line as its own clock shows them."""
    zone = ZoneInfo(rule.zone)
    moment = datetime.fromisoformat(start).replace(tzinfo=zone)
    return [f"{tick.astimezone(zone):%d %H:%M %Z}" for tick in islice(rule.ticks(moment), count)]


def make_schedule(**values: Any) -> Schedule:
    endpoint = values.pop("endpoint", None) or make_endpoint(provider="internal")
    rule = {} if values.keys() & {"interval_seconds", "at"} else {"cron": "*/5 * * * *"}
    row = Schedule(**{"name": "report", "endpoint": endpoint, "created_at": NOW, **rule, **values})
    row.plan(now=NOW)
    row.save()
    return row


class RuleTests(SimpleTestCase):
    def test_of_a_time_that_is_left_out_comes_once_after_the_gap(self) -> None:
        for zone, start, ticks in (
            ("Europe/Berlin", "2026-03-28T12:00", ["29 03:00 CEST", "30 02:30 CEST"]),
            ("America/New_York", "2026-03-07T12:00", ["08 03:00 EDT", "09 02:30 EDT"]),
            ("Australia/Lord_Howe", "2026-10-03T12:00", ["04 02:30 +11", "05 02:20 +11"]),
        ):
            with self.subTest(zone=zone):
                minute = ticks[1][6:8]
                self.assertEqual(local(Rule(cron=f"{minute} 2 * * *", zone=zone), start, 2), ticks)

    def test_of_several_times_that_are_left_out_comes_once(self) -> None:
        rule = Rule(cron="0,15,30 2,3 * * *", zone="Europe/Berlin")
        self.assertEqual(
            local(rule, "2026-03-29T00:00", 4), ["29 03:00 CEST", "29 03:15 CEST", "29 03:30 CEST", "30 02:00 CEST"]
        )

    def test_of_a_time_that_comes_twice_counts_once(self) -> None:
        for zone, line, start, ticks in (
            ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["25 02:30 CEST", "26 02:30 CET"]),
            ("America/New_York", "30 1 * * *", "2026-10-31T12:00", ["01 01:30 EDT", "02 01:30 EST"]),
            ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00", ["05 01:45 +11", "06 01:45 +1030"]),
        ):
            with self.subTest(zone=zone):
                self.assertEqual(local(Rule(cron=line, zone=zone), start, 2), ticks)

    def test_that_names_no_hour_goes_on_by_real_time(self) -> None:
        rule = Rule(cron="*/30 * * * *", zone="Europe/Berlin")
        self.assertEqual(
            local(rule, "2026-10-25T02:15", 4), ["25 02:30 CEST", "25 02:00 CET", "25 02:30 CET", "25 03:00 CET"]
        )

    def test_that_names_no_minute_keeps_to_its_hour_where_half_an_hour_comes_twice(self) -> None:
        rule = Rule(cron="*/10 2 * * *", zone="Australia/Lord_Howe")
        self.assertEqual(local(rule, "2026-04-05T00:00", 2), ["05 02:00 +1030", "05 02:10 +1030"])

    def test_is_the_same_from_wherever_one_begins_to_look(self) -> None:
        lines = (
            "30 2 * * *",
            "45 1 * * *",
            "0,30 1-2 * * *",
            "*/10 2 * * *",
            "5 */2 * * *",
            "*/30 * * * *",
            "0 3 * * *",
        )
        for zone, days in (
            ("Europe/Berlin", ("2026-03-28", "2026-10-24")),
            ("America/New_York", ("2026-03-07", "2026-10-31")),
            ("Australia/Lord_Howe", ("2026-10-03", "2026-04-04")),
        ):
            for day, line in product(days, lines):
                with self.subTest(zone=zone, day=day, line=line):
                    rule = Rule(cron=line, zone=zone)
                    start = datetime.fromisoformat(f"{day}T22:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
                    ticks = list(rule.missed(start, start + timedelta(hours=32)))
                    self.assertEqual(ticks, sorted(set(ticks)))
                    for look in (start + timedelta(minutes=minutes) for minutes in range(0, 480, 7)):
                        self.assertEqual(rule.after(look), next(tick for tick in ticks if tick > look))

    def test_with_an_interval_counts_from_its_start(self) -> None:
        rule = Rule(interval=timedelta(minutes=7), anchor=NOW)
        self.assertEqual(rule.after(NOW), NOW + timedelta(minutes=7))
        self.assertEqual(rule.after(NOW + timedelta(minutes=20)), NOW + timedelta(minutes=21))
        self.assertEqual(rule.after(NOW - timedelta(days=1)), NOW)

    def test_of_one_moment_comes_once(self) -> None:
        rule = Rule(at=NOW)
        self.assertEqual(list(rule.ticks(NOW - timedelta(days=400))), [NOW])
        self.assertIsNone(rule.after(NOW))

    def test_keeps_to_its_beginning_and_end(self) -> None:
        rule = Rule(cron="0 * * * *", starts_at=NOW + timedelta(hours=2), ends_at=NOW + timedelta(hours=4))
        hours = [tick.hour for tick in rule.ticks(NOW)]
        self.assertEqual(hours, [11, 12])

    def test_tells_what_was_missed_however_long_ago(self) -> None:
        rule = Rule(cron="* * * * *")
        first = rule.after(NOW - timedelta(days=500))
        assert first is not None

        found = rule.missed(first, NOW)

        self.assertEqual(len(found), MOST_MISSED)
        self.assertEqual((found[-1], found[0]), (NOW, NOW - timedelta(minutes=MOST_MISSED - 1)))

    def test_is_refused_if_it_is_none(self) -> None:
        for line in ("", "* * * *", "* * * * * *", "99 * * * *", "0 0 30 2 *", "@sometimes", "whenever you like it ok"):
            with self.subTest(line=line), self.assertRaises(ValueError):
                check_cron(line)
        for line in ("@daily", "0 9 * * MON-FRI", "*/5 8-18 1,15 * *", "0 0 L * *"):
            check_cron(line)

    def test_can_be_said_in_words(self) -> None:
        self.assertEqual(in_words("0 9 * * MON-FRI"), "At 09:00 on Monday through Friday")


class ScheduleTests(TestCase):
    def checked(self, **values: Any) -> dict[str, Any]:
        endpoint = values.pop("endpoint", None) or make_endpoint(provider="internal")
        with self.assertRaises(ValidationError) as caught:
            Schedule(**{"name": "x", "endpoint": endpoint, **values}).full_clean()
        return caught.exception.message_dict

    def test_has_one_rule(self) -> None:
        self.assertIn("cron", self.checked())
        self.assertIn("cron", self.checked(cron="@daily", interval_seconds=60))
        self.assertIn("cron", self.checked(cron="no"))

    def test_belongs_to_an_internal_endpoint_and_a_time_zone(self) -> None:
        self.assertIn("endpoint", self.checked(cron="@daily", endpoint=make_endpoint(provider="github")))
        self.assertIn("time_zone", self.checked(cron="@daily", time_zone="Mars/Olympus"))
        self.assertIn("ends_at", self.checked(cron="@daily", starts_at=NOW, ends_at=NOW - timedelta(days=1)))


class FiringTests(TestCase):
    def fire(self, row: Schedule, *, after: timedelta = timedelta(0)) -> int:
        assert row.next_at is not None
        made = fire(row.pk, now=row.next_at + after)
        row.refresh_from_db()
        return made

    def ticks(self) -> list[str]:
        return [event.original_headers["X-Hub-Tick"][11:16] for event in Event.objects.order_by("id")]

    def test_makes_an_event_with_deliveries_and_plans_the_next(self) -> None:
        row = make_schedule(payload={"report": "orders"}, event_type="report.wanted", time_zone="Europe/Berlin")
        make_route(row.endpoint, events=["report.*"])
        make_route(row.endpoint, events=["other"])

        self.assertEqual(self.fire(row, after=timedelta(seconds=2)), 1)

        event = Event.objects.get()
        self.assertEqual((event.verdict, event.event_type), ("internal", "report.wanted"))
        self.assertEqual(event.shown_payload, {"report": "orders"})
        self.assertEqual(event.original_headers["X-Hub-Local-Time"], "2026-11-27T09:35:00+01:00")
        self.assertEqual(Delivery.objects.count(), 1)
        self.assertEqual(row.next_at, NOW + timedelta(minutes=10))

    def test_makes_one_event_of_a_tick_whatever_the_clock_does(self) -> None:
        row = make_schedule()
        self.fire(row)
        Schedule.objects.update(next_at=NOW + timedelta(minutes=5))  # as if the clock had been set back
        row.refresh_from_db()

        self.fire(row)

        self.assertEqual(Event.objects.count(), 1)
        self.assertEqual(Event.objects.get().duplicates, 1)

    def test_is_over_for_the_day_when_it_is_late_in_an_hour_that_comes_twice(self) -> None:
        first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, and once more an hour later
        row = make_schedule(cron="30 2 * * *", time_zone="Europe/Berlin")
        Schedule.objects.update(next_at=first)

        fire(row.pk, now=first + timedelta(minutes=40))

        row.refresh_from_db()
        self.assertEqual(row.next_at, datetime(2026, 10, 26, 1, 30, tzinfo=UTC))
        self.assertEqual(self.ticks(), ["00:30"])

    def test_does_nothing_before_its_time_and_while_it_is_off(self) -> None:
        row = make_schedule()
        self.assertEqual(fire(row.pk, now=NOW), 0)
        Schedule.objects.update(enabled=False)
        self.assertEqual(fire(row.pk, now=NOW + timedelta(hours=1)), 0)
        self.assertFalse(Event.objects.exists())

    def test_makes_one_event_of_all_that_were_missed(self) -> None:
        row = make_schedule(missed="once")

        self.fire(row, after=timedelta(minutes=23))

        self.assertEqual(self.ticks(), ["08:55"])
        self.assertEqual(Event.objects.get().original_headers["X-Hub-Missed"], "4")
        self.assertEqual(row.next_at, NOW + timedelta(minutes=30))

    def test_makes_an_event_of_each_that_was_missed(self) -> None:
        row = make_schedule(missed="all")

        self.fire(row, after=timedelta(minutes=23))

        self.assertEqual(self.ticks(), ["08:35", "08:40", "08:45", "08:50", "08:55"])

    def test_catches_up_in_several_turns(self) -> None:
        row = make_schedule(missed="all")
        until = NOW + timedelta(minutes=5 * 120)

        while Schedule.objects.due(until).exists():
            fire(row.pk, now=until)

        self.assertEqual(Event.objects.count(), 120)

    def test_makes_none_of_those_that_were_missed_if_it_is_to_skip_them(self) -> None:
        row = make_schedule(missed="skip")

        self.fire(row, after=timedelta(minutes=23))
        self.assertEqual(self.ticks(), [])
        self.fire(row, after=timedelta(seconds=30))

        self.assertEqual(self.ticks(), ["09:00"])

    def test_of_one_moment_is_over_afterwards(self) -> None:
        row = make_schedule(at=NOW + timedelta(hours=1))

        self.fire(row)

        self.assertIsNone(row.next_at)
        self.assertEqual(Event.objects.count(), 1)

    def test_is_not_done_while_the_endpoint_is_disabled_and_made_up_for_afterwards(self) -> None:
        row = make_schedule()
        row.endpoint.state = "disabled"
        row.endpoint.save()
        later = NOW + timedelta(minutes=7)
        Scheduler().step(later)
        self.assertFalse(Event.objects.exists())

        row.endpoint.state = "active"
        row.endpoint.save()
        Scheduler().step(later)

        self.assertEqual(Event.objects.count(), 1)

    def test_waits_for_room_on_the_disk_and_is_made_up_for_afterwards(self) -> None:
        make_schedule()
        later = NOW + timedelta(minutes=7)
        with override_settings(HUB_DATABASE_DIR=str(ROOT), HUB_DISK_FREE_MB=10**9):
            Scheduler().step(later)
        self.assertFalse(Event.objects.exists())

        Scheduler().step(later)

        self.assertEqual(Event.objects.count(), 1)

    def test_of_one_that_fails_leaves_the_others_alone_and_loses_no_tick(self) -> None:
        bad, good = make_schedule(name="bad"), make_schedule(name="good")
        later = NOW + timedelta(minutes=6)
        with pytest.MonkeyPatch.context() as patch:
            usual = own_events.drafted

            def draft(endpoint: Any, *args: Any, **values: Any) -> Any:
                if endpoint.row.pk == bad.endpoint_id:
                    raise RuntimeError("no")
                return usual(endpoint, *args, **values)

            patch.setattr(own_events, "drafted", draft)
            Scheduler().step(later)
        self.assertEqual(list(Event.objects.values_list("endpoint", flat=True)), [good.endpoint_id])

        Scheduler().step(later)
        self.assertEqual(self.ticks(), ["08:35", "08:35"])

    def test_of_now_is_beside_the_ticks_and_on_record(self) -> None:
        row = make_schedule()
        ada = make_user("ada")

        for _ in range(2):
            firing.run_now(row, by=ada, now=NOW)

        row.refresh_from_db()
        self.assertEqual(Event.objects.count(), 2)
        self.assertEqual(row.next_at, NOW + timedelta(minutes=5))
        self.assertEqual(AuditEntry.objects.filter(message="Run now.").count(), 2)

    def test_of_now_is_refused_by_a_disabled_endpoint(self) -> None:
        row = make_schedule(endpoint=make_endpoint(provider="internal", state="disabled"))

        with self.assertRaises(firing.NotRun):
            firing.run_now(row, by=make_user("ada"), now=NOW)


class SeveralSchedulersTests(TransactionTestCase):
    def test_make_one_event_of_a_tick(self) -> None:
        row = make_schedule(interval_seconds=60, missed="all")
        gate, errors = threading.Barrier(6), []

        def work() -> None:
            try:
                gate.wait(10)
                for minute in range(1, 6):
                    fire(row.pk, now=NOW + timedelta(minutes=minute))
            except DatabaseError as exc:
                errors.append(exc)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        fire(row.pk, now=NOW + timedelta(minutes=5))

        self.assertEqual(errors, [])
        ticks = [event.original_headers["X-Hub-Tick"] for event in Event.objects.all()]
        self.assertEqual(sorted(ticks), [(NOW + timedelta(minutes=minute)).isoformat() for minute in range(1, 6)])
        self.assertEqual(sum(Event.objects.values_list("duplicates", flat=True)), 0)

    def test_lose_and_double_nothing_when_one_dies_between_the_event_and_the_next_tick(self) -> None:
        row = make_schedule(interval_seconds=60)
        later = NOW + timedelta(minutes=1)

        class Killed(BaseException):
            pass

        def die(*args: Any, **values: Any) -> None:
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Schedule, "save", die)
            with pytest.raises(Killed):
                fire(row.pk, now=later)
        connection.close()
        self.assertFalse(Event.objects.exists())

        fire(row.pk, now=later)

        self.assertEqual(Event.objects.count(), 1)
