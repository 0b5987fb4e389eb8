"""The main pages in a made-up language: what is marked is shown in it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import translation

from deliveries.models import Delivery, Event, Rejection
from integrations.models import Endpoint, Route
from tests.compiled_messages import LANGUAGE, pseudo, write_pseudo_language
from tests.deliveries.admin.people import logged_in
from tests.deliveries.admin.test_pages import fill
from tests.factories import make_event


@pytest.mark.any_database
class TranslatedPageTests(TestCase):
    folder: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        write_pseudo_language(cls.folder)

    @classmethod
    def setUpTestData(cls) -> None:
        fill()
        logged_in("superuser")

    def shows(self, address: str, *texts: str) -> None:
        with override_settings(LOCALE_PATHS=[self.folder]), translation.override(LANGUAGE):
            page = logged_in("superuser").get(address)
        self.assertEqual(page.status_code, 200)
        for text in texts:
            self.assertContains(page, pseudo(text))

    def test_first_page_says_what_needs_attention_in_it(self) -> None:
        self.shows("/admin/", "Needs attention", "Latest dead letters", "Succeeded", "1 delivery gave up.")

    def test_sidebar_is_in_it(self) -> None:
        self.shows("/admin/", "Home", "Set-up")

    def test_lists_are_in_it(self) -> None:
        self.shows(
            "/admin/deliveries/delivery/", "Event type", "Last error", "Replay from the start", "Failed last night"
        )

    def test_page_of_a_delivery_is_in_it(self) -> None:
        delivery = Delivery.objects.get()
        self.shows(f"/admin/deliveries/delivery/{delivery.pk}/change/", "Attempts, the latest first", "Dead letter")

    def test_page_of_an_event_has_its_plural_forms(self) -> None:
        event = Event.objects.get()
        self.shows(f"/admin/deliveries/event/{event.pk}/change/", "0 times", "Seen again")

    def test_page_of_a_refused_request_is_in_it(self) -> None:
        rejection = Rejection.objects.get()
        self.shows(f"/admin/deliveries/rejection/{rejection.pk}/change/", "Request id", "Received")

    def test_forms_have_their_hints_in_it(self) -> None:
        endpoint, route = Endpoint.objects.get(), Route.objects.get()
        self.shows(f"/admin/integrations/endpoint/{endpoint.pk}/change/", "How long things are kept", "Copy")
        self.shows(
            f"/admin/integrations/route/{route.pk}/change/", "One a line, such as push or pull_request.*; empty: all."
        )

    def test_texts_that_scripts_show_come_with_the_page_in_it(self) -> None:
        event = make_event(Endpoint.objects.get(), body=b'{"a": 1}', content_type="application/json")
        self.shows(f"/admin/deliveries/event/{event.pk}/change/", "Nothing found.", "{at} of {hits}", "Copied")
        self.shows(reverse("admin:first_steps"), "Found: {count}")
        with override_settings(LOCALE_PATHS=[self.folder]), translation.override(LANGUAGE):
            page = logged_in("superuser").get("/admin/tail/")
            form = logged_in("superuser").get(f"/admin/integrations/route/{Route.objects.get().pk}/change/")
        self.assertEqual(page.context["texts"]["go_on"], pseudo("Go on"))
        self.assertEqual(page.context["texts"]["statuses"]["refused"], pseudo("Refused"))
        offered = json.loads(form.context["adminform"].form.fields["handler"].widget.attrs["data-handlers"])
        self.assertIn("⟦", offered["http.forward"]["note"])
