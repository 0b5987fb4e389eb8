"""The first page says what went on in a window of time."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, restrict
from tests.factories import make_endpoint


class ActivityTests(TestCase):
    def test_says_that_nothing_happened(self) -> None:
        self.assertContains(logged_in("viewer").get("/admin/"), "Nothing happened since")

    def test_counts_what_happened_in_the_chosen_window(self) -> None:
        now, orders = timezone.now(), make_endpoint(slug="orders")
        for at in (now, now - timedelta(hours=5)):
            counting.add(Measure.ACCEPTED, orders.pk, at=at)
        for measure, count in ((Measure.SUCCEEDED, 3), (Measure.DEAD, 1)):
            counting.add(measure, orders.pk, at=now, count=count)
        counting.time(Measure.DONE, orders.pk, at=now, seconds=0.05)
        counting.flush()
        client = logged_in("viewer")

        for query, accepted in (("", 2), ("?window=1h", 1), ("?window=7d", 2), ("?window=nonsense", 2)):
            found = client.get(f"/admin/{query}").context["activity"]
            lines = [(line.slug, line.accepted, line.rate) for line in found.endpoints]
            self.assertEqual(lines, [("orders", accepted, "75.0%")])
            self.assertEqual(found.figures[0].value, str(accepted))
            self.assertIn(" ms", found.figures[-1].value)

    def test_draws_what_was_accepted_refused_and_given_up_over_one_another(self) -> None:
        now, orders = timezone.now(), make_endpoint(slug="orders")
        for measure, count in ((Measure.ACCEPTED, 6), (Measure.REFUSED, 3), (Measure.DEAD, 1)):
            counting.add(measure, orders.pk, at=now, count=count)
        counting.add(Measure.ACCEPTED, orders.pk, at=now - timedelta(hours=3), count=5)
        counting.flush()

        page = logged_in("viewer").get("/admin/?window=24h")

        drawn = page.context["activity"].chart
        self.assertEqual(drawn.top, 10)
        self.assertEqual([bar.counts for bar in drawn.rows], [[6, 3, 1], [5, 0, 0]])
        self.assertEqual([(piece.y, piece.height) for piece in drawn.bars[-1].pieces], [(40, 60), (10, 30), (0, 10)])
        self.assertEqual([(piece.y, piece.height) for piece in drawn.bars[-4].pieces], [(50, 50)])
        self.assertContains(page, "<rect", count=4)
        self.assertContains(page, "As a table")

    def test_shows_nothing_of_another_group(self) -> None:
        ours, theirs, user = Team(OURS), Team(THEIRS), make_user("viewer")
        restrict(user, ours.group)
        for team in (ours, theirs):
            counting.add(Measure.ACCEPTED, team.endpoint.pk, at=timezone.now())
        counting.flush()
        self.client.force_login(user)

        page = self.client.get("/admin/")

        self.assertContains(page, f"{OURS}-endpoint")
        self.assertNotContains(page, THEIRS)
        self.assertEqual(page.context["activity"].figures[0].value, "1")

    def test_takes_as_many_queries_for_many_endpoints_as_for_one(self) -> None:
        client = logged_in("viewer")
        queries = []
        for _ in range(2):
            for _ in range(4):
                counting.add(Measure.ACCEPTED, make_endpoint().pk, at=timezone.now())
            counting.flush()
            client.get("/admin/")
            with CaptureQueriesContext(connection) as found:
                client.get("/admin/")
            queries.append(len(found))
        self.assertEqual(queries[0], queries[1])
