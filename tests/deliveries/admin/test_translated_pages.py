"""The main pages in a made-up language: what is marked is shown in it."""

from __future__ import annotations

import json

import pytest
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import translation
from django.utils.html import conditional_escape

from deliveries.models import Delivery, Event, Rejection
from integrations.models import Endpoint, Route
from integrations.verification.reasons import EXPLANATIONS
from tests.compiled_messages import LANGUAGE, MadeUpLanguage, pseudo
from tests.deliveries.admin.people import logged_in
from tests.deliveries.admin.test_pages import fill
from tests.factories import make_event


@pytest.mark.any_database
class TranslatedPageTests(MadeUpLanguage, TestCase):
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

    def test_why_a_request_was_refused_and_stays_so_is_in_it(self) -> None:
        rejection = Rejection.objects.get()
        Rejection.objects.update(raw_body=None)
        self.shows(
            f"/admin/deliveries/rejection/{rejection.pk}/change/",
            "Its body was not kept (not read, or larger than HUB_REJECTION_BODY_BYTES).",
            conditional_escape(EXPLANATIONS["signature_mismatch"]),
        )

    def test_what_an_order_refuses_is_in_it(self) -> None:
        client = logged_in("superuser")
        with override_settings(LOCALE_PATHS=[self.folder]), translation.override(LANGUAGE):
            event = make_event(Endpoint.objects.get(), body=b'{"a": 1}', content_type="application/json")
            address = reverse("admin:deliveries_event_edit", args=[event.pk])
            page = client.post(address, {"payload": "{"})
        self.assertContains(page, "⟦This is not JSON: Expecting property name")

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
