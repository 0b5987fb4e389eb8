"""A file that gives an endpoint another provider, while the hub keeps a secret of it that no file can end."""

from __future__ import annotations

from integrations.models import Endpoint
from tests.deliveries.configuration.cases import ConfigurationTestCase
from tests.factories import make_endpoint

FILE = "version: 1\nendpoints:\n  - slug: orders\n    provider: generic_token\n    secrets: []\n"


class AnotherProvider(ConfigurationTestCase):
    def test_is_refused_while_a_stored_secret_is_live(self) -> None:
        make_endpoint(slug="orders", provider="generic_hmac", secret="stored-and-secret")

        problem = self.refused(FILE)

        self.assertIn("End the live secrets first", problem)
        self.assertNotIn("and-secret", problem)
        self.assertEqual(Endpoint.objects.get().provider, "generic_hmac")
