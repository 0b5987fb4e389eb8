"""Who is let in while requests wait for a thread: step by step, and over a minute with a server that is drawn."""

from __future__ import annotations

from django.test import SimpleTestCase

from deliveries.overload.flow import HIGHEST, Flow, Passed
from deliveries.overload.judging import Limits, Standing, feel
from deliveries.overload.sharing import Share, share
from tests.deliveries.overload.servers import DrawnServer

BOUND = 0.25


def passed(wait: float | None, *, let_in: int = 25, **came: int) -> Passed:
    """Return a quarter of a second in which so many events came, ``p5=20`` for twenty of priority 5."""
    counts = tuple(came.get(f"p{priority}", 0) for priority in range(HIGHEST + 1))
    return Passed(0.25, counts, let_in, wait)


def rates(**of: float) -> tuple[float, ...]:
    return tuple(of.get(f"p{priority}", 0.0) for priority in range(HIGHEST + 1))


class APressure(SimpleTestCase):
    def test_is_where_the_budget_ends_when_the_highest_come_first(self) -> None:
        coming = rates(p9=10, p5=80, p2=30)

        for budget, pressure in ((None, 0.0), (120, 0.0), (105, 2.5), (90, 3.0), (50, 5.5), (18, 5.9)):
            with self.subTest(budget=budget):
                self.assertAlmostEqual(Share(coming, 100, budget).pressure, pressure)

    def test_leaves_a_part_to_those_below_the_highest(self) -> None:
        """Here the highest take more than there is: a sixteenth of the capacity is for others all the same."""
        self.assertAlmostEqual(Share(rates(p9=300, p5=100), 160, 50).pressure, 5.9)

    def test_never_reaches_the_highest(self) -> None:
        found = Share(rates(p9=500, p8=1000), 160, 50)

        self.assertFalse(Standing(pressure=found.pressure).sheds(9, dice=0.0))
        self.assertTrue(Standing(pressure=found.pressure).sheds(7, dice=0.999))

    def test_refuses_a_part_of_one_priority(self) -> None:
        standing = Standing(pressure=5.25)

        self.assertEqual(sum(standing.sheds(5, dice=number / 100) for number in range(100)), 25)
        self.assertTrue(standing.sheds(4, dice=0.999))


class RequestsThatWait(SimpleTestCase):
    def after(self, *looks: Passed) -> Share:
        found = Share()
        for look in looks:
            found = share(found, look, BOUND)
        return found

    def test_at_two_looks_halve_what_is_let_in_and_then_lessen_it(self) -> None:
        look = passed(0.3, p5=25)
        budgets = [self.after(*[look] * times).budget for times in (1, 2, 3, 4)]

        self.assertIsNone(budgets[0])
        self.assertEqual([round(budget or 0) for budget in budgets[1:]], [50, 35, 24])

    def test_that_wait_less_already_refuse_nobody(self) -> None:
        self.assertIsNone(self.after(*[passed(wait, p5=25) for wait in (0.9, 0.6, 0.4, 0.3, 0.2)]).budget)

    def test_halve_what_was_let_in_before_all_stood_still(self) -> None:
        stuck = passed(0.5, let_in=1, p5=1)

        budget = self.after(*[passed(0.0, p5=25)] * 8, stuck, stuck).budget

        self.assertGreater(budget or 0, 0.5 * 100 / 2)

    def test_lessen_nothing_while_they_wait_less_and_less(self) -> None:
        before = self.after(*[passed(1.0, p5=25)] * 2)

        self.assertEqual(share(before, passed(0.5, p5=25), BOUND).budget, before.budget)

    def test_leave_something_however_long_they_wait(self) -> None:
        self.assertEqual(self.after(*[passed(1.0, p5=25)] * 40).budget, 100 / 16)

    def test_within_the_bound_refuse_nobody(self) -> None:
        self.assertIsNone(self.after(*[passed(0.25, p5=25)] * 10).budget)

    def test_no_longer_let_in_more_by_and_by(self) -> None:
        looks = [passed(1.0, p5=25)] * 3
        budgets = [self.after(*looks, *[passed(0.0, p5=100)] * times).budget or 0 for times in (0, 1, 2)]

        self.assertEqual([round(budget, 1) for budget in budgets], [35, 38.1, 41.2])
        self.assertAlmostEqual(self.after(*looks, passed(0.125, p5=100)).budget or 0, 36.6, places=1)

    def test_that_no_longer_come_refuse_nobody(self) -> None:
        self.assertIsNone(self.after(*[passed(1.0, p5=25)] * 2, *[passed(None, let_in=0)] * 12).budget)

    def test_after_all_stood_still_are_let_in_again_within_seconds(self) -> None:
        """What was let in meanwhile says nothing of what the server can do."""
        stuck = self.after(*[passed(3.0, let_in=0, p5=1)] * 2)
        self.assertIsNotNone(stuck.budget)

        found = stuck
        for _ in range(8):
            found = share(found, passed(0.0, let_in=1, p5=1), BOUND)
        self.assertIsNone(found.budget)

    def test_without_a_bound_refuse_nobody(self) -> None:
        found = feel(Standing(pressure=7.0), passed(10.0, p5=25), Limits())

        self.assertFalse(found.is_shedding)

    def test_are_judged_by_the_shortest_wait(self) -> None:
        clock = [0.0]
        flow = Flow(clock=lambda: clock[0])
        for seconds in (0.5, 0.01, 2):
            flow.waited(seconds)
        flow.came(5, let_in=True)
        flow.came(5, let_in=False)
        clock[0] = 0.25

        found = flow.take()

        self.assertEqual((found.shortest_wait, found.seconds, found.let_in), (0.01, 0.25, 1))
        self.assertEqual(found.came, (0, 0, 0, 0, 0, 2, 0, 0, 0, 0))
        self.assertIsNone(flow.take().shortest_wait)

    def test_are_not_judged_by_those_that_jump_the_queue_unless_all_do(self) -> None:
        flow = Flow()
        for seconds, is_urgent in ((0.01, True), (0.5, False), (0.2, True), (0.6, False)):
            flow.waited(seconds, is_urgent=is_urgent)
        mixed = flow.take()
        for seconds in (0.4, 0.3):
            flow.waited(seconds, is_urgent=True)

        self.assertEqual((mixed.shortest_wait, flow.take().shortest_wait), (0.5, 0.3))


