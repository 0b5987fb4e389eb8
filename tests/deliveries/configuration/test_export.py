"""``manage.py export``."""

from __future__ import annotations

import json
from pathlib import Path

from django.core.management import CommandError
from django.test import override_settings
from django.utils import timezone
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from integrations.models import Endpoint, Secret
from tests.deliveries.configuration.cases import ConfigurationTestCase
from tests.factories import make_endpoint, make_route


class ExportTests(ConfigurationTestCase):
    def filled(self) -> Endpoint:
        endpoint = make_endpoint(slug="orders", provider="github", priority=7, secret="env:HUB_SECRET_ORDERS")
        make_route(endpoint, name="note it", events=["push", "on", "2026-11-22"], retry={"max_attempts": 2})
        make_endpoint(slug="billing", provider="stripe", name="Billing: “main”")
        return endpoint

    def test_writes_what_differs_from_the_defaults_in_a_stable_order(self) -> None:
        self.filled()

        text = self.export()

        self.assertEqual(
            text[text.index("endpoints:\n") : text.index("\nalert_rules:\n")],
            """\
endpoints:
  - slug: billing
    name: 'Billing: “main”'
    provider: stripe

  - slug: orders
    provider: github
    priority: 7
    secrets:
      - label: test
        value: env:HUB_SECRET_ORDERS

routes:
  - endpoint: orders
    name: note it
    events:
      - push
      - on
      - '2026-11-22'
    handler: log
    retry:
      max_attempts: 2

backfills: []

schedules: []
""",
        )
        self.assertEqual(self.export(), text)

    def test_writes_names_in_one_order_whatever_the_database_keeps(self) -> None:
        config = {"url": "https://shop.example.com/", "headers": ["X-Order"], "timeout_seconds": 5}
        make_route(make_endpoint(slug="orders"), handler="http.forward", config=config)

        text = self.export()

        self.assertLess(text.index("headers:"), text.index("timeout_seconds:"))
        self.assertLess(text.index("timeout_seconds:"), text.index("url:"))

    def test_holds_no_secret_and_says_how_to_give_it(self) -> None:
        endpoint = make_endpoint(slug="orders", provider="generic_hmac", secret="stored-and-secret")
        Secret.objects.create(endpoint=endpoint, value="ended-and-secret", expires_at=timezone.now())
        make_endpoint(slug="meta", provider="meta", settings={"verify_token": "token-and-secret"})

        text = self.export()

        self.assertNotIn("and-secret", text)
        self.assertIn('# The secret "test" is stored and left out', text)
        self.assertIn("value: env:HUB_SECRET_ORDERS_TEST", text)
        self.assertIn("verify_token: env:HUB_SECRET_META_VERIFY_TOKEN", text)
        self.assertNotIn("secrets", YAML(typ="safe").load(text)["endpoints"][1])

    def test_writes_references_as_they_are(self) -> None:
        make_endpoint(slug="meta", provider="meta", settings={"verify_token": "env:HUB_SECRET_VERIFY"})

        self.assertIn("verify_token: env:HUB_SECRET_VERIFY", self.export())

    def test_leaves_out_what_was_retired(self) -> None:
        endpoint = self.filled()
        endpoint.retire(now=timezone.now())

        content = YAML(typ="safe").load(self.export())

        self.assertEqual([item["slug"] for item in content["endpoints"]], ["billing"])
        self.assertEqual(content["routes"], [])

    def test_can_be_applied_and_then_changes_nothing(self) -> None:
        self.filled()
        text = self.export()

        self.assertEqual(self.drift(text), [])
        self.assertEqual(self.apply(text), "nothing to change\n")
        self.assertEqual(self.logged(), [])

    def test_brings_the_same_configuration_to_an_empty_hub(self) -> None:
        self.filled()
        text = self.export()
        for endpoint in Endpoint.objects.all():
            endpoint.retire(now=timezone.now())

        self.apply(text)

        self.assertEqual(self.export(), text)
        self.assertEqual(self.drift(text), [])

    def test_fits_its_schema_which_it_names_in_the_first_line(self) -> None:
        self.filled()
        schema, output = self.folder / "schema" / "hub.schema.json", self.folder / "hub.yaml"
        schema.parent.mkdir()

        self.assertEqual(self.export("--output", str(output), "--schema", str(schema)), f"exported to {output}\n")

        text = output.read_text(encoding="utf-8")
        self.assertEqual(text.split("\n")[0], "# yaml-language-server: $schema=schema/hub.schema.json")
        Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(YAML(typ="safe").load(text))

    def test_fails_in_one_line_where_it_cannot_write(self) -> None:
        with self.assertRaisesMessage(CommandError, "cannot be written"):
            self.export("--output", str(Path(self.folder, "missing", "hub.yaml")))

    def test_fails_in_one_line_where_a_key_is_lost(self) -> None:
        self.filled()
        with (
            override_settings(HUB_ENCRYPTION_KEYS=["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]),
            self.assertRaisesMessage(CommandError, "no key that decrypts"),
        ):
            self.export()
