"""``manage.py apply``: secrets and credentials, which the file only refers to."""

from __future__ import annotations

import os
from unittest import mock

from django.utils import timezone

from integrations.models import Endpoint
from tests.deliveries.configuration.cases import ConfigurationTestCase
from tests.factories import make_endpoint


class SecretTests(ConfigurationTestCase):
    def file(self, *entries: str) -> str:
        listed = "".join(f"\n      - {entry}" for entry in entries) or " []"
        return f"version: 1\nendpoints:\n  - slug: orders\n    provider: generic_hmac\n    secrets:{listed}\n"

    def labels(self) -> list[str]:
        live = Endpoint.objects.get().secrets.live(timezone.now())
        return [secret.label for secret in reversed(live)]

    def test_are_added_changed_and_ended(self) -> None:
        self.apply(self.file("{label: first, value: env:HUB_SECRET_ORDERS}"))
        self.apply(self.file("{label: old, value: env:HUB_SECRET_ORDERS}", "{label: new, value: env:HUB_SECRET_NEXT}"))
        self.assertEqual(self.labels(), ["old", "new"])

        printed = self.apply(self.file("{label: new, value: env:HUB_SECRET_NEXT}"))

        self.assertIn('secrets.env:HUB_SECRET_ORDERS: "old" -> nothing', printed)
        self.assertEqual(self.labels(), ["new"])
        self.assertEqual(self.logged()[-2:], ["apply: added to orders.", "apply: ended, of orders."])

    def test_end_at_the_time_that_the_file_says(self) -> None:
        text = self.file("{label: a, value: env:HUB_SECRET_ORDERS, expires_at: 2126-01-01T00:00:00Z}")

        self.apply(text)

        self.assertEqual(Endpoint.objects.get().secrets.get().expires_at.year, 2126)
        self.assertEqual(self.drift(text), [])
        self.apply(text.replace("2126", "2020"))
        self.assertEqual(self.labels(), [])
        self.assertEqual(self.drift(text.replace("2126", "2020")), [])

    def test_that_are_stored_are_neither_shown_nor_touched(self) -> None:
        make_endpoint(slug="orders", provider="generic_hmac", secret="stored-and-secret")

        printed = self.apply(self.file("{label: new, value: env:HUB_SECRET_NEXT}")) + self.apply(self.file())

        self.assertEqual(self.labels(), ["test"])
        self.assertNotIn("and-secret", printed)

    def test_are_left_alone_where_the_file_names_none(self) -> None:
        self.apply(self.file("{label: first, value: env:HUB_SECRET_ORDERS}"))

        self.assertEqual(self.drift(self.file().replace("    secrets: []\n", "")), [])

    def test_themselves_are_refused_in_the_file_and_not_repeated(self) -> None:
        problem = self.refused(self.file("{label: a, value: stored-and-secret}"))

        self.assertIn("endpoint orders: secrets.0.value: a secret does not belong in a file", problem)
        self.assertNotIn("and-secret", problem)

    def test_that_lead_nowhere_are_refused_by_name(self) -> None:
        problem = self.refused(self.file("{label: a, value: env:HUB_SECRET_MISSING}"))

        self.assertIn("env:HUB_SECRET_MISSING leads nowhere", problem)

    def test_of_one_provider_can_be_exchanged_for_those_of_another(self) -> None:
        key = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        self.apply(self.file("{label: a, value: env:HUB_SECRET_ORDERS}"))

        with mock.patch.dict(os.environ, {"HUB_SECRET_NEXT": key}):
            text = self.file("{label: b, value: env:HUB_SECRET_NEXT}").replace("generic_hmac", "standard_webhooks")
            self.apply(text)
            self.assertEqual(self.drift(text), [])

        self.assertEqual((self.labels(), Endpoint.objects.get().provider), (["b"], "standard_webhooks"))


class CredentialSettingTests(ConfigurationTestCase):
    FILE = "version: 1\nendpoints:\n  - slug: meta\n    provider: meta\n    settings: {verify_token: %s}\n"

    def test_that_are_stored_are_kept(self) -> None:
        make_endpoint(slug="meta", provider="meta", settings={"verify_token": "token-and-secret"})
        text = self.FILE.replace("    settings: {verify_token: %s}\n", "")

        self.assertEqual(self.drift(text), [])
        self.apply(text + "    priority: 3\n")

        self.assertEqual(Endpoint.objects.get().settings, {"verify_token": "token-and-secret"})

    def test_make_way_for_a_reference_and_are_masked(self) -> None:
        make_endpoint(slug="meta", provider="meta", settings={"verify_token": "token-and-secret"})

        printed = self.apply(self.FILE % "env:HUB_SECRET_VERIFY")

        self.assertIn('settings.verify_token: "••••••" -> "env:HUB_SECRET_VERIFY"', printed)
        self.assertEqual(Endpoint.objects.get().settings, {"verify_token": "env:HUB_SECRET_VERIFY"})

    def test_are_refused_in_the_file(self) -> None:
        problem = self.refused(self.FILE % "token-and-secret")

        self.assertIn("settings.verify_token: write a reference", problem)
        self.assertNotIn("and-secret", problem)

    def test_that_lead_nowhere_are_refused_by_name(self) -> None:
        self.assertIn("env:HUB_SECRET_MISSING leads nowhere", self.refused(self.FILE % "env:HUB_SECRET_MISSING"))
