"""``/providers/`` and ``/handlers/``."""

from __future__ import annotations

from jsonschema import Draft202012Validator

from integrations.handlers import handlers
from integrations.providers import providers
from tests.deliveries.api.cases import API, ApiTestCase


class CatalogTests(ApiTestCase):
    def test_lists_every_provider_with_its_settings(self) -> None:
        found = {item["key"]: item for item in self.client.get(f"{API}/providers/").json()["results"]}

        self.assertEqual(list(found), list(providers))
        fields = {"key", "name", "scheme", "settings_schema", "symmetric", "source_networks"}
        self.assertEqual(set(found["github"]), fields)
        self.assertIsNone(found["github"]["source_networks"])
        self.assertIn("149.154.160.0/20", found["telegram"]["source_networks"]["networks"])
        self.assertEqual(found["github"]["symmetric"], True)
        self.assertEqual(found["discord"]["symmetric"], False)
        self.assertEqual(found["generic_none"]["scheme"], "none")
        for item in found.values():
            Draft202012Validator.check_schema(item["settings_schema"])

    def test_lists_every_handler_with_its_config(self) -> None:
        found = {item["key"]: item for item in self.client.get(f"{API}/handlers/").json()["results"]}

        self.assertEqual(list(found), list(handlers))
        self.assertEqual(set(found["log"]), {"key", "summary", "config_schema"})
        self.assertTrue(found["http.forward"]["summary"])
        self.assertIn("url", found["http.forward"]["config_schema"]["properties"])
