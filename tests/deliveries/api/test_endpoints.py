"""``/endpoints/``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

from django.db import connection
from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.models import DeliveryStatus
from integrations.models import Endpoint, Secret
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_delivery, make_endpoint, make_route

URL = f"{API}/endpoints/"


class EndpointListTests(ApiTestCase):
    def test_shows_every_field_of_the_contract(self) -> None:
        make_endpoint(slug="orders", provider="generic_hmac", secret="s3cret-of-orders", name="Orders")

        (item,) = self.client.get(URL).json()["results"]

        self.assertEqual(item["slug"], "orders")
        self.assertEqual(item["url"], "http://testserver/hooks/orders")
        self.assertEqual(
            set(item),
            {
                "id", "slug", "name", "group", "provider", "settings", "state", "secrets", "url", "allowed_networks",
                "rate_per_second", "source_rate_per_second", "max_body_bytes", "accepted_status", "content_types",
                "dedupe", "dedupe_seconds", "batch", "shared_url", "priority", "sensitive", "created_at", "updated_at",
                "release", "keep_body_days", "keep_headers_days", "keep_attempts_days", "keep_dead_letters_days",
                "keep_events_days", "keep_rejections_days", "legal_hold",
            },
        )  # fmt: skip
        self.assertEqual(
            set(item["secrets"][0]), {"id", "label", "created_at", "expires_at", "last_used_at", "safe_to_retire"}
        )
        self.assertTrue(item["created_at"].endswith("Z"))

    def test_leaves_out_retired_endpoints(self) -> None:
        make_endpoint().retire(now=timezone.now())

        self.assertEqual(self.client.get(URL).json()["results"], [])

    def test_takes_the_same_number_of_queries_for_any_number_of_endpoints(self) -> None:
        for _ in range(3):
            make_endpoint(provider="generic_hmac", secret="s3cret-of-orders")

        with self.assertNumQueries(7):  # token, permissions (2), restrictions, endpoints, secrets, releases
            self.client.get(URL)

    def test_filters_by_provider_and_state(self) -> None:
        make_endpoint(slug="hub", provider="github")
        make_endpoint(slug="paused", provider="github", state="paused")
        make_endpoint(slug="other")

        found = self.client.get(URL, {"provider": "github", "state": "active"}).json()["results"]

        self.assertEqual([item["slug"] for item in found], ["hub"])

    def test_answers_without_the_last_slash_too(self) -> None:
        self.assertEqual(self.client.get(URL.rstrip("/")).status_code, 200)


class EndpointCreationTests(ApiTestCase):
    def test_makes_an_endpoint_with_its_secrets(self) -> None:
        response = self.client.post(
            URL,
            {
                "slug": "orders",
                "provider": "generic_hmac",
                "settings": {"header": "X-Shop-Signature"},
                "secrets": [{"value": "first-secret-value", "label": "2026-11"}, {"value": "second-secret-value"}],
                "allowed_networks": ["192.0.2.0/24"],
                "rate_per_second": 20,
            },
        )

        self.assertEqual(response.status_code, 201, response.content)
        endpoint = Endpoint.objects.get(slug="orders")
        self.assertEqual(endpoint.settings, {"header": "X-Shop-Signature"})
        self.assertEqual({s.value for s in endpoint.secrets.all()}, {"first-secret-value", "second-secret-value"})
        self.assertEqual([s["label"] for s in response.json()["secrets"]], ["", "2026-11"])
        self.assertEqual(self.logged(), ["API: made."])

    def test_keeps_batches_whole_and_the_shared_url_closed_unless_told(self) -> None:
        body = {"slug": "orders", "provider": "github"}

        plain = self.client.post(URL, body).json()
        told = self.client.post(URL, {**body, "slug": "mail", "batch": "split", "shared_url": True}).json()

        self.assertEqual((plain["batch"], plain["shared_url"]), ("whole", False))
        self.assertEqual((told["batch"], told["shared_url"]), ("split", True))
        self.assert_error(
            self.client.post(URL, {**body, "slug": "a", "batch": "both"}), 400, "validation_error", "batch"
        )

    def test_refuses_the_shared_url_where_no_header_shows_the_provider(self) -> None:
        body = {"slug": "orders", "provider": "generic_none", "shared_url": True}

        self.assert_error(self.client.post(URL, body), 400, "validation_error", "shared_url")
        make_endpoint(slug="mail", provider="github", shared_url=True)
        self.assert_error(
            self.client.patch(f"{URL}mail/", {"provider": "generic_none"}), 400, "validation_error", "shared_url"
        )

    def test_never_answers_with_a_secret(self) -> None:
        body = {"slug": "orders", "provider": "generic_hmac", "secrets": [{"value": "first-secret-value"}]}

        answers = [self.client.post(URL, body), self.client.get(URL), self.client.get(f"{URL}orders/")]

        for answer in answers:
            self.assertNotContains(answer, "first-secret-value", status_code=answer.status_code)

    def test_names_what_is_wrong_with_each_field(self) -> None:
        cases = {
            "provider": "nobody",
            "settings": {"unheard_of": 1},
            "state": "asleep",
            "allowed_networks": ["300.0.0.0/8"],
            "rate_per_second": 0,
            "source_rate_per_second": "inf",
            "max_body_bytes": 0,
            "accepted_status": 404,
            "content_types": "application/json",
            "dedupe": "[[[",
            "dedupe_seconds": 10**18,
            "priority": 10,
            "slug": "x" * 101,
            "name": "n" * 201,
            "sensitive": "perhaps",
            "unheard_of": 1,
            "url": "http://testserver/hooks/other",
        }
        for field, value in cases.items():
            with self.subTest(field=field):
                response = self.client.post(URL, {"slug": "orders", "provider": "generic_hmac", field: value})
                self.assert_error(response, 400, "validation_error", field)
        self.assertFalse(Endpoint.objects.exists())

    def test_names_every_wrong_field_at_once(self) -> None:
        response = self.client.post(URL, {"slug": "a b", "priority": 11, "colour": "red"})

        self.assert_error(response, 400, "validation_error", "slug", "provider", "priority", "colour")

    def test_names_the_secret_that_the_scheme_cannot_use_and_does_not_repeat_it(self) -> None:
        secrets = [{"value": "whsec_" + "YWJj" * 8}, {"value": "whsec_!!not-base64!!"}]

        response = self.client.post(URL, {"slug": "orders", "provider": "standard_webhooks", "secrets": secrets})

        self.assert_error(response, 400, "validation_error", "secrets.1.value")
        self.assertNotContains(response, "not-base64", status_code=400)
        self.assertFalse(Endpoint.objects.exists())

    def test_names_a_reference_that_leads_nowhere(self) -> None:
        secrets = [{"value": "env:HUB_SECRET_THAT_IS_NOT_SET"}]

        response = self.client.post(URL, {"slug": "orders", "provider": "generic_hmac", "secrets": secrets})

        answer = self.assert_error(response, 400, "validation_error", "secrets.0.value")
        self.assertIn("env:HUB_SECRET_THAT_IS_NOT_SET", answer["detail"])

    def test_refuses_a_slug_that_is_taken(self) -> None:
        make_endpoint(slug="orders")

        response = self.client.post(URL, {"slug": "orders", "provider": "generic_none"})

        self.assert_error(response, 400, "validation_error", "slug")

    def test_takes_the_slug_of_a_retired_endpoint(self) -> None:
        make_endpoint(slug="orders").retire(now=timezone.now())

        response = self.client.post(URL, {"slug": "orders", "provider": "generic_none"})

        self.assertEqual(response.status_code, 201, response.content)

    def test_gives_an_internal_endpoint_no_url(self) -> None:
        response = self.client.post(URL, {"slug": "nightly", "provider": "internal"})

        self.assertIsNone(response.json()["url"])


class EndpointChangeTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders", provider="generic_hmac", secret="s3cret-of-orders")
        self.url = f"{URL}orders/"

    def test_changes_only_what_is_named(self) -> None:
        response = self.client.patch(self.url, {"name": "Orders", "priority": 9})

        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual((response.json()["name"], response.json()["priority"]), ("Orders", 9))
        self.assertEqual(len(response.json()["secrets"]), 1)
        self.endpoint.refresh_from_db()
        self.assertEqual((self.endpoint.name, self.endpoint.provider), ("Orders", "generic_hmac"))
        self.assertEqual(self.logged(), ["API: changed name, priority."])

    def test_takes_a_free_slug(self) -> None:
        self.assertEqual(self.client.patch(self.url, {"slug": "sales"}).status_code, 200)
        self.assertEqual(self.client.get(f"{URL}sales/").status_code, 200)
        self.assert_error(self.client.get(self.url), 404, "not_found")

    def test_refuses_a_taken_slug_and_an_unknown_field(self) -> None:
        make_endpoint(slug="sales")

        self.assert_error(self.client.patch(self.url, {"slug": "sales"}), 400, "validation_error", "slug")
        self.assert_error(self.client.patch(self.url, {"colour": "red"}), 400, "validation_error", "colour")

    def test_refuses_settings_that_the_provider_does_not_have(self) -> None:
        response = self.client.patch(self.url, {"settings": {"algorithm": "md5"}})

        self.assert_error(response, 400, "validation_error", "settings")

    def test_sends_secrets_to_their_own_address(self) -> None:
        response = self.client.patch(self.url, {"secrets": [{"value": "another-secret"}]})

        answer = self.assert_error(response, 400, "validation_error", "secrets")
        self.assertIn("/secrets/", answer["detail"])

    def test_refuses_a_provider_that_the_live_secrets_do_not_fit(self) -> None:
        response = self.client.patch(self.url, {"provider": "discord", "settings": {}})

        self.assert_error(response, 400, "validation_error", "provider")
        self.assertNotContains(response, "s3cret-of-orders", status_code=400)

    def test_holds_waiting_deliveries_when_the_state_becomes_paused(self) -> None:
        delivery = make_delivery(make_route(self.endpoint))

        self.client.patch(self.url, {"state": "paused"})

        delivery.refresh_from_db()
        self.assertEqual(delivery.status, DeliveryStatus.HELD)

    def test_retires_and_keeps_history(self) -> None:
        delivery = make_delivery(make_route(self.endpoint))

        response = self.client.delete(self.url)

        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assert_error(self.client.get(self.url), 404, "not_found")
        self.assertEqual(self.client.get(f"{API}/events/{delivery.event_id}/").json()["endpoint"], "orders")
        self.assertEqual(self.logged(), ["API: retired."])

    def test_is_not_put(self) -> None:
        self.assert_error(self.client.put(self.url, {}), 405, "method_not_allowed")


class PauseTests(ApiTestCase):
    def test_holds_and_releases_the_deliveries(self) -> None:
        endpoint = make_endpoint(slug="orders")
        delivery = make_delivery(make_route(endpoint))

        paused = self.client.post(f"{URL}orders/pause/")
        delivery.refresh_from_db()
        self.assertEqual((paused.status_code, paused.json()["state"]), (200, "paused"))
        self.assertEqual(delivery.status, DeliveryStatus.HELD)

        resumed = self.client.post(f"{URL}orders/resume/")
        delivery.refresh_from_db()
        self.assertEqual((resumed.status_code, resumed.json()["state"]), (200, "active"))
        self.assertEqual(delivery.status, DeliveryStatus.PENDING)
        self.assertTrue(all(message.startswith("API: ") for message in self.logged()), self.logged())
        self.assertEqual(len(self.logged()), 2)

    def test_does_not_switch_on_what_is_disabled(self) -> None:
        endpoint = make_endpoint(slug="orders", state="disabled")
        operator = client_of(make_user("olga", role="operator"))

        for order in ("pause", "resume"):
            self.assert_error(operator.post(f"{URL}orders/{order}/"), 409, "conflict")
        endpoint.refresh_from_db()
        self.assertEqual(endpoint.state, "disabled")

    def test_takes_no_values(self) -> None:
        make_endpoint(slug="orders")

        response = self.client.post(f"{URL}orders/pause/", {"until": "tomorrow"})

        self.assert_error(response, 400, "validation_error", "until")


class SecretTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders", provider="generic_hmac", secret="s3cret-of-orders")
        self.url = f"{URL}orders/secrets/"

    def test_are_added_beside_the_live_ones(self) -> None:
        ends = timezone.now() + timedelta(days=30)

        response = self.client.post(self.url, {"value": "the-next-secret", "label": "new", "expires_at": ends})

        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(
            set(response.json()), {"id", "label", "created_at", "expires_at", "last_used_at", "safe_to_retire"}
        )
        self.assertEqual(self.endpoint.secrets.live(timezone.now()).count(), 2)
        self.assertNotIn("the-next-secret", str(self.logged()))

    def test_are_stored_encrypted(self) -> None:
        self.client.post(self.url, {"value": "the-next-secret"})

        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM integrations_secret")
            stored = [row[0] for row in cursor.fetchall()]
        self.assertEqual(len(stored), 2)
        self.assertFalse([value for value in stored if "secret" in value])

    def test_end_at_once_and_are_no_longer_shown(self) -> None:
        secret = Secret.objects.get()

        response = self.client.delete(f"{self.url}{secret.pk}/")

        self.assertEqual(response.status_code, 204)
        self.assertFalse(self.endpoint.secrets.live(timezone.now()).exists())
        self.assertEqual(self.client.get(f"{URL}orders/").json()["secrets"], [])
        self.assert_error(self.client.delete(f"{self.url}{secret.pk}/"), 404, "not_found")

    def test_of_another_endpoint_are_not_found(self) -> None:
        make_endpoint(slug="other")

        response = self.client.delete(f"{URL}other/secrets/{Secret.objects.get().pk}/")

        self.assert_error(response, 404, "not_found")

    def test_are_refused_when_empty_or_already_over(self) -> None:
        past = timezone.now() - timedelta(seconds=1)

        self.assert_error(self.client.post(self.url, {"value": ""}), 400, "validation_error", "value")
        self.assert_error(self.client.post(self.url, {}), 400, "validation_error", "value")
        response = self.client.post(self.url, {"value": "the-next-secret", "expires_at": past})
        self.assert_error(response, 400, "validation_error", "expires_at")

    @override_settings(HUB_SECRETS_DIR="")
    def test_that_refer_to_a_missing_file_are_refused(self) -> None:
        self.assert_error(self.client.post(self.url, {"value": "file:orders"}), 400, "validation_error", "value")


class EndpointRaceTests(TransactionTestCase):
    def test_leaves_one_endpoint_when_many_take_a_slug_at_once(self) -> None:
        user = make_user("root", is_superuser=True)
        clients = [client_of(user) for _ in range(6)]
        start = Barrier(len(clients))

        def take(client: Any) -> int:
            try:
                start.wait(10)
                return client.post(URL, {"slug": "orders", "provider": "generic_none"}).status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(len(clients)) as pool:
            statuses = list(pool.map(take, clients))

        self.assertEqual(statuses.count(201), 1, statuses)
        self.assertLessEqual(set(statuses), {201, 400, 409})
        self.assertEqual(Endpoint.objects.filter(slug="orders").count(), 1)
