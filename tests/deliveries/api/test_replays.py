"""``/replays/``, and resuming at a rate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.utils import timezone

from deliveries.models import Delivery, Release, Replay
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.execution.replays import feed, make_dead
from tests.factories import make_delivery, make_endpoint, make_event, make_route

URL = f"{API}/replays/"


class ReplayCase(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.orders = make_route(make_endpoint(slug="orders"), name="book it")
        self.sales = make_route(make_endpoint(slug="sales"), name="count it")
        make_dead(3, route=self.orders)
        make_dead(2, route=self.sales)
        make_dead(1, route=self.sales, status="succeeded")
        make_delivery(self.orders)

    def order(self, **body: Any) -> dict[str, Any]:
        response = self.client.post(URL, body)
        self.assertEqual(response.status_code, 202, response.content)
        answer: dict[str, Any] = response.json()
        return answer


class OrderTests(ReplayCase):
    def test_is_started_and_shows_every_field(self) -> None:
        answer = self.order(filter={"endpoint": "orders"}, from_start=True, rate_per_second=5)

        self.assertEqual(
            set(answer),
            {
                "id", "state", "filter", "from_start", "rate_per_second", "total", "done", "succeeded", "failed",
                "skipped", "created_by", "created_at", "started_at", "finished_at",
            },
        )  # fmt: skip
        self.assertEqual((answer["state"], answer["total"], answer["done"]), ("pending", 3, 0))
        self.assertEqual(answer["filter"], {"endpoint": "orders", "status": ["dead"]})
        self.assertEqual((answer["created_by"], answer["from_start"], answer["rate_per_second"]), ("ada", True, 5.0))
        self.assertEqual(self.client.get(f"{URL}{answer['id']}/").json(), answer)
        self.assertEqual(self.client.get(URL).json()["results"], [answer])

    def test_runs_the_deliveries_in_the_name_of_who_gave_it(self) -> None:
        answer = self.order(filter={"endpoint": "orders"})

        feed()

        moved = Delivery.objects.filter(status="pending", bulk=True, requested_by="ada")
        self.assertEqual(set(moved.values_list("route", flat=True)), {self.orders.pk})
        self.assertEqual(self.client.get(f"{URL}{answer['id']}/").json()["state"], "running")

    def test_is_noted(self) -> None:
        self.order(filter={"endpoint": "orders"})

        self.assertEqual(self.logged(), ["API: Ordered for endpoint orders, dead letters; 3 deliveries."])

    def test_is_about_dead_letters_unless_it_names_a_status(self) -> None:
        self.assertEqual(self.order(all=True)["total"], 5)
        self.assertEqual(self.order(filter={"status": "succeeded"})["total"], 1)
        self.assertEqual(self.order(filter={"status": ["succeeded", "dead"]})["total"], 6)

    def test_takes_each_filter_of_the_list_of_deliveries(self) -> None:
        other = make_route(make_endpoint(slug="charges"), handler="http.forward", config={"url": "http://example.com/"})
        day = datetime(2020, 11, 22, 10, tzinfo=UTC)
        row = make_delivery(
            other,
            event=make_event(other.endpoint, event_type="charge"),
            now=day,
            status="dead",
            finished_at=timezone.now(),
        )
        filters: list[dict[str, Any]] = [
            {"endpoint": "charges"},
            {"route": str(other.pk)},
            {"handler": "http.forward"},
            {"event": str(row.event_id)},
            {"event_type": "charge"},
            {"created_before": "2020-11-22T11:00:00Z"},
            {"created_after": "2020-11-22T10:00:00+00:00", "created_before": "2020-11-22T11:00:00Z"},
        ]
        for given in filters:
            with self.subTest(given=given):
                self.assertEqual(self.order(filter=given)["total"], 1)
        feed()
        self.assertEqual(Replay.objects.filter(listed=1).count(), len(filters))

    def test_takes_deliveries_one_by_one_whatever_their_end(self) -> None:
        dead = Delivery.objects.filter(status="dead").first()
        done = Delivery.objects.get(status="succeeded")
        assert dead is not None

        answer = self.order(deliveries=[str(dead.pk), str(done.pk), str(dead.pk)])

        self.assertEqual((answer["total"], answer["filter"]), (2, {"deliveries": 2}))

    def test_refuses_an_empty_filter_unless_all_is_meant(self) -> None:
        for body in ({}, {"filter": {}}, {"all": False}, {"filter": {}, "rate_per_second": 1}):
            with self.subTest(body=body):
                self.assert_error(self.client.post(URL, body), 400, "validation_error", "filter")
        self.assertFalse(Replay.objects.exists())

    def test_refuses_filters_that_would_take_more_than_was_meant(self) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"endpoint": ""}, "filter.endpoint"),
            ({"endpoint": None}, "filter.endpoint"),
            ({"endpoint": 7}, "filter.endpoint"),
            ({"endpoint": ["a", "b"]}, "filter.endpoint"),
            ({"status": []}, "filter.status"),
            ({"status": ["dead", ""]}, "filter.status"),
            ({"status": "held"}, "filter.status"),
            ({"status": "deadly"}, "filter.status"),
            ({"colour": "red"}, "filter.colour"),
            ({"endpoint_id": str(uuid4())}, "filter.endpoint_id"),
            ({"route": "orders"}, "filter.route"),
            ({"created_after": "yesterday"}, "filter.created_after"),
        ]
        for given, place in wrong:
            with self.subTest(given=given):
                self.assert_error(self.client.post(URL, {"filter": given}), 400, "validation_error", place)
        self.assertFalse(Replay.objects.exists())

    def test_refuses_other_nonsense(self) -> None:
        pk = str(Delivery.objects.all()[0].pk)
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"all": True, "rate_per_second": 0}, "rate_per_second"),
            ({"all": True, "rate_per_second": 1001}, "rate_per_second"),
            ({"all": True, "rate_per_second": "nan"}, "rate_per_second"),
            ({"all": True, "from_begining": True}, "from_begining"),
            ({"deliveries": []}, "deliveries"),
            ({"deliveries": [pk], "filter": {"status": "dead"}}, "deliveries"),
            ({"deliveries": [pk], "all": True}, "deliveries"),
            ({"deliveries": [str(uuid4())]}, "deliveries"),
            ({"deliveries": [str(uuid4()) for _ in range(1001)]}, "deliveries"),
            ({"filter": "dead"}, "filter"),
        ]
        for body, place in wrong:
            with self.subTest(place=place, body=str(body)[:80]):
                self.assert_error(self.client.post(URL, body), 400, "validation_error", place)

    def test_counts_only_when_it_is_a_dry_run(self) -> None:
        response = self.client.post(URL, {"filter": {"status": ["dead", "succeeded"]}, "dry_run": True})

        self.assertEqual(response.status_code, 200)
        row = {"endpoint": "orders", "route": str(self.orders.pk), "route_name": "book it", "status": "dead"}
        answer = response.json()
        self.assertEqual((answer["total"], answer["counts"][0]), (6, {**row, "count": 3}))
        self.assertEqual([item["count"] for item in answer["counts"]], [3, 2, 1])
        self.assertFalse(Replay.objects.exists())
        self.assertEqual(self.logged(), [])

    def test_are_found_by_state(self) -> None:
        first, second = self.order(all=True), self.order(all=True)
        self.client.post(f"{URL}{first['id']}/cancel/")

        found = self.client.get(URL, {"state": ["pending", "running"]}).json()["results"]

        self.assertEqual([item["id"] for item in found], [second["id"]])
        self.assert_error(self.client.get(URL, {"stat": "x"}), 400, "validation_error", "stat")


class MoveTests(ReplayCase):
    def move(self, pk: str, verb: str) -> Any:
        return self.client.post(f"{URL}{pk}/{verb}/")

    def test_pause_resume_and_cancel(self) -> None:
        pk = self.order(all=True)["id"]
        feed()
        self.assertEqual(Delivery.objects.filter(status="dead").count(), 0)

        paused = self.move(pk, "pause")
        self.assertEqual((paused.status_code, paused.json()["state"]), (200, "paused"))
        self.assertEqual(Delivery.objects.filter(status="dead").count(), 5)
        self.assertEqual(self.move(pk, "resume").json()["state"], "running")
        cancelled = self.move(pk, "cancel").json()

        self.assertEqual(cancelled["state"], "cancelled")
        self.assertIsNotNone(cancelled["finished_at"])
        self.assertEqual(self.logged()[1:], ["API: Paused.", "API: Resumed.", "API: Cancelled."])

    def test_are_refused_where_they_make_no_sense(self) -> None:
        pk = self.order(all=True)["id"]

        self.assert_error(self.move(pk, "resume"), 409, "conflict")
        self.move(pk, "cancel")
        for verb in ("pause", "resume", "cancel"):
            self.assertIn("cancelled", self.assert_error(self.move(pk, verb), 409, "conflict")["detail"])
        self.assert_error(self.move(str(uuid4()), "pause"), 404, "not_found")
        self.assertEqual(len(self.logged()), 2)

    def test_are_for_operators(self) -> None:
        pk = self.order(all=True)["id"]
        viewer, operator = (client_of(make_user(role, role=role)) for role in ("viewer", "operator"))

        self.assertEqual(viewer.get(f"{URL}{pk}/").status_code, 200)
        self.assert_error(viewer.post(f"{URL}{pk}/pause/"), 403, "permission_denied")
        self.assertEqual(operator.post(f"{URL}{pk}/pause/").status_code, 200)


class ResumeAtARateTests(ReplayCase):
    def test_lets_go_one_after_the_other_and_shows_how_far_it_is(self) -> None:
        for _ in range(3):
            make_delivery(self.orders, status="held")
        for address in (f"{API}/endpoints/orders", f"{API}/routes/{self.orders.pk}"):
            with self.subTest(address=address):
                self.client.post(f"{address}/pause/")
                answer = self.client.post(f"{address}/resume/", {"rate_per_second": 0.1})

                self.assertEqual(answer.status_code, 200, answer.content)
                release = answer.json()["release"]
                self.assertEqual((release["total"], release["released"], release["created_by"]), (4, 0, "ada"))
                self.assertEqual(self.client.get(f"{address}/").json()["release"], release)
                feed()
                listed = self.client.get(f"{address.rsplit('/', 1)[0]}/").json()["results"]
                self.assertEqual([row["release"]["released"] for row in listed if row["release"]], [1])
                self.assertIsNone(self.client.post(f"{address}/pause/").json()["release"])
                self.client.post(f"{address}/resume/")

        self.assertEqual(set(Release.objects.values_list("state", flat=True)), {"stopped"})

    def test_refuses_rates_that_are_none(self) -> None:
        for rate in (0, -1, "fast", 1e9):
            response = self.client.post(f"{API}/endpoints/orders/resume/", {"rate_per_second": rate})
            self.assert_error(response, 400, "validation_error", "rate_per_second")
        response = self.client.post(f"{API}/endpoints/orders/pause/", {"rate_per_second": 1})
        self.assert_error(response, 400, "validation_error", "rate_per_second")
