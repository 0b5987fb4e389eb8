"""``GET /stats/``."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from tests.deliveries.api.cases import API, ApiTestCase
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, restrict
from tests.factories import make_delivery, make_endpoint, make_route

URL = f"{API}/stats/"


class StatsTests(ApiTestCase):
    def test_counts_by_endpoint_status_and_hour(self) -> None:
        now = timezone.now()
        orders, other = make_endpoint(slug="orders"), make_endpoint(slug="other")
        for endpoint, at in ((orders, now), (orders, now - timedelta(hours=5)), (other, now)):
            counting.add(Measure.ACCEPTED, endpoint.pk, at=at)
        counting.add(Measure.ACCEPTED, orders.pk, at=now - timedelta(hours=26))
        counting.time(Measure.ACK, orders.pk, at=now, seconds=0.004)
        counting.flush()

        found = self.client.get(URL).json()

        self.assertEqual((found["window"], found["slot_seconds"]), ("24h", 3600))
        self.assertEqual([found["counts"]["accepted"], found["counts"]["dead"]], [3, 0])
        self.assertEqual([slot["accepted"] for slot in found["slots"] if slot["accepted"]], [1, 2])
        self.assertEqual([item["endpoint"] for item in found["endpoints"]], ["orders", "other"])
        self.assertEqual([slot["accepted"] for slot in found["endpoints"][0]["slots"]], [1, 1])
        self.assertAlmostEqual(found["latency_ms"]["ack"]["p50"], 4, delta=1)
        self.assertIsNone(found["latency_ms"]["handler"]["p95"])
        one = self.client.get(f"{URL}?endpoint=other&window=15m").json()
        self.assertEqual((one["counts"]["accepted"], one["slot_seconds"]), (1, 60))

    def test_says_how_much_waits_and_for_how_long(self) -> None:
        now = timezone.now()
        route = make_route(make_endpoint(slug="orders"))
        make_delivery(route, due_at=now - timedelta(seconds=90))
        make_delivery(route, due_at=now + timedelta(hours=1))
        make_delivery(make_route(make_endpoint(), paused=True), due_at=now - timedelta(hours=9))

        found = self.client.get(URL).json()["queue"]

        self.assertEqual((found["depth"], found["is_at_least"]), (1, False))
        self.assertAlmostEqual(found["oldest_due_seconds"], 90, delta=10)
        self.assertEqual(self.client.get(f"{URL}?endpoint=none").json()["queue"]["depth"], 0)

    def test_names_what_it_does_not_understand(self) -> None:
        self.assert_error(self.client.get(f"{URL}?window=1y"), 400, "validation_error", "window")
        self.assert_error(self.client.get(f"{URL}?windw=1h"), 400, "validation_error", "windw")
        self.assert_error(self.client.get(f"{URL}?endpoint=%00"), 400, "validation_error", "endpoint")

    def test_has_nothing_of_another_group(self) -> None:
        ours, theirs = Team(OURS), Team(THEIRS)
        restrict(self.user, ours.group)
        for team in (ours, theirs):
            counting.add(Measure.ACCEPTED, team.endpoint.pk, at=timezone.now())
        counting.flush()

        for query in ("", f"?endpoint={THEIRS}-endpoint"):
            answer = self.client.get(URL + query)
            self.assertNotIn(THEIRS, answer.content.decode())
            self.assertEqual(answer.json()["counts"]["accepted"], 0 if query else 1)
            self.assertEqual(answer.json()["queue"]["depth"], 0 if query else 1)

    def test_takes_the_same_few_queries_for_any_number_of_endpoints(self) -> None:
        for number in range(5):
            counting.add(Measure.ACCEPTED, make_endpoint(slug=f"e{number}").pk, at=timezone.now())
        make_route(make_endpoint())
        counting.flush()
        self.client.get(URL)

        with self.assertNumQueries(12):
            self.client.get(URL)
