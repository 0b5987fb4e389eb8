"""Limits of several machines on one database; each has its buckets in memory of its own."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.db import OperationalError
from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries.models import TokensTaken
from deliveries.receiving.buckets import TokenBuckets
from deliveries.receiving.elsewhere import Exchange


class Machine:
    """A machine's buckets, and what it tells and hears; time goes on by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.buckets = TokenBuckets(most=64, clock=lambda: self.seconds, name="endpoint")
        self.exchange = Exchange({"endpoint": self.buckets}, clock=lambda: self.seconds)
        self.buckets.taken()

    def taken(self, rate: float, times: int, key: str = "a") -> int:
        return sum(not self.buckets.take(key, rate) for _ in range(times))


class ALimitOfTwoMachines(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        self.have(2)

    def have(self, machines: int) -> None:
        """Begin with so many."""
        TokensTaken.objects.all().delete()
        self.machines = [Machine() for _ in range(machines)]
        self.one, self.other = self.machines[:2]
        self.go_on(0.0)

    def go_on(self, seconds: float) -> None:
        """Let time go on, and the machines tell each other what they took."""
        self.now += timedelta(seconds=seconds)
        for machine in self.machines:
            machine.seconds += seconds
        for machine in (*self.machines, *self.machines):
            machine.exchange.tell(self.now)
            machine.exchange.hear(self.now)

    def test_is_as_much_as_one_would_let_through_once_they_have_heard(self) -> None:
        self.assertEqual(self.one.taken(10, 7), 7)
        self.go_on(0.0)

        self.assertEqual(self.other.taken(10, 20), 3)
        self.go_on(0.0)
        self.assertEqual(self.one.taken(10, 20), 0)

    def test_holds_on_average_where_both_take_all_that_they_can(self) -> None:
        taken = 0
        for _ in range(200):
            taken += sum(machine.taken(10, 50) for machine in self.machines)
            self.go_on(0.5)

        self.assertLessEqual(taken, 100 * 10 + 2 * 10)
        self.assertGreaterEqual(taken, 100 * 10)

    def test_holds_on_average_for_three_and_four_machines_too(self) -> None:
        for machines in (3, 4):
            with self.subTest(machines=machines):
                self.have(machines)
                taken = 0
                for _ in range(200):
                    taken += sum(machine.taken(10, 50) for machine in self.machines)
                    self.go_on(0.5)

                self.assertLessEqual(taken, 100 * 10 + machines * 10)
                self.assertGreaterEqual(taken, 100 * 10)

    def test_leaves_to_one_machine_what_three_others_do_not_take(self) -> None:
        self.have(4)
        taken = 0
        for _ in range(200):
            taken += self.one.taken(10, 50)
            self.go_on(0.5)

        self.assertGreaterEqual(taken, 100 * 10)

    def test_counts_each_request_once(self) -> None:
        self.one.taken(10, 4)
        for _ in range(3):
            self.go_on(0.0)

        self.assertEqual(self.other.taken(10, 20), 6)

    def test_is_for_each_key_its_own(self) -> None:
        self.one.taken(10, 10, key="a")
        self.go_on(0.0)

        self.assertEqual((self.other.taken(10, 20, key="a"), self.other.taken(10, 20, key="b")), (0, 10))

    def test_hears_of_a_row_that_shows_after_one_with_a_higher_id(self) -> None:
        late = TokensTaken.objects.create(machine=self.one.exchange._machine, at=self.now, taken={})
        self.one.taken(10, 4)
        self.one.exchange.tell(self.now)
        shown = TokensTaken.objects.exclude(pk=late.pk).get()
        late_taken = shown.taken
        TokensTaken.objects.filter(pk=late.pk).delete()
        self.go_on(0.0)

        TokensTaken.objects.create(pk=late.pk, machine=self.one.exchange._machine, at=self.now, taken=late_taken)
        self.go_on(0.0)

        self.assertEqual(self.other.taken(10, 20), 2)

    def test_owes_no_more_than_ten_times_what_may_come_at_once(self) -> None:
        for _ in range(15):
            self.one.taken(10, 10)
            self.one.buckets.clear()
        self.go_on(0.0)

        self.assertAlmostEqual(self.other.buckets.take("a", 10), 10.1)

    def test_begins_anew_for_a_machine_that_comes_later(self) -> None:
        self.one.taken(10, 10)
        self.go_on(0.0)
        later = Machine()
        later.exchange.hear(self.now)

        self.assertEqual(later.taken(10, 20), 10)

    def test_is_not_made_up_for_after_a_time_without_the_database(self) -> None:
        self.one.taken(10, 10)
        self.one.exchange.tell(self.now)
        self.other.exchange.hear(self.now + timedelta(minutes=1))

        self.assertEqual(self.other.taken(10, 20), 10)

    @override_settings(SECRET_KEY="another" * 10)
    def test_is_not_one_where_the_keys_of_the_hub_differ(self) -> None:
        stranger = Machine()
        stranger.exchange.hear(self.now)
        self.one.taken(10, 10)
        self.go_on(0.0)
        stranger.exchange.hear(self.now)

        self.assertEqual(stranger.taken(10, 20), 10)


class AnExchange(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        self.machine = Machine()

    def test_asks_the_database_twice_a_second_and_writes_only_what_was_taken(self) -> None:
        self.machine.exchange.go_on_if_due(self.now)
        self.machine.seconds = 0.4
        with self.assertNumQueries(0):
            self.machine.exchange.go_on_if_due(self.now)
        self.machine.seconds = 0.5
        with self.assertNumQueries(1):
            self.machine.exchange.go_on_if_due(self.now)
        self.machine.taken(10, 3)
        self.machine.seconds = 1.0
        with self.assertNumQueries(2):
            self.machine.exchange.go_on_if_due(self.now)

        self.assertEqual([[*row["endpoint"].values()] for row in self.told()], [[[3, 10]]])

    def told(self) -> list[dict[str, dict[str, list[float]]]]:
        return list(TokensTaken.objects.values_list("taken", flat=True))

    def test_keeps_nothing_for_long(self) -> None:
        self.machine.taken(10, 3)
        self.machine.exchange.go_on_if_due(self.now)
        self.machine.seconds = 31
        self.machine.exchange.go_on_if_due(self.now + timedelta(seconds=31))

        self.assertEqual(self.told(), [])

    def test_goes_on_without_the_database(self) -> None:
        self.machine.taken(10, 3)
        with mock.patch.object(TokensTaken.objects, "create", side_effect=OperationalError):
            self.machine.exchange.go_on_if_due(self.now)

        self.machine.seconds = 1
        self.machine.exchange.go_on_if_due(self.now)
        self.assertEqual(self.told(), [])
