"""What all pages of the admin have in common: the way to them, empty lists, errors, and tables that scroll."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.test import SimpleTestCase, TestCase

from integrations.admin.base import HubAdmin
from tests.deliveries.admin.people import logged_in
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
