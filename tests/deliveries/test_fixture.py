from __future__ import annotations

import json
import runpy
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, TestCase

from deliveries.models import Event
from deliveries.scrubbing import scrubbed
from hub.testing.fixtures import hub  # noqa: F401 - a fixture
from hub.testing.harness import HubUnderTest
from tests.deliveries.admin.people import logged_in
from tests.factories import make_endpoint, make_event

ANNA = {
    "customer": {"name": "Anna Schmidt", "email": "anna@firm.de", "phone": "+49 30 1234567"},
    "message": "Anna Schmidt (anna@firm.de) called from +49 30 1234567.",
    "api_key": "k-1",
    "link": "https://user:pw@files.example/x?token=abc&page=2",
    "amount": 12,
    "paid": True,
}


class ScrubbedTests(SimpleTestCase):
    def test_has_neither_secrets_nor_people_in_it(self) -> None:
        text = json.dumps(scrubbed(ANNA))

        for gone in ("Anna", "Schmidt", "firm.de", "1234567", "k-1", "user:pw", "token=abc"):
            self.assertNotIn(gone, text)

    def test_keeps_what_is_neither(self) -> None:
        result = scrubbed(ANNA)

        self.assertEqual((result["amount"], result["paid"]), (12, True))
        self.assertTrue(result["link"].endswith("&page=2"))
        self.assertEqual(list(result), list(ANNA))

    def test_has_one_stand_in_for_one_value(self) -> None:
        result = scrubbed({"email": "a@b.example", "list": [{"email": "c@b.example"}, {"to": "a@b.example"}]})

        self.assertEqual(result["email"], result["list"][1]["to"])
        self.assertNotEqual(result["email"], result["list"][0]["email"])

    def test_knows_secrets_by_how_they_begin(self) -> None:
        for secret in ("sk_live_51abcDEF", "whsec_bXkgc2VjcmV0", "ghp_0123456789abcdefghijABC", "Bearer abc.def"):
            self.assertNotIn(secret, scrubbed({"note": f"use {secret} here"})["note"])

    def test_replaces_all_below_a_field_that_is_a_secret(self) -> None:
        result = scrubbed({"credentials": {"id": 7, "parts": ["left", "right"]}})

        self.assertNotIn("left", json.dumps(result))
        self.assertNotEqual(result["credentials"]["id"], 7)

    def test_leaves_fields_that_are_said_to_name_no_person_but_no_secrets(self) -> None:
        result = scrubbed({"name": "Blue shirt", "token": "t-1"}, keep=["name", "token"])

        self.assertEqual(result["name"], "Blue shirt")
        self.assertNotEqual(result["token"], "t-1")


class FixtureTests(TestCase):
    def make(self, event: Any, folder: str, *arguments: str) -> str:
        out = StringIO()
        call_command("make_fixture", str(event.pk), "--output", folder, *arguments, stdout=out)
        return out.getvalue()

    def test_is_written_twice_but_not_over_what_somebody_changed(self) -> None:
        event = make_event(make_endpoint(slug="orders"), body=json.dumps(ANNA).encode(), event_type="order.paid")
        with tempfile.TemporaryDirectory() as folder:
            self.make(event, folder)
            self.make(event, folder)
            module = Path(folder) / "test_orders_order_paid.py"
            self.assertNotIn("Anna", (Path(folder) / "orders_order_paid.json").read_text())
            module.write_text("mine")
            with self.assertRaisesMessage(CommandError, "--force"):
                self.make(event, folder)
            self.make(event, folder, "--force")
            self.assertNotEqual(module.read_text(), "mine")

    def test_is_not_made_of_what_is_hidden(self) -> None:
        event = make_event(make_endpoint(sensitive=True), body=b'{"a": 1}')
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesMessage(CommandError, "sensitive"):
            self.make(event, folder)


class TestAFixture:
    def test_is_a_test_that_passes(self, hub: HubUnderTest, tmp_path: Path) -> None:  # noqa: F811
        event = make_event(make_endpoint(slug="shop"), body=json.dumps(ANNA).encode(), event_type="paid")
        call_command("make_fixture", str(event.pk), "--output", str(tmp_path), stdout=StringIO())

        module = runpy.run_path(str(tmp_path / "test_shop_paid.py"))
        module["test_shop_paid_is_handled"](hub)

        assert Event.objects.get(endpoint__slug="fixture").payload == module["EVENT"]["payload"]


class FixtureButtonTests(TestCase):
    def test_needs_an_operator_and_is_on_record(self) -> None:
        event = make_event(make_endpoint(), body=b'{"email": "a@b.example"}')
        address = f"/admin/deliveries/event/{event.pk}/fixture/"

        answer = logged_in("operator").post(address)

        self.assertEqual(answer["Content-Type"], "application/zip")
        self.assertContains(logged_in("operator").get(f"/admin/deliveries/event/{event.pk}/history/"), "test fixture")
        self.assertEqual(logged_in("operator").get(address).status_code, 405)
        self.assertEqual(logged_in("viewer").post(address).status_code, 403)
