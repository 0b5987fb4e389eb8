"""Lists: one envelope, newest first, by cursor."""

from __future__ import annotations

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from tests.deliveries.api.cases import API, ApiTestCase
from tests.factories import make_endpoint, make_event


class ListTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint()
        self.ids = [str(make_event(self.endpoint).pk) for _ in range(7)][::-1]

    def walk(self, url: str | None, direction: str) -> list[list[str]]:
        pages = []
        while url:
            page = self.client.get(url).json()
            self.assertEqual(set(page), {"next", "previous", "results"})
            pages.append([item["id"] for item in page["results"]])
            url = page[direction]
            self.last = page
        return pages

    def test_go_from_the_newest_to_the_oldest_and_back(self) -> None:
        pages = self.walk(f"{API}/events/?page_size=3", "next")
        self.assertEqual(pages, [self.ids[:3], self.ids[3:6], self.ids[6:]])

        back = self.walk(self.last["previous"], "previous")
        self.assertEqual(back, [self.ids[3:6], self.ids[:3]])

    def test_neither_repeat_nor_hide_rows_while_new_ones_arrive(self) -> None:
        first = self.client.get(f"{API}/events/?page_size=3").json()
        make_event(self.endpoint)

        second = self.client.get(first["next"]).json()

        self.assertEqual([item["id"] for item in second["results"]], self.ids[3:6])

    def test_keep_their_filters_from_page_to_page(self) -> None:
        make_event(make_endpoint(slug="other"))

        pages = self.walk(f"{API}/events/?page_size=3&endpoint={self.endpoint.slug}", "next")

        self.assertEqual([item for page in pages for item in page], self.ids)

    def test_never_count(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            self.client.get(f"{API}/events/?page_size=3")

        self.assertFalse([query["sql"] for query in queries if "COUNT(" in query["sql"].upper()])

    @override_settings(HUB_BASE_URL="https://hub.example.com")
    def test_link_to_the_public_address(self) -> None:
        page = self.client.get(f"{API}/events/?page_size=3").json()

        self.assertTrue(page["next"].startswith(f"https://hub.example.com{API}/events/?"), page["next"])

    def test_are_at_most_200_rows_long(self) -> None:
        self.assertEqual(self.client.get(f"{API}/events/?page_size=200").status_code, 200)

    def test_of_providers_and_handlers_have_the_same_envelope(self) -> None:
        for resource in ("providers", "handlers", "endpoints", "routes", "deliveries", "rejections"):
            with self.subTest(resource=resource):
                page = self.client.get(f"{API}/{resource}/").json()
                self.assertEqual(set(page), {"next", "previous", "results"})
                self.assertIsNone(page["next"])
