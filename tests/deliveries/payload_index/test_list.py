"""The list finds by the index what it finds by looking through every body, from any page in either direction."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from deliveries.admin import keyset
from deliveries.admin.events import EventAdmin
from deliveries.admin.keyset import Pages
from deliveries.models import Event, IndexCoverage
from deliveries.payload_index import looking
from deliveries.payload_search import Wanted
from tests.deliveries.admin.people import make_user
from tests.deliveries.payload_index.cases import IndexTestCase
from tests.factories import make_endpoint

pytestmark = pytest.mark.any_database


class ListCase(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = make_user("operator")
        self.admin = EventAdmin(Event, admin.site)
        self.enterContext(patch.object(EventAdmin, "list_per_page", 3))

    def page(self, query: str) -> tuple[list[str], Pages]:
        """Return the events of a page of the list, and what leads on from it."""
        request = RequestFactory().get(f"/admin/deliveries/event/{query}")
        request.user = self.user
        shown = self.admin.get_changelist_instance(request)
        return [row.event_id.removeprefix("evt-") for row in shown.result_list], shown.paginator

    def pages(self, query: str) -> Iterator[list[str]]:
        """Yield page after page, to the oldest."""
        for _ in range(200):
            found, pages = self.page(query)
            yield found
            query = pages.next
            if not query:
                return
        self.fail("it leads round and round")


class TheSameAsLookingThroughTests(ListCase):
    def setUp(self) -> None:
        super().setUp()
        picked = random.Random(7)
        self.clinic = make_endpoint(slug="clinic", sensitive=True)
        self.payloads: dict[str, Any] = {}
        for number in range(40):
            value = picked.choice(["a", "b", "rare" if number in {3, 21} else "c", 5, None, ["a", "b"]])
            payload = {"kind": value, "items": [{"n": number % 3}, {"n": picked.randrange(3)}]}
            # Some at the same moment, as parts of one request are.
            self.event(payload, minutes=600 - 3 * (number // 2), event_id=f"evt-{number}")
            self.payloads[str(number)] = payload
        self.event({"kind": "a"}, minutes=300, event_id="evt-hidden", endpoint=self.clinic)

    def expected(self, text: str) -> list[str]:
        wanted = Wanted.read(text)
        return [name for name, payload in reversed(self.payloads.items()) if wanted.is_in(payload)]

    def assert_same(self) -> None:
        for text in ("kind = a", "kind = 5", "kind = null", "items.n = 2", "items.1.n = 0", "kind = rare", "n = 1"):
            query = f"?value={text.replace(' ', '+').replace('=', '%3D')}"
            forwards = [name for found in self.pages(query) for name in found]
            self.assertEqual(sorted(forwards), sorted(self.expected(text)), text)

    def test_with_all_in_the_index_but_what_came_last(self) -> None:
        self.index()
        self.assertTrue(IndexCoverage.objects.get().is_whole)
        self.now += timedelta(hours=1)
        for number in range(40, 43):
            self.payloads[str(number)] = {"kind": "a"}
            self.event({"kind": "a"}, minutes=0.5, event_id=f"evt-{number}")
        self.assert_same()

    def test_with_part_of_it_in_the_index(self) -> None:
        self.index()
        half = self.now - timedelta(minutes=580)
        IndexCoverage.objects.update(low_at=half, is_whole=False)
        self.assert_same()

    def test_where_little_is_looked_at_for_one_page(self) -> None:
        self.index()
        bounds = (patch.object(looking, "MOST_FOUND", 1), patch.object(looking, "MOST_SEGMENTS", 2))
        for bound in (*bounds, patch.object(keyset, "LOOKED_THROUGH", 2)):
            with bound:
                self.assert_same()

    def test_and_the_way_back_shows_what_the_way_there_did(self) -> None:
        self.index()
        for bound in (500, 1):
            with patch.object(looking, "MOST_FOUND", bound):
                there = [self.page("?value=kind+%3D+a")]
                while there[-1][1].next:
                    there.append(self.page(there[-1][1].next))
                while not there[-1][0]:
                    there.pop()
                back: list[str] = []
                query = there[-1][1].previous
                while query:
                    found, pages = self.page(query)
                    back, query = [*found, *back], pages.previous
                self.assertEqual(back, [name for found, _ in there[:-1] for name in found])

    def test_together_with_other_filters(self) -> None:
        other = make_endpoint(slug="other")
        self.event({"kind": "a"}, minutes=400, event_id="evt-other", endpoint=other)
        self.index()
        self.assertEqual(self.page(f"?value=kind+%3D+a&endpoint={other.pk}")[0], ["other"])
        self.assertEqual(self.page("?value=kind+%3D+a&q=evt-other")[0], ["other"])
        self.assertEqual(self.page("?value=kind+%3D+a&q=evt-none")[0], [])

    def test_finds_what_is_escaped_in_a_way_that_no_search_of_bytes_knows(self) -> None:
        self.event(b'{"kind": "\\u0072are"}', event_id="evt-escaped")
        self.index()
        self.assertEqual(set(self.page("?value=kind+%3D+rare")[0]), {"escaped", *self.expected("kind = rare")})


class CostTests(ListCase):
    def test_a_search_of_many_segments_takes_as_many_statements_as_one_of_few(self) -> None:
        counts = []
        for number in (8, 400):
            self.events(number, minutes=100 + number)
            self.index(self.now + timedelta(hours=1))
            with CaptureQueriesContext(
                connection,
            ) as captured:
                self.page("?value=n+%3D+7")
            counts.append(len(captured))
        self.assertLessEqual(counts[1], counts[0] + 3)
