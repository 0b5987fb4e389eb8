"""What is refused when, step by step and without a database."""

from __future__ import annotations

from django.test import SimpleTestCase

from deliveries.overload.judging import Facts, Limits, Room, Standing, judge, queue_bound

MB = 1024**2


class AQueue(SimpleTestCase):
    limits = Limits(queue_seconds=90)

    def bar(self, ages: dict[int, float] | None, before: int = 0) -> int:
        return judge(Standing(queue_bar=before), Facts(ages), self.limits).queue_bar

    def test_that_is_young_refuses_nobody(self) -> None:
        self.assertEqual((self.bar({}), self.bar({0: 89, 9: 89})), (0, 0))

    def test_refuses_the_lowest_priority_first_and_the_highest_at_twice_the_age(self) -> None:
        self.assertEqual([queue_bound(priority, 90) for priority in (0, 5, 9)], [90, 140, 180])
        for age, bar in ((91, 1), (139, 5), (141, 6), (179, 9), (181, 10)):
            with self.subTest(age=age):
                self.assertEqual(self.bar({9: age}), bar)

    def test_of_a_low_priority_refuses_nobody_above_it(self) -> None:
        self.assertEqual(self.bar({2: 10_000}), 3)
        self.assertEqual(self.bar({2: 10_000, 9: 95}), 3)

    def test_goes_on_refusing_until_it_is_half_as_old(self) -> None:
        self.assertEqual(self.bar({9: 100}, before=6), 6)
        self.assertEqual(self.bar({9: 71}, before=6), 6)
        self.assertEqual(self.bar({9: 69}, before=6), 5)
        self.assertEqual(self.bar({9: 44}, before=6), 0)

    def test_that_is_not_known_counts_as_it_was(self) -> None:
        self.assertEqual(self.bar(None, before=4), 4)

    def test_refuses_nobody_without_a_limit(self) -> None:
        found = judge(Standing(queue_bar=9), Facts({0: 1e9}), Limits())

        self.assertFalse(found.is_shedding)


class ADisk(SimpleTestCase):
    limits = Limits(free_bytes=100 * MB)

    def room(self, free: int | None, before: Room = Room.ENOUGH) -> Room:
        return judge(Standing(room=before), Facts(free_bytes=free), self.limits).room

    def test_pauses_workers_before_it_refuses_events(self) -> None:
        found = [self.room(megabytes * MB) for megabytes in (201, 199, 101, 99)]

        self.assertEqual(found, [Room.ENOUGH, Room.LITTLE, Room.LITTLE, Room.NONE])
        self.assertEqual([Standing(room=room).pauses_workers for room in Room], [False, True, True])

    def test_has_room_again_with_a_tenth_more(self) -> None:
        self.assertEqual(self.room(105 * MB, Room.NONE), Room.NONE)
        self.assertEqual(self.room(111 * MB, Room.NONE), Room.LITTLE)
        self.assertEqual(self.room(215 * MB, Room.LITTLE), Room.LITTLE)
        self.assertEqual(self.room(221 * MB, Room.NONE), Room.ENOUGH)

    def test_that_is_not_seen_or_not_guarded_is_no_reason(self) -> None:
        self.assertEqual(self.room(None, Room.NONE), Room.ENOUGH)
        self.assertEqual(judge(Standing(), Facts(free_bytes=0), Limits()).room, Room.ENOUGH)


class ASwitch(SimpleTestCase):
    def test_pauses_workers_and_refuses_nobody(self) -> None:
        found = judge(Standing(), Facts(accept_only_by="ada"), Limits())

        self.assertTrue(found.pauses_workers)
        self.assertFalse(found.is_shedding)

    def test_stays_as_it_was_while_the_database_is_away(self) -> None:
        found = judge(Standing(accept_only_by="ada"), Facts(None, accept_only_by=None), Limits())

        self.assertEqual(found.accept_only_by, "ada")
