"""What keeps deliveries from getting done is what an operator has to know of."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from deliveries.concerns import Concern, Kind, Level, Page, Place, Sight, concerns, executing, sight
from deliveries.models import Worker
from integrations.models import Endpoint, Route
from tests.deliveries.admin.people import make_user
from tests.deliveries.concerns.history import hear_every_week
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, restrict
from tests.factories import make_delivery, make_endpoint, make_route
from tests.running_hub import ROOT


class ExecutingTestCase(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        self.route = make_route(make_endpoint(slug="shop"), name="to the ERP")

    def found(self, *kinds: Kind) -> list[Concern]:
        return [concern for concern in concerns(Sight(None, now=self.now)) if concern.kind in kinds]

    def worker(self, name: str = "w", *, silent_seconds: float = 1, **values: object) -> Worker:
        beat_at = self.now - timedelta(seconds=silent_seconds)
        return Worker.objects.create(name=name, started_at=self.now, beat_at=beat_at, **values)


class WorkerTests(ExecutingTestCase):
    def test_are_missed_where_none_is_heard_of(self) -> None:
        self.worker(silent_seconds=31)
        [concern] = self.found(Kind.NO_WORKER)
        self.assertEqual((concern.level, concern.place.page), (Level.PROBLEM, Page.WORKERS))
        self.assertIn("No worker is heard of", concern.text)

    def test_are_missed_where_all_are_stopping(self) -> None:
        self.worker(stopping=True)
        self.assertIn("Every worker that is alive is stopping", self.found(Kind.NO_WORKER)[0].text)
        self.worker("next")
        self.assertEqual(self.found(Kind.NO_WORKER), [])

    def test_are_told_where_they_went_silent_at_work(self) -> None:
        gone = self.worker("gone", silent_seconds=90, running=2)
        for name, seconds, values in (
            ("alive", 1, {"running": 2}),
            ("idle", 90, {}),
            ("stopped", 90, {"running": 1, "stopping": True}),
            ("long ago", 7200, {"running": 1}),
        ):
            self.worker(name, silent_seconds=seconds, **values)

        [concern] = self.found(Kind.SILENT_WORKER)

        self.assertEqual((concern.about, concern.place.pk, concern.since), ("gone", gone.pk, gone.beat_at))
        self.assertIn("while it ran 2 deliveries", concern.text)


class QueueTests(ExecutingTestCase):
    def test_is_told_when_it_grows_old(self) -> None:
        make_delivery(self.route, due_at=self.now - timedelta(seconds=59))
        self.assertEqual(self.found(Kind.QUEUE_AGE), [])

        late = make_delivery(self.route, due_at=self.now - timedelta(seconds=61))
        [concern] = self.found(Kind.QUEUE_AGE)
        self.assertEqual((concern.level, concern.count, concern.since), (Level.WARNING, 2, late.due_at))

        make_delivery(self.route, due_at=self.now - timedelta(seconds=301))
        self.assertEqual(self.found(Kind.QUEUE_AGE)[0].level, Level.PROBLEM)

    def test_says_that_all_workers_are_busy(self) -> None:
        make_delivery(self.route, due_at=self.now - timedelta(minutes=2))
        self.worker(threads=4, running=4)
        self.assertIn("All workers are busy (4 of 4 threads)", self.found(Kind.QUEUE_AGE)[0].next_step)

    def test_is_not_old_where_it_is_paused(self) -> None:
        make_delivery(self.route, due_at=self.now - timedelta(minutes=9))
        Route.objects.update(paused=True)
        self.assertEqual(self.found(Kind.QUEUE_AGE), [])


class DeadLetterTests(ExecutingTestCase):
    def test_are_told_by_route_the_most_first(self) -> None:
        other = make_route(self.route.endpoint, name="to the CRM")
        for route, count in ((self.route, 1), (other, 2)):
            for _ in range(count):
                make_delivery(route, status="dead", finished_at=self.now)

        first, second = self.found(Kind.DEAD_LETTERS)

        self.assertEqual((first.about, first.text), ("shop → to the CRM", "2 deliveries gave up."))
        self.assertEqual((second.about, second.text), ("shop → to the ERP", "1 delivery gave up."))
        self.assertEqual(first.place, Place(Page.DELIVERIES, filters={"status": "dead", "route": str(other.pk)}))

    def test_are_counted_up_to_a_bound(self) -> None:
        for _ in range(3):
            make_delivery(self.route, status="dead", finished_at=self.now)
        for bound, text in ((2, "2 or more deliveries gave up."), (3, "3 deliveries gave up.")):
            with mock.patch.object(sight, "MOST_DEAD", bound), mock.patch.object(executing, "MOST_DEAD", bound):
                self.assertEqual(self.found(Kind.DEAD_LETTERS)[0].text, text)


class BlockedKeyTests(ExecutingTestCase):
    def test_are_told_where_they_need_an_order(self) -> None:
        Route.objects.update(ordering_key="customer")
        make_delivery(self.route, status="dead", finished_at=self.now, ordering_key="anna", ordinal=1)
        self.assertEqual(self.found(Kind.BLOCKED_KEYS), [])

        make_delivery(self.route, ordering_key="anna", ordinal=2, blocked=True)

        [concern] = self.found(Kind.BLOCKED_KEYS)
        self.assertEqual(concern.text, "1 ordering key stands still behind what gave up.")


class BacklogTests(ExecutingTestCase):
    def hold(self, route: Route, *, hours: float) -> None:
        make_delivery(route, status="held", now=self.now - timedelta(hours=hours))

    def test_is_told_of_a_paused_route_that_still_gets_more(self) -> None:
        Route.objects.update(paused=True)
        for hours in (0.1, 5):
            self.hold(self.route, hours=hours)

        [concern] = self.found(Kind.BACKLOG)

        self.assertEqual((concern.about, concern.place), ("shop → to the ERP", Place(Page.ROUTE, self.route.pk)))
        self.assertIn("2 held, 1 of them from the last hour", concern.text)

    def test_is_told_once_of_a_paused_endpoint(self) -> None:
        Endpoint.objects.update(state="paused")
        for route in (self.route, make_route(self.route.endpoint, paused=True)):
            self.hold(route, hours=0.1)

        [concern] = self.found(Kind.BACKLOG)

        self.assertEqual((concern.about, concern.place.page, concern.count), ("shop", Page.ENDPOINT, 2))

    def test_is_not_told_where_nothing_is_added_or_nothing_is_paused(self) -> None:
        self.hold(self.route, hours=0.1)
        self.assertEqual(self.found(Kind.BACKLOG), [])
        Route.objects.update(paused=True)
        self.assertEqual(len(self.found(Kind.BACKLOG)), 1)
        self.now += timedelta(hours=2)
        self.assertEqual(self.found(Kind.BACKLOG), [])


class ConcernsTests(TestCase):
    def test_show_nothing_of_another_group(self) -> None:
        now, user = timezone.now(), make_user("administrator")
        for word in (OURS, THEIRS):
            team = Team(word)
            if word == OURS:
                restrict(user, team.group)
            hear_every_week(team.endpoint, now, [40] * 4)
            Route.objects.filter(pk=team.route.pk).update(paused=True)
            make_delivery(team.route, status="held", now=now)

        found = concerns(Sight(user, now=now))

        self.assertEqual({concern.kind for concern in found}, {"no_worker", "dead_letters", "backlog", "silence"})
        self.assertEqual([concern for concern in found if THEIRS in repr(concern)], [])
        self.assertEqual(len(concerns(Sight(None, now=now))), 2 * len(found) - 1)

    def test_are_for_who_may_see_what_they_are_about(self) -> None:
        make_delivery(make_route(make_endpoint()), status="dead", finished_at=timezone.now())
        self.assertEqual(concerns(Sight(make_user("nobody"), now=timezone.now())), [])

    def test_take_as_many_queries_for_many_rows_as_for_one(self) -> None:
        now = timezone.now()
        for _ in range(2):
            for _ in range(3):
                route = make_route(make_endpoint())
                make_delivery(route, status="dead", finished_at=now)
                make_delivery(route, due_at=now - timedelta(minutes=3))
            # endpoints, routes, workers, queue, dead letters, keys, traffic, circuits (two); the disk's two
            with self.assertNumQueries(11):
                concerns(Sight(None, now=now))


class OrderTests(SimpleTestCase):
    def test_is_problems_first_then_kinds_then_how_much(self) -> None:
        def concern(kind: Kind, level: Level, about: str, count: int = 0) -> Concern:
            return Concern(kind, level, about, "", "", Place(Page.WORKERS), count)

        wanted = [
            concern(Kind.NO_WORKER, Level.PROBLEM, "e"),
            concern(Kind.DEAD_LETTERS, Level.PROBLEM, "d", 9),
            concern(Kind.DEAD_LETTERS, Level.PROBLEM, "c", 2),
            concern(Kind.QUEUE_AGE, Level.WARNING, "b"),
            concern(Kind.SILENCE, Level.WARNING, "a"),
        ]
        mixed = [wanted[number] for number in (3, 1, 4, 0, 2)]
        self.assertEqual(sorted(mixed, key=lambda one: one.rank), wanted)


class DocumentationTests(SimpleTestCase):
    def test_explains_every_kind(self) -> None:
        page = (ROOT / "docs" / "how-to" / "see-what-needs-attention.md").read_text(encoding="utf-8")
        told = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
        self.assertEqual(sorted(told), sorted(Kind))
