"""Settings that are credentials, on an endpoint's page."""

from __future__ import annotations

import json

import pytest
from django.test import TestCase
from django.utils import timezone

from deliveries.models import AuditEntry
from integrations.masking import MASK
from integrations.models import Endpoint
from tests.deliveries.admin.endpoint_form import fields_of, page_of
from tests.deliveries.admin.people import logged_in
from tests.factories import make_endpoint

pytestmark = pytest.mark.any_database

LIST = "/admin/integrations/endpoint/"
TOKEN = "verify-token-of-this-test-5c1e"
# The page tells of the mask in a help text too; this is the setting itself.
SHOWN = "&quot;verify_token&quot;: &quot;••••••&quot;"


class SecretSettingTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="wa", provider="meta", settings={"verify_token": TOKEN}, max_body_bytes=1000)
        self.client = logged_in("administrator")

    def stored(self) -> object:
        return Endpoint.objects.get(pk=self.endpoint.pk).settings

    def test_are_masked_for_everybody(self) -> None:
        for role in ("viewer", "operator", "administrator", "superuser"):
            for url in (LIST, page_of(self.endpoint), f"{LIST}{self.endpoint.pk}/history/"):
                with self.subTest(role=role, url=url):
                    self.assertNotContains(logged_in(role).get(url), TOKEN)
            self.assertContains(logged_in(role).get(page_of(self.endpoint)), SHOWN)

    def test_are_masked_once_the_endpoint_is_retired(self) -> None:
        self.endpoint.retire(now=timezone.now())

        page = self.client.get(page_of(self.endpoint))

        self.assertContains(page, SHOWN)
        self.assertNotContains(page, TOKEN)

    def test_leave_public_settings_readable(self) -> None:
        endpoint = make_endpoint(provider="livekit", settings={"api_key": "APIabcdef"})

        for role in ("viewer", "administrator"):
            with self.subTest(role):
                self.assertContains(logged_in(role).get(page_of(endpoint)), "APIabcdef")

    def test_stay_when_the_page_is_saved_as_it_was_shown(self) -> None:
        text = self.client.get(page_of(self.endpoint)).context["adminform"].form["settings"].value()

        answer = self.client.post(page_of(self.endpoint), fields_of(self.endpoint, settings=text, name="WhatsApp"))

        self.assertEqual(answer.status_code, 302)
        self.assertEqual(json.loads(text), {"verify_token": MASK})
        self.assertEqual(self.stored(), {"verify_token": TOKEN})
        self.assertEqual(AuditEntry.objects.changes().get().message, "Changed Name.")

    def test_are_changed_without_a_trace_in_the_history(self) -> None:
        text = json.dumps({"verify_token": f"new-{TOKEN}"})

        self.client.post(page_of(self.endpoint), fields_of(self.endpoint, settings=text))

        self.assertEqual(self.stored(), {"verify_token": f"new-{TOKEN}"})
        self.assertEqual(AuditEntry.objects.changes().get().message, "Changed Settings.")
        self.assertNotContains(self.client.get(f"{LIST}{self.endpoint.pk}/history/"), TOKEN)

    def test_are_refused_as_a_mask_that_stands_for_nothing(self) -> None:
        Endpoint.objects.update(settings={})
        text = json.dumps({"verify_token": MASK})

        page = self.client.post(page_of(self.endpoint), fields_of(self.endpoint, settings=text))

        self.assertIn("settings", page.context["adminform"].form.errors)
        self.assertEqual(self.stored(), {})

    def test_are_marked_beside_the_form(self) -> None:
        self.assertContains(self.client.get(page_of(self.endpoint)), "never shown")
