"""System checks: what is configured and cannot work, or works without protection."""

from __future__ import annotations

from django.core.checks import CheckMessage, run_checks
from django.db import connection
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from tests.factories import make_endpoint, make_route


def found(*, databases: list[str] | None = None) -> list[CheckMessage]:
    return [message for message in run_checks(databases=databases) if (message.id or "").startswith("hub.")]


class BaseUrlCheckTests(SimpleTestCase):
    def test_says_nothing_of_https_or_of_this_machine(self) -> None:
        for url in ("https://hub.example.com", "http://127.0.0.1:8000", "http://[::1]:8000", "http://hub.localhost"):
            with self.subTest(url), override_settings(HUB_BASE_URL=url):
                self.assertEqual(found(), [])

    def test_warns_of_http_anywhere_else(self) -> None:
        for url in ("http://hub.example.com", "http://192.168.1.5:8000", "http://127.0.0.1.example.com"):
            with self.subTest(url), override_settings(HUB_BASE_URL=url):
                self.assertEqual([message.id for message in found()], ["hub.W001"])


@override_settings(HUB_BASE_URL="https://hub.example.com")
class ConfigurationCheckTests(TestCase):
    def said(self) -> list[tuple[str | None, str]]:
        return [(message.id, message.msg) for message in found(databases=["default"])]

    def test_says_nothing_of_what_works(self) -> None:
        make_route(make_endpoint(provider="generic_hmac"))
        make_endpoint(provider="internal")

        self.assertEqual(self.said(), [])

    def test_names_a_route_whose_handler_is_gone(self) -> None:
        endpoint = make_endpoint(slug="shop", provider="internal")
        make_route(endpoint, name="to the crm", handler="crm.gone")
        make_route(endpoint, handler="crm.gone", retired_at=timezone.now())

        [(check, text)] = self.said()

        self.assertEqual(check, "hub.W002")
        for part in ("'to the crm'", "'shop'", "'crm.gone'"):
            self.assertIn(part, text)

    def test_names_an_endpoint_whose_provider_is_gone(self) -> None:
        make_endpoint(slug="shop", provider="gone")

        [(check, text)] = self.said()

        self.assertEqual(check, "hub.W003")
        self.assertIn("'shop' refuses all: its provider 'gone' has no preset", text)

    def test_names_an_endpoint_that_takes_events_from_anybody(self) -> None:
        make_endpoint(slug="open", provider="generic_none")
        make_endpoint(slug="inside", provider="generic_none", allowed_networks=["10.0.0.0/8"])
        make_endpoint(slug="off", provider="generic_none", state="disabled")

        [(check, text)] = self.said()

        self.assertEqual(check, "hub.W004")
        self.assertIn("'open'", text)

    def test_asks_no_database_that_it_is_not_told_to(self) -> None:
        make_endpoint(provider="gone")
        with self.assertNumQueries(0):
            self.assertEqual(found(), [])


@override_settings(HUB_BASE_URL="https://hub.example.com")
class FirstMigrationTests(TransactionTestCase):
    def test_is_not_hindered_by_tables_that_are_not_there_yet(self) -> None:
        make_endpoint(provider="gone")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE integrations_route RENAME TO elsewhere")
            try:
                self.assertEqual([message.id for message in found(databases=["default"])], ["hub.W003"])
            finally:
                cursor.execute("ALTER TABLE elsewhere RENAME TO integrations_route")
