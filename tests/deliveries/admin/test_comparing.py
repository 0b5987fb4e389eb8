"""The page that says in what an event differs from another one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client, TestCase
from django.utils import timezone

from deliveries.models import Event
from tests.deliveries.admin.people import make_user
from tests.deliveries.visibility.two_teams import Team, restrict
from tests.factories import make_endpoint, make_event


class DifferenceTests(TestCase):
    def setUp(self) -> None:
        self.client = Client()
        self.client.force_login(make_user("viewer"))
        self.endpoint = make_endpoint(slug="shop")

    def came(self, body: bytes, minutes: int, **values: Any) -> Event:
        event = make_event(self.endpoint, body=body, **{"event_type": "order.paid", **values})
        Event.objects.filter(pk=event.pk).update(received_at=timezone.now() - timedelta(minutes=minutes))
        return event

    def page(self, event: Event, **query: Any) -> HttpResponse:
        return self.client.get(f"/admin/deliveries/event/{event.pk}/difference/", query)

    def test_is_to_the_one_before_of_its_type_where_none_is_named(self) -> None:
        before = self.came(b'{"total": 10, "paid": true}', 30)
        self.came(b'{"total": 10}', 20, event_type="order.refunded")
        event = self.came(b'{"total": 25, "paid": true}', 10)
        page = self.page(event)
        self.assertEqual(page.context["other"], before)
        [change] = page.context["payload"]["changes"]
        self.assertEqual((change["path"], change["before"], change["after"]), ("total", "10", "25"))

    def test_is_to_the_one_that_is_named_by_either_id(self) -> None:
        event, other = self.came(b'{"a": 1}', 10), self.came(b'{"b": 1}', 5, event_id="evt_9")
        for named in (str(other.pk), "evt_9", f" {other.pk} "):
            page = self.page(event, **{"with": named})
            self.assertEqual(page.context["other"], other)
            self.assertEqual([row["kind"] for row in page.context["payload"]["changes"]], ["removed", "added"])

    def test_names_headers_as_well(self) -> None:
        other = self.came(b"{}", 9, headers={"User-Agent": "Shop/1"})
        event = self.came(b"{}", 5, headers={"User-Agent": "Shop/2"})
        page = self.page(event, **{"with": str(other.pk)})
        self.assertEqual(page.context["payload"]["changes"], [])
        [change] = page.context["headers"]["changes"]
        self.assertEqual((change["before"], change["after"]), ('"Shop/1"', '"Shop/2"'))

    def test_says_that_there_is_no_other(self) -> None:
        event = self.came(b"{}", 5)
        self.assertContains(self.page(event), "There is no earlier event of this type")
        for named in ("evt_none", "\0", "00000000-0000-0000-0000-000000000000", str(event.pk)):
            self.assertContains(self.page(event, **{"with": named}), "no other event with that id")

    def test_never_reads_what_is_sensitive_or_opaque(self) -> None:
        other, event = self.came(b'{"card": "4242"}', 9), self.came(b'{"card": "card-of-the-later-one"}', 5)
        self.endpoint.sensitive = True
        self.endpoint.save()
        page = self.page(event, **{"with": str(other.pk)})
        self.assertNotContains(page, "card-of-the-later-one")
        self.assertContains(page, "payloads are not compared")
        self.endpoint.sensitive = False
        self.endpoint.save()
        opaque = self.came(b"\xff\xfe", 3, content_type="application/octet-stream")
        self.assertContains(self.page(event, **{"with": str(opaque.pk)}), "cannot be compared")

    def test_finds_no_event_of_another_endpoint_or_group(self) -> None:
        ours, theirs = Team("ours"), Team("theirs")
        user = make_user("viewer", name="restricted")
        restrict(user, ours.group)
        self.client.force_login(user)
        mine = Event.objects.filter(endpoint=ours.endpoint)[0]
        foreign = Event.objects.filter(endpoint=theirs.endpoint)[0]
        self.assertEqual(self.page(foreign).status_code, 404)
        self.assertIsNone(self.page(mine, **{"with": str(foreign.pk)}).context["other"])

    def test_is_to_the_one_with_a_providers_id_that_is_a_uuid(self) -> None:
        event, other = self.came(b"{}", 10), self.came(b"{}", 5, event_id="0199c1d2-0000-7000-8000-000000000000")
        self.assertEqual(self.page(event, **{"with": other.event_id}).context["other"], other)

    def test_takes_of_what_came_at_once_the_one_before(self) -> None:
        rows = [self.came(b"{}", 5) for _ in range(3)]
        Event.objects.update(received_at=timezone.now())
        first, second, third = sorted(rows, key=lambda row: row.pk)
        self.assertEqual(
            [self.page(row).context["other"] for row in (first, second, third)],
            [None, first, second],
        )

    def test_shows_long_texts_where_they_part(self) -> None:
        self.came(b'{"text": "%b old"}' % (b"x" * 3000), 9)
        [change] = self.page(self.came(b'{"text": "%b new"}' % (b"x" * 3000), 5)).context["payload"]["changes"]
        self.assertIn("old", change["before"])
        self.assertIn("new", change["after"])
        self.assertLess(len(change["before"]), 510)

    def test_shows_the_end_of_a_long_path(self) -> None:
        self.came(b'{"%b": {"total": 1}}' % (b"x" * 3000), 9)
        [change] = self.page(self.came(b'{"%b": {"total": 2}}' % (b"x" * 3000), 5)).context["payload"]["changes"]
        self.assertTrue(change["path"].endswith("x.total"))
        self.assertLess(len(change["path"]), 510)

    def test_takes_no_order(self) -> None:
        event = self.came(b"{}", 5)
        self.assertEqual(self.client.post(f"/admin/deliveries/event/{event.pk}/difference/").status_code, 405)
