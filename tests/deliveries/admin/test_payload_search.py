"""Events are found by a value in their payload, by those who may see it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.test import SimpleTestCase, TestCase

from deliveries.admin import keyset
from deliveries.models import AuditEntry
from deliveries.payload_search import NotASearch, Wanted
from tests.deliveries.admin.people import logged_in
from tests.factories import make_endpoint, make_event

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
EVENTS = "/admin/deliveries/event/"


class ASearchByPayloadTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        self.client = logged_in("operator")

    def event(self, name: str, payload: Any, **values: Any) -> None:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        defaults = {"content_type": "application/json", "received_at": NOW}
        make_event(**{"endpoint": self.endpoint, "event_id": f"evt-{name}", "body": body, **defaults, **values})

    def found(self, text: str, **filters: str) -> set[str]:
        answer = self.client.get(EVENTS, {"value": text, **filters})
        self.assertEqual(answer.status_code, 200)
        return set(re.findall(r"\bevt-(\w+)", answer.content.decode()))

    def test_finds_the_field_and_not_the_text_elsewhere(self) -> None:
        self.event("yes", {"customer": {"id": "cus_1"}})
        self.event("elsewhere", {"note": "cus_1", "customer": {"id": "cus_2"}})
        self.event("longer", {"customer": {"id": "cus_12"}})

        self.assertEqual(self.found("customer.id = cus_1"), {"yes"})
        self.assertEqual(self.found("customer.id=cus_3"), set())

    def test_finds_what_is_escaped_in_the_body_or_came_as_a_form(self) -> None:
        self.event("escaped", b'{"name": "J\\u00fcrgen"}')
        self.event("plain", '{"name": "J\u00fcrgen"}'.encode())
        self.event("slash", b'{"url": "https:\\/\\/x.example\\/1"}')
        self.event("form", b"name=J%C3%BCrgen", content_type="application/x-www-form-urlencoded")

        self.assertEqual(self.found("name = J\u00fcrgen"), {"escaped", "plain", "form"})
        self.assertEqual(self.found("url = https://x.example/1"), {"slash"})

    def test_finds_nothing_of_what_is_hidden_whoever_asks(self) -> None:
        hidden = make_endpoint(slug="clinic", sensitive=True)
        self.event("hidden", {"patient": "p_1"}, endpoint=hidden)
        for role in ("viewer", "administrator"):
            self.client = logged_in(role)
            self.assertEqual(self.found("patient = p_1"), set())

    def test_compares_with_what_is_shown_of_credentials(self) -> None:
        meta = make_endpoint(slug="chat", provider="slack")
        body = {"token": "xoxb-the-token", "type": "event_callback", "team_id": "T1"}
        self.event("chat", body, endpoint=meta)

        self.assertEqual(self.found("team_id = T1"), {"chat"})
        self.assertEqual(self.found("token = xoxb-the-token"), set())

    def test_ends_at_its_bounds_and_offers_to_go_on(self) -> None:
        for number in range(6):
            self.event(f"{number}", {"n": number % 5}, received_at=NOW + timedelta(minutes=number))
        for bound in (patch.object(keyset, "LOOKED_THROUGH", 3), patch.object(keyset, "LOOKED_THROUGH_BYTES", 24)):
            with bound:
                page = self.client.get(EVENTS, {"value": "n = 0"}).content.decode()
                self.assertEqual(set(re.findall(r"\bevt-(\w+)", page)), {"5"})
                self.assertIn("was looked through back to", page)
                further = re.search(r'href="([^"]*)">Look further back<', page)
                assert further
                page = self.client.get(EVENTS + further[1].replace("&amp;", "&")).content.decode()
                self.assertEqual(set(re.findall(r"\bevt-(\w+)", page)), {"0"})

    def test_shows_no_more_than_a_page_and_leads_on(self) -> None:
        for number in range(53):
            self.event(f"{number}", {"n": 1}, received_at=NOW + timedelta(minutes=number))
        page = self.client.get(EVENTS, {"value": "n = 1"}).content.decode()

        self.assertEqual(len(set(re.findall(r"\bevt-(\w+)", page))), 50)
        self.assertIn(">Older<", page)

    def test_takes_a_text_that_names_no_field_for_none(self) -> None:
        self.event("yes", {"n": 1})
        for text in ("n", "= 1", "n =", "a..b = 1"):
            self.assertEqual(self.found(text), set(), text)

    def test_says_what_to_write_where_a_text_names_no_field(self) -> None:
        self.assertContains(
            self.client.get(EVENTS, {"value": "<cus_1>"}), "“&lt;cus_1&gt;” names no field of the payload"
        )
        for text in ("", "customer.id = cus_1"):
            self.assertNotContains(self.client.get(EVENTS, {"value": text}), "names no field")

    def test_is_not_exported_as_the_database_finds_more_than_is_shown(self) -> None:
        self.event("elsewhere", {"note": "cus_1"})
        answer = self.client.post(f"{EVENTS}export/?value=id+%3D+cus_1", {"format": "csv"})

        self.assertEqual(answer.status_code, 302)
        self.assertFalse(AuditEntry.objects.filter(message__startswith="Exported").exists())


class AWantedValueTests(SimpleTestCase):
    def test_is_looked_for_in_lists_by_name_and_by_number(self) -> None:
        payload = {"items": [{"sku": "a"}, {"sku": "b"}], "total": 12, "paid": True, "left": None}
        for text in ("items.sku = b", "items.1.sku = b", "total = 12", "paid = true", "left = null", 'total = "12"'):
            self.assertTrue(Wanted.read(text).is_in(payload), text)
        for text in ("items.0.sku = b", "items.5.sku = b", "total = 1", "sku = b", "items = b", "paid = True"):
            self.assertFalse(Wanted.read(text).is_in(payload), text)

    def test_may_have_an_equals_sign_and_needs_a_field(self) -> None:
        self.assertEqual(Wanted.read("q = a=b"), Wanted(("q",), "a=b"))
        with self.assertRaises(NotASearch):
            Wanted.read("cus_1")