class AServerAtThreeTimesItsCapacity(SimpleTestCase):
    def test_answers_what_is_critical_in_time_and_goes_on_letting_in_what_it_can(self) -> None:
        """To refuse costs a fifth: beside what is critical, 0.375 of the capacity is all that could be let in."""
        server = DrawnServer(capacity=200, refusing=0.2)

        sent = server.serve({9: 20, 5: 600}, seconds=30)

        critical = sent[9].let_in()
        self.assertEqual(len(critical), len(sent[9].answers))
        self.assertLess(critical[-1], 1.0)
        self.assertGreater(len(sent[5].let_in(after=3)), 0.25 * 27 * 200)

    def test_that_cannot_even_refuse_so_many_still_lets_in_some(self) -> None:
        sent = DrawnServer(capacity=200, refusing=0.4).serve({9: 20, 5: 600}, seconds=20)

        self.assertGreater(len(sent[5].let_in(after=3)), 0.03 * 17 * 200)

    def test_lets_in_the_higher_priority_first(self) -> None:
        sent = DrawnServer(capacity=200, refusing=0.1).serve({7: 80, 3: 520}, seconds=20)

        self.assertGreater(len(sent[7].let_in()) / len(sent[7].answers), 0.85)
        self.assertLess(len(sent[3].let_in()) / len(sent[3].answers), 0.3)

    def test_takes_in_everything_again_within_seconds_of_its_end(self) -> None:
        server = DrawnServer(capacity=200, refusing=0.2)
        server.serve({5: 600}, seconds=20)
        server.serve({5: 100}, seconds=10)

        sent = server.serve({5: 100}, seconds=5)

        self.assertEqual(len(sent[5].let_in()), len(sent[5].answers))
        self.assertLess(sent[5].let_in()[-1], 0.25)


class AServerThatStandsStillForAMoment(SimpleTestCase):
    def test_refuses_nobody_where_it_can_make_up_for_it(self) -> None:
        for seconds in (0.3, 0.6, 1.0):
            with self.subTest(seconds=seconds):
                sent = DrawnServer(capacity=200, refusing=0.2).serve({5: 80}, seconds=20, still=(5, 5 + seconds))

                self.assertEqual(len(sent[5].let_in()), len(sent[5].answers))

    def test_for_long_refuses_some_for_seconds_and_no_longer(self) -> None:
        sent = DrawnServer(capacity=200, refusing=0.2).serve({5: 120}, seconds=30, still=(5, 8))

        refused = [due for due, _, good in sent[5].answers if not good]
        self.assertLess(len(refused), 0.15 * len(sent[5].answers))
        self.assertLess(max(refused, default=0), 13)
