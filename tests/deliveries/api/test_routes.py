"""``/routes/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.utils import timezone

from deliveries.models import DeliveryStatus
from integrations.handlers import Handler, handlers
from integrations.models import Route
from tests.deliveries.api.cases import API, ApiTestCase
from tests.factories import make_delivery, make_endpoint, make_route

URL = f"{API}/routes/"


class RouteTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders")

    def test_are_made_with_the_hubs_defaults(self) -> None:
        response = self.client.post(URL, {"endpoint": "orders", "name": "note it", "handler": "log"})

        self.assertEqual(response.status_code, 201, response.content)
        answer = response.json()
        self.assertEqual(
            set(answer),
            {
                "id", "endpoint", "name", "events", "filter", "handler", "config", "retry", "timeout_seconds",
                "priority", "concurrency", "ordering_key", "ordering_failure", "enabled", "paused", "created_at",
                "updated_at", "release",
            },
        )  # fmt: skip
        self.assertEqual(
            (answer["concurrency"], answer["ordering_key"], answer["ordering_failure"]), (None, "", "block")
        )
        self.assertEqual(answer["endpoint"], "orders")
        numbers = {"max_attempts", "initial_seconds", "factor", "max_seconds"}
        self.assertEqual(set(answer["retry"]), {*numbers, "jitter", "max_age_seconds", "errors"})
        self.assertEqual((answer["retry"]["max_age_seconds"], answer["retry"]["errors"]), (None, {}))
        self.assertEqual(self.logged(), ["API: made."])

    def test_start_from_their_handlers_defaults(self) -> None:
        slow = Handler("tests.slow", lambda event, context: None, "Slow.", {"type": "object"}, 2, timedelta(seconds=90))
        with patch.dict(handlers._entries, {"tests.slow": slow}):
            made = self.client.post(
                URL, {"endpoint": "orders", "name": "slow", "handler": "tests.slow", "retry": {"initial_seconds": 1}}
            ).json()

        self.assertEqual(made["timeout_seconds"], 90)
        self.assertEqual((made["retry"]["max_attempts"], made["retry"]["initial_seconds"]), (2, 1))

    def test_merge_a_changed_retry_policy(self) -> None:
        route = make_route(self.endpoint, retry={"max_attempts": 3, "initial_seconds": 7})

        response = self.client.patch(f"{URL}{route.pk}/", {"retry": {"max_attempts": 9}})

        self.assertEqual(response.status_code, 200, response.content)
        route.refresh_from_db()
        self.assertEqual((route.retry["max_attempts"], route.retry["initial_seconds"]), (9, 7))
        self.assertEqual(response.json()["retry"]["initial_seconds"], 7)

    def test_merge_rules_for_errors_one_by_one(self) -> None:
        rules = {"Timeout": {"max_attempts": 9, "jitter": False}, "BadRequest": {"retry": False}}
        route = make_route(self.endpoint, retry={"max_attempts": 3, "max_age_seconds": 60, "errors": rules})
        changes = {"Timeout": {"max_attempts": 12}, "BadRequest": None, "httpx.ReadTimeout": {"max_seconds": 5}}

        response = self.client.patch(f"{URL}{route.pk}/", {"retry": {"max_age_seconds": None, "errors": changes}})

        self.assertEqual(response.status_code, 200, response.content)
        route.refresh_from_db()
        self.assertEqual((route.retry["max_attempts"], route.retry["max_age_seconds"]), (3, None))
        self.assertEqual(
            route.retry["errors"],
            {"Timeout": {"max_attempts": 12, "jitter": False}, "httpx.ReadTimeout": {"max_seconds": 5}},
        )
        self.assertEqual(response.json()["retry"]["errors"], route.retry["errors"])

    def test_name_what_is_wrong_with_each_rule_for_an_error(self) -> None:
        cases: dict[str, Any] = {
            "has to be named by an exception class": {"not a class!": {}},
            "has to be at least 1": {"ValueError": {"max_attempts": 0}},
            "there is no max_age_seconds here": {"ValueError": {"max_age_seconds": 5}},
            "has to be true or false": {"ValueError": {"retry": "no"}},
            "has to be an object or null": {"ValueError": 3},
            "has to be an object of at most 50 rules": {f"Error{number}": {} for number in range(51)},
            "has to be an object": [],
        }
        for text, rules in cases.items():
            with self.subTest(text):
                body = {"endpoint": "orders", "name": "r", "handler": "log", "retry": {"errors": rules}}
                response = self.client.post(URL, body)
                self.assert_error(response, 400, "validation_error", "retry")
                self.assertIn(text, response.json()["fields"]["retry"][0])

    def test_name_what_is_wrong_with_each_field(self) -> None:
        cases = {
            "endpoint": "nowhere",
            "events": "push",
            "filter": "foo[",
            "handler": "nobody.knows",
            "config": {"unheard_of": True},
            "retry": {"max_attempts": 0},
            "timeout_seconds": 0,
            "priority": -1,
            "concurrency": 0,
            "ordering_key": "order.",
            "ordering_failure": "ignore",
            "enabled": None,
            "paused": "maybe",
            "name": "",
            "id": "11111111-1111-7111-8111-111111111111",
        }
        for field, value in cases.items():
            with self.subTest(field=field):
                body = {"endpoint": "orders", "name": "r", "handler": "log", field: value}
                self.assert_error(self.client.post(URL, body), 400, "validation_error", field)
        self.assertFalse(Route.objects.exists())

    def test_refuse_values_of_the_wrong_kind(self) -> None:
        for field in ("events", "config", "retry", "filter", "handler", "endpoint", "timeout_seconds", "priority"):
            for value in ([1], {"a": {}}, [[["x"]]], {"max_attempts": "many"}):
                with self.subTest(field=field, value=value):
                    body = {"endpoint": "orders", "name": "r", "handler": "log", field: value}
                    self.assertEqual(self.client.post(URL, body).status_code, 400)

    def test_take_a_limit_and_an_order_and_let_them_go_again(self) -> None:
        chosen = {"concurrency": 3, "ordering_key": "order.id", "ordering_failure": "park"}
        body = {"endpoint": "orders", "name": "in order", "handler": "log", **chosen}
        made = self.client.post(URL, body)
        self.assertEqual(made.status_code, 201, made.content)
        self.assertEqual({name: made.json()[name] for name in chosen}, chosen)

        free = {"concurrency": None, "ordering_key": ""}
        changed = self.client.patch(f"{URL}{made.json()['id']}/", free)

        self.assertEqual(changed.status_code, 200, changed.content)
        self.assertEqual({name: changed.json()[name] for name in free}, free)
        self.assertEqual(changed.json()["ordering_failure"], "park")

    def test_refuse_a_limit_that_no_database_holds(self) -> None:
        for limit in (2**31, 10**30, -1, "many", 1.5):
            with self.subTest(limit=limit):
                body = {"endpoint": "orders", "name": "r", "handler": "log", "concurrency": limit}
                self.assert_error(self.client.post(URL, body), 400, "validation_error", "concurrency")

    def test_stay_with_their_endpoint(self) -> None:
        make_endpoint(slug="other")
        route = make_route(self.endpoint)

        response = self.client.patch(f"{URL}{route.pk}/", {"endpoint": "other"})

        self.assert_error(response, 400, "validation_error", "endpoint")

    def test_hold_and_release_their_deliveries(self) -> None:
        route = make_route(self.endpoint)
        delivery = make_delivery(route)

        self.assertTrue(self.client.post(f"{URL}{route.pk}/pause/").json()["paused"])
        delivery.refresh_from_db()
        self.assertEqual(delivery.status, DeliveryStatus.HELD)

        self.assertFalse(self.client.patch(f"{URL}{route.pk}/", {"paused": False}).json()["paused"])
        delivery.refresh_from_db()
        self.assertEqual(delivery.status, DeliveryStatus.PENDING)

    def test_are_retired_and_stay_with_their_deliveries(self) -> None:
        route = make_route(self.endpoint, name="note it")
        delivery = make_delivery(route)

        self.assertEqual(self.client.delete(f"{URL}{route.pk}/").status_code, 204)

        self.assert_error(self.client.get(f"{URL}{route.pk}/"), 404, "not_found")
        self.assertEqual(self.client.get(f"{API}/deliveries/{delivery.pk}/").json()["route_name"], "note it")

    def test_of_retired_endpoints_are_gone_and_none_can_be_added(self) -> None:
        make_route(self.endpoint)
        self.endpoint.retire(now=timezone.now())

        self.assertEqual(self.client.get(URL).json()["results"], [])
        response = self.client.post(URL, {"endpoint": "orders", "name": "r", "handler": "log"})
        self.assert_error(response, 400, "validation_error", "endpoint")

    def test_are_listed_by_endpoint_in_a_fixed_number_of_queries(self) -> None:
        for _ in range(3):
            make_route(self.endpoint)
        make_route(make_endpoint())

        with self.assertNumQueries(6):  # token, permissions (2), restrictions, routes with endpoints, releases
            found = self.client.get(URL, {"endpoint": "orders"}).json()["results"]

        self.assertEqual(len(found), 3)
