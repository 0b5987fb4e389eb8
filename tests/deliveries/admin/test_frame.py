"""What all pages of the admin have in common: the way to them, empty lists, errors, and tables that scroll."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from deliveries.models import Delivery, Rejection
from integrations.admin.base import HubAdmin
from integrations.models import Secret
from tests.deliveries.admin.people import logged_in
from tests.factories import make_delivery, make_endpoint, make_event, make_route
from tests.marked_text import templates


@pytest.mark.any_database
class TrailTests(TestCase):
    def test_begins_with_the_part_of_the_sidebar_that_the_page_is_in(self) -> None:
        client = logged_in("superuser")
        for address, group in (
            ("/admin/deliveries/alertrule/", "Set-up"),
            ("/admin/deliveries/worker/", "Hub"),
            ("/admin/auth/user/add/", "Hub"),
            ("/admin/deliveries/event/", "History"),
        ):
            heading = client.get(address).content.decode().partition("<h1")[2].partition("</h1>")[0]
            self.assertIn(f">{group}</span>", heading, address)


@pytest.mark.any_database
class TitleTests(TestCase):
    """Pages that are neither a list nor a row's own say in their heading what they are."""

    def setUp(self) -> None:
        self.client = logged_in("superuser")
        self.endpoint = make_endpoint(slug="shop", name="The shop")
        self.route = make_route(self.endpoint, name="book it")
        self.delivery = self.dead("order.paid")

    def dead(self, event_type: str) -> Delivery:
        return make_delivery(
            self.route,
            event=make_event(self.endpoint, event_type=event_type),
            status="dead",
            finished_at=timezone.now(),
        )

    def heading_of(self, answer: Any) -> list[str]:
        self.assertEqual(answer.status_code, 200)
        heading = answer.content.decode().partition("<h1")[2].partition("</h1>")[0]
        return [
            html.unescape(part).strip() for part in re.findall(r"<(?:a|span)[^>]*tracking-tight[^>]*>(.*?)</", heading)
        ]

    def test_end_the_way_to_the_page(self) -> None:
        event = f"/admin/deliveries/event/{self.delivery.event_id}"
        of_event = ["History", "Events", "order.paid"]
        for address, way in (
            ("/admin/deliveries/delivery/failures/", ["History", "Deliveries", "Failures"]),
            ("/admin/deliveries/delivery/replay/?status=dead", ["History", "Deliveries", "Replay all that match"]),
            (f"{event}/edit/", [*of_event, "Replay with an edited payload"]),
            (f"{event}/difference/", [*of_event, "Difference to another event"]),
            (f"{event}/history/", [*of_event, "Log"]),
            (
                f"/admin/integrations/endpoint/{self.endpoint.pk}/try/",
                ["Set-up", "Endpoints", "The shop", "Test event"],
            ),
            (f"/admin/integrations/route/{self.route.pk}/dry-run/", ["Set-up", "Routes", "book it", "Dry run"]),
            ("/admin/integrations/endpoint/first-steps/", ["Set-up", "Endpoints", "First steps"]),
        ):
            self.assertEqual(self.heading_of(self.client.get(address)), way, address)

    def test_are_of_lists_the_name_of_what_is_in_them(self) -> None:
        for address, title in (
            ("/admin/deliveries/delivery/", "Deliveries"),
            ("/admin/integrations/endpoint/", "Endpoints"),
            ("/admin/auth/user/", "Users"),
        ):
            page = self.client.get(address).content.decode()
            named = page.partition("<title>")[2].partition("</title>")[0]
            self.assertEqual(named.split("|")[0].strip(), title)

    def test_name_the_order_that_is_asked_about_and_what_it_is_for(self) -> None:
        other = self.dead("order.lost")
        delivery = "/admin/deliveries/delivery"
        now = timezone.now()
        refused = Rejection.objects.create(endpoint=self.endpoint, reason="signature_mismatch", received_at=now)
        secret = Secret.objects.create(endpoint=self.endpoint, value="the one before")
        Secret.objects.filter(pk=secret.pk).update(created_at=now - timedelta(days=90))
        Secret.objects.create(endpoint=self.endpoint, value="the next one", last_used_at=now)
        both = {"action": "discard", "_selected_action": [str(self.delivery.pk), str(other.pk)]}
        endpoint = ["Set-up", "Endpoints", "The shop"]
        for address, data, way in (
            (f"{delivery}/{self.delivery.pk}/order/replay/", {},
             ["History", "Deliveries", "order.paid → book it", "Replay"]),
            (f"{delivery}/", both, ["History", "Deliveries", "Discard"]),
            (f"/admin/deliveries/event/{self.delivery.event_id}/reroute/", {},
             ["History", "Events", "order.paid", "Reroute"]),
            (f"/admin/deliveries/rejection/{refused.pk}/reverify/", {},
             ["History", "Rejections", "signature mismatch", "Reverify"]),
            (f"/admin/integrations/endpoint/{self.endpoint.pk}/order/end/{secret.pk}/", {},
             [*endpoint, "Retire a secret"]),
        ):  # fmt: skip
            self.assertEqual(self.heading_of(self.client.post(address, data)), way, address)


@pytest.mark.any_database
class EmptyListTests(TestCase):
    def test_says_what_would_fill_it(self) -> None:
        client = logged_in("superuser")
        self.assertContains(
            client.get("/admin/deliveries/event/"), "What is sent to the URL of an endpoint shows here."
        )
        page = client.get("/admin/deliveries/event/?event_type=nothing")
        self.assertContains(page, "No row fits the filters and the search.")
        self.assertNotContains(page, "What is sent to the URL of an endpoint")

    def test_has_something_to_say_wherever_it_can_be_empty(self) -> None:
        accounts = {"User", "Group"}
        silent = [
            model.__name__
            for model, page in admin.site._registry.items()
            if model.__name__ not in accounts
            and isinstance(page, HubAdmin)
            and page.list_display != ("__str__",)
            and not getattr(page, "empty_hint", "")
        ]
        self.assertEqual(silent, [])


@pytest.mark.any_database
class ErrorPageTests(TestCase):
    def test_says_what_is_the_matter(self) -> None:
        self.assertContains(logged_in("superuser").get("/nowhere/"), "There is nothing here", status_code=404)
        refused = logged_in("viewer").get("/admin/auth/user/")
        self.assertContains(refused, "Your role does not allow it", status_code=403)


class ScrollingTests(SimpleTestCase):
    def test_parts_can_be_reached_by_keys(self) -> None:
        """On a telephone a table is wider than the page."""
        parts = [part for path in templates() for part in re.findall(r'<div class="hub-scroll[^>]*>', path.read_text())]

        self.assertGreater(len(parts), 20)
        self.assertEqual([part for part in parts if 'tabindex="0"' not in part], [])
