"""The live tail: its page, and the lines that it asks for."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client, TestCase
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Rejection
from integrations.models import Restriction
from tests.deliveries.admin.people import logged_in, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route

LINES = "/admin/tail/lines/"


def attempt(delivery: Delivery, **values: Any) -> Attempt:
    now = timezone.now()
    values = {"outcome": "succeeded", "finished_at": now, **values}
    return Attempt.objects.create(delivery=delivery, number=1, trigger="first", started_at=now, **values)


class LiveTailTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        self.client = logged_in("viewer")
        self.cursor = self.client.get(LINES).json()["cursor"]

    def new(self, client: Client | None = None, **query: str) -> list[tuple[str, str]]:
        answer = (client or self.client).get(LINES, {"cursor": self.cursor, **query}).json()
        if client is None:
            self.cursor = answer["cursor"]
        return [(line["status"], line["endpoint"]) for line in answer["lines"]]

    def test_begins_with_nothing_and_shows_what_comes(self) -> None:
        self.assertEqual(self.new(), [])
        event = make_event(self.endpoint)
        Rejection.objects.create(endpoint=self.endpoint, reason="signature_mismatch", received_at=timezone.now())
        attempt(make_delivery(make_route(self.endpoint), event=event))

        self.assertEqual(sorted(self.new()), [("received", "shop"), ("refused", "shop"), ("succeeded", "shop")])

    def test_tells_what_is_told_again_by_the_same_key(self) -> None:
        event = make_event(self.endpoint)
        keys = [self.client.get(LINES, {"cursor": self.cursor}).json()["lines"][0]["key"] for _ in range(2)]

        self.assertEqual(keys[0], keys[1])
        self.assertIn(str(event.pk), keys[0])

    def test_watches_an_attempt_until_it_has_an_outcome(self) -> None:
        row = attempt(make_delivery(make_route(self.endpoint)), outcome="running", finished_at=None)
        self.assertEqual([status for status, _ in self.new() if status != "received"], [])
        for _ in range(60):
            attempt(make_delivery(make_route(self.endpoint)))
        self.new()
        Attempt.objects.filter(pk=row.pk).update(outcome="succeeded", finished_at=timezone.now())

        answer = self.client.get(LINES, {"cursor": self.cursor}).json()

        self.assertIn(str(row.delivery_id), [line["id"] for line in answer["lines"]])

    def test_shows_one_endpoint_alone(self) -> None:
        make_event(self.endpoint)
        make_event(make_endpoint(slug="other"))

        self.assertEqual(self.new(endpoint="other"), [("received", "other")])

    def test_shows_nothing_of_other_groups(self) -> None:
        Restriction.objects.create(user=make_user("viewer", name="fenced"))
        attempt(make_delivery(make_route(self.endpoint)))
        Rejection.objects.create(endpoint=self.endpoint, reason="signature_mismatch", received_at=timezone.now())

        self.assertEqual(self.new(logged_in("fenced")), [])
        self.assertNotContains(logged_in("fenced").get("/admin/tail/"), "<option>shop</option>")

    def test_is_bounded_and_says_when_it_leaves_some_out(self) -> None:
        for _ in range(210):
            make_event(self.endpoint)

        with self.assertNumQueries(8):  # session, user, permissions (2), restrictions, three kinds
            answer = self.client.get(LINES, {"cursor": self.cursor}).json()

        self.assertEqual((len(answer["lines"]), answer["is_cut"]), (200, True))

    def test_begins_anew_with_a_cursor_that_is_none(self) -> None:
        for cursor in (
            "x",
            "[]",
            "[1,2]",
            "[1,2,[-1]]",
            '["a",1,[]]',
            "[1,2,3]",
            "[1e400,1,[]]",
            f"[1,{10**20},[]]",
        ):
            answer = self.client.get(LINES, {"cursor": cursor})
            self.assertEqual((answer.status_code, answer.json()["lines"]), (200, []), cursor)

    def test_is_for_who_may_see_events_and_deliveries(self) -> None:
        for address in ("/admin/tail/", LINES):
            self.assertEqual(logged_in("nobody").get(address).status_code, 403)
            self.assertEqual(Client().get(address).status_code, 302)
        self.assertContains(self.client.get("/admin/tail/?endpoint=shop"), "<option selected>shop</option>", html=True)

    def test_is_in_the_sidebar_of_who_may_open_it_alone(self) -> None:
        user, tail = make_user("nobody", name="half"), 'href="/admin/tail/"'
        for name in ("view_event", "view_delivery", "view_rejection"):
            self.assertNotContains(logged_in("half").get("/admin/"), tail)
            user.user_permissions.add(Permission.objects.get(codename=name, content_type__app_label="deliveries"))

        self.assertContains(logged_in("half").get("/admin/"), tail)
