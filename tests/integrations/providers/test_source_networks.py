from __future__ import annotations

from datetime import date
from ipaddress import ip_network

from django.test import SimpleTestCase

from integrations.admin.forms import EndpointForm
from integrations.models import Endpoint
from integrations.providers import providers

HINTS = {key: providers[key].source_networks for key in providers if providers[key].source_networks is not None}


class SourceNetworksTests(SimpleTestCase):
    def test_are_public_networks_with_a_source_and_a_date(self) -> None:
        self.assertIn("telegram", HINTS)
        for key, hint in HINTS.items():
            assert hint is not None
            with self.subTest(provider=key):
                self.assertTrue(all(ip_network(text).is_global for text in hint.networks))
                self.assertEqual(len(set(hint.networks)), len(hint.networks))
                self.assertRegex(hint.url, "^https://")
                self.assertLessEqual(date.fromisoformat(hint.checked_on), date(2100, 1, 1))

    def test_are_shown_beside_the_allowed_networks_of_an_endpoint(self) -> None:
        form = EndpointForm(instance=Endpoint(slug="bot", provider="telegram"))

        self.assertIn("149.154.160.0/20, 91.108.4.0/22", form.fields["allowed_networks"].help_text)
        self.assertIn("https://core.telegram.org/", form.fields["allowed_networks"].help_text)

    def test_are_not_applied_by_themselves(self) -> None:
        self.assertEqual(Endpoint(slug="bot", provider="telegram").allowed_networks, [])

    def test_are_not_shown_for_a_provider_that_names_none(self) -> None:
        for provider in ("github", "", "nobody"):
            form = EndpointForm(instance=Endpoint(slug="bot", provider=provider))
            self.assertNotIn("sends from", form.fields["allowed_networks"].help_text)
