"""The first page says what went on in a window of time."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from unittest import mock

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from deliveries.admin import endpoint_lines
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, restrict
from tests.factories import make_endpoint, make_event


class ActivityTests(TestCase):
    def test_says_that_nothing_happened(self) -> None:
        self.assertNotContains(logged_in("viewer").get("/admin/"), "Activity", msg_prefix="nothing can happen yet")
        make_endpoint()
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
            cards = {card.title: card.value for card in found.cards}
            self.assertEqual((cards["Accepted"], cards["Succeeded"], cards["Gave up"]), (str(accepted), "3", "1"))
            self.assertIn(" ms", cards["Receipt to done"])

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
        paths = [
            (kind, [bar.partition("h")[0].split()[1] for bar in path.split("M")[1:]]) for kind, path in drawn.drawn
        ]
        self.assertEqual(paths, [("accepted", ["50.00", "40.00"]), ("refused", ["10.00"]), ("dead", ["0.00"])])
        self.assertIn("v60.00h", drawn.drawn[0][1])
        self.assertContains(page, "As a table")

    def test_draws_a_week_in_bars_of_three_hours(self) -> None:
        now, orders = timezone.now(), make_endpoint(slug="orders")
        for hours in range(7 * 24):
            counting.add(Measure.ACCEPTED, orders.pk, at=now - timedelta(hours=hours))
        counting.flush()

        drawn = logged_in("viewer").get("/admin/?window=7d").context["activity"].chart

        self.assertEqual(len(drawn.bars), 57)
        self.assertEqual(sum(bar.counts[0] for bar in drawn.bars), 168)
        self.assertEqual({second.at - first.at for first, second in pairwise(drawn.bars)}, {timedelta(hours=3)})

    def test_draws_the_same_where_numbers_have_decimal_commas(self) -> None:
        now, orders = timezone.now(), make_endpoint(slug="orders")
        for minutes, count in ((0, 3), (20, 7)):
            counting.add(Measure.ACCEPTED, orders.pk, at=now - timedelta(minutes=minutes), count=count)
        counting.flush()

        with translation.override("de"):
            page = logged_in("viewer").get("/admin/?window=1h").content.decode()

        [path] = re.findall(
            r'<svg viewBox="0 0 1000 100".*?<path class="hub-fill-accepted" d="([^"]*)"', page, re.DOTALL
        )
        self.assertEqual(path.count("M"), 2)
        self.assertNotIn(",", path)

    def test_draws_answers_against_the_strictest_deadline_and_how_long_handlers_ran(self) -> None:
        now, orders = timezone.now(), make_endpoint(slug="orders", provider="github")
        make_endpoint(provider="slack")
        make_endpoint(provider="line", state="disabled")
        for at, seconds in ((now, 0.02), (now - timedelta(hours=2), 2.0)):
            counting.time(Measure.ACK, orders.pk, at=at, seconds=seconds)
        counting.flush()

        page = logged_in("viewer").get("/admin/")

        answers, handlers = page.context["activity"].timings
        assert answers.limit is not None
        self.assertEqual((answers.limit.name, answers.limit.milliseconds), ("Slack waits 3 s", 3000))
        self.assertEqual([mark.name for mark in answers.marks], ["10 ms", "100 ms", "1.0 s", "10.0 s"])
        self.assertEqual([row.count for row in answers.rows], [1, 1])
        self.assertEqual(answers.lines[0].path.count("M"), 2, "a gap where nothing was timed")
        self.assertEqual(handlers.lines, [])
        self.assertContains(page, "Slack waits 3 s")
        self.assertContains(page, "Nothing was timed since")

    def test_has_a_line_with_a_sparkline_for_every_endpoint_in_service(self) -> None:
        now, busy, idle = timezone.now(), make_endpoint(slug="busy"), make_endpoint(slug="idle", state="paused")
        make_endpoint(slug="gone", retired_at=now)
        event = make_event(busy)
        for measure, at, count in ((Measure.ACCEPTED, now, 3), (Measure.REFUSED, now, 1)):
            counting.add(measure, busy.pk, at=at, count=count)
        counting.flush()

        page = logged_in("viewer").get("/admin/?window=1h")

        first, second = page.context["activity"].endpoints
        self.assertEqual((first.slug, first.last_event_at, first.state), ("busy", event.received_at, ""))
        self.assertEqual([kind for kind, _ in first.drawn], ["accepted", "refused"])
        self.assertIn(f"h{120 / 61 * 0.8:.2f}v18.0h", first.drawn[0][1])
        self.assertEqual((second.slug, second.last_event_at, second.drawn, second.rate), ("idle", None, [], "–"))
        self.assertContains(page, 'class="hub-spark"', count=1)
        self.assertEqual(second.pk, idle.pk)

    def test_shows_the_busiest_of_many_endpoints_and_says_so(self) -> None:
        now, busy = timezone.now(), make_endpoint(slug="z-busy")
        for number in range(3):
            make_endpoint(slug=f"idle-{number}")
        counting.add(Measure.ACCEPTED, busy.pk, at=now)
        counting.flush()

        with mock.patch.object(endpoint_lines, "MOST_LINES", 2):
            page = logged_in("viewer").get("/admin/")

        self.assertEqual([line.slug for line in page.context["activity"].endpoints], ["idle-0", "z-busy"])
        self.assertContains(page, "the 2 busiest; 2 more are in the list")

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
        self.assertEqual(page.context["activity"].cards[0].value, "1")

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
