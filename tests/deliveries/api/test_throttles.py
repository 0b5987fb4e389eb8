"""How often a token may ask, and an address may come with what is no token and no password."""

from __future__ import annotations

from typing import Any

from django.test import Client, TestCase, override_settings
from rest_framework.test import APIClient

from deliveries.models import AuditEntry
from tests.deliveries.admin.people import make_user as make_operator
from tests.deliveries.api.cases import API, ApiTestCase, client_of

URL = f"{API}/endpoints/"


class RateTests(ApiTestCase):
    @override_settings(HUB_API_REQUESTS_PER_MINUTE=3)
    def test_of_one_token_is_limited_with_the_time_to_wait(self) -> None:
        for _ in range(3):
            self.assertEqual(self.client.get(URL).status_code, 200)

        answer = self.client.get(URL)
        self.assert_error(answer, 429, "rate_limited")
        self.assertIn(int(answer["Retry-After"]), range(1, 22))

    @override_settings(HUB_API_REQUESTS_PER_MINUTE=1)
    def test_of_another_token_is_its_own(self) -> None:
        self.assertEqual(self.client.get(URL).status_code, 200)
        self.assertEqual(client_of(self.user).get(URL).status_code, 200)
        self.assertEqual(self.client.get(URL).status_code, 429)

    @override_settings(HUB_API_REQUESTS_PER_MINUTE=1)
    def test_does_not_keep_probes_and_providers_out(self) -> None:
        for _ in range(3):
            self.assertIn(self.client.get("/health/ready").status_code, {200, 503})
            self.assertEqual(APIClient().post("/hooks/nothing", {}).status_code, 404)


@override_settings(HUB_REFUSED_TOKENS_PER_MINUTE=2, HUB_TRUSTED_PROXIES=[])
class RefusedTokenTests(ApiTestCase):
    def ask(self, token: str, address: str = "192.0.2.1") -> Any:
        return APIClient(REMOTE_ADDR=address).get(URL, headers={"Authorization": f"Token {token}"})

    def test_is_limited_for_its_address(self) -> None:
        for _ in range(2):
            self.assert_error(self.ask("a" * 64), 401, "invalid_token")

        answer = self.ask("a" * 64)
        self.assert_error(answer, 429, "rate_limited")
        self.assertIn(int(answer["Retry-After"]), range(1, 32))
        self.assertEqual(self.ask("a" * 64, "192.0.2.2").status_code, 401)

    def test_counts_addresses_of_one_network_of_version_6_as_one(self) -> None:
        for last in (1, 2):
            self.ask("a" * 64, f"2001:db8::{last}")

        self.assertEqual(self.ask("a" * 64, "2001:db8::3").status_code, 429)
        self.assertEqual(self.ask("a" * 64, "2001:db8:1::3").status_code, 401)

    def test_does_not_keep_a_good_one_from_the_same_address_out(self) -> None:
        for _ in range(4):
            self.ask("a" * 64, "127.0.0.1")

        self.assertEqual(self.client.get(URL).status_code, 200)


@override_settings(HUB_FAILED_LOGINS_PER_MINUTE=3, HUB_TRUSTED_PROXIES=[])
class LoginTests(TestCase):
    def setUp(self) -> None:
        make_operator("operator")

    def log_in(self, password: str, address: str = "192.0.2.1") -> Any:
        data = {"username": "operator", "password": password}
        return Client(REMOTE_ADDR=address).post("/admin/login/?next=/admin/", data)

    def test_that_fails_too_often_is_refused_even_with_the_right_password(self) -> None:
        for _ in range(3):
            self.assertEqual(self.log_in("wrong").status_code, 200)

        answer = self.log_in("correct horse battery")
        self.assertEqual(answer.status_code, 429)
        self.assertIn(int(answer["Retry-After"]), range(1, 22))
        self.assertContains(answer, "Too many attempts", status_code=429)
        self.assertEqual(AuditEntry.objects.filter(action="login_failed").count(), 3)

    def test_is_counted_for_each_address(self) -> None:
        for _ in range(4):
            self.log_in("wrong")

        self.assertEqual(self.log_in("correct horse battery", "192.0.2.2").status_code, 302)

    def test_that_succeeds_does_not_count(self) -> None:
        for _ in range(6):
            self.assertEqual(self.log_in("correct horse battery").status_code, 302)

    def test_page_is_still_shown(self) -> None:
        for _ in range(4):
            self.log_in("wrong")

        self.assertEqual(Client(REMOTE_ADDR="192.0.2.1").get("/admin/login/").status_code, 200)


class PasswordTests(TestCase):
    def test_of_ones_own_that_is_changed_is_noted(self) -> None:
        user = make_operator("operator")
        client = Client()
        client.force_login(user)
        new = "another long pass phrase"
        data = {"old_password": "correct horse battery", "new_password1": new, "new_password2": new}
        self.assertEqual(client.post("/admin/password_change/", {**data, "old_password": "x"}).status_code, 200)
        self.assertFalse(AuditEntry.objects.changes().exists())

        self.assertEqual(client.post("/admin/password_change/", data).status_code, 302)

        entry = AuditEntry.objects.changes().get()
        self.assertEqual((entry.who, entry.message), ("operator", "Changed their own password."))
        self.assertNotIn(new, str(AuditEntry.objects.values()))
        self.assertEqual(Client().get("/admin/password_change/").status_code, 302)
