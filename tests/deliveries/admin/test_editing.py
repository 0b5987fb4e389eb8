"""The pages that replay an event with an edited payload."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.admin.editing import LARGEST_BYTES
from deliveries.models import Delivery, Event
from deliveries.models.sealing import MASK
from tests.deliveries.admin.people import logged_in
from tests.deliveries.edited_replays import EDITED, PAYLOAD, EditedReplayTestCase
from tests.factories import make_delivery, make_event, make_route


@pytest.mark.any_database
class TheAdminTests(EditedReplayTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.delivery = make_delivery(self.route, event=self.event, status="dead", finished_at=timezone.now())
        self.page = f"/admin/deliveries/event/{self.event.pk}/change/"
        self.url = f"/admin/deliveries/event/{self.event.pk}/edit/"
        self.browser = logged_in("operator")

    def made(self) -> list[Event]:
        return list(Event.objects.filter(derived_from=self.event))

    def test_shows_the_payload_then_what_differs_and_then_makes_the_event(self) -> None:
        self.assertContains(self.browser.get(self.page), self.url)
        editor = self.browser.get(self.url)
        self.assertContains(editor, "&quot;total&quot;: 250")
        text = editor.context["form"]["payload"].value().replace("250", "25")

        question = self.browser.post(self.url, {"payload": text})

        self.assertContains(question, "<b>total</b>")
        self.assertContains(question, '<code class="hub-code">250</code>')
        self.assertContains(question, '<code class="hub-code">25</code>')
        self.assertContains(question, "Book it")
        self.assertEqual(self.made(), [])

        order = {"payload": text, "order": question.context["order"], "confirmed": "yes"}
        answers = [self.browser.post(self.url, order, follow=True) for _ in range(2)]

        (made,) = self.made()
        for answer in answers:
            self.assertRedirects(answer, f"/admin/deliveries/event/{made.pk}/change/")
        self.assertContains(answers[0], "made with your payload, with 1 delivery")
        self.assertContains(answers[0], f"{self.event.pk}</a> by operator, with an edited payload")
        self.assertContains(self.browser.get(self.page), f"{made.pk}</a> by operator, with an edited payload")
        self.assertEqual(made.deliveries.count(), 1)

    def test_runs_on_the_route_of_the_delivery_or_on_all(self) -> None:
        other = make_route(self.endpoint, name="Tell them")
        for which, expected in (("route", {self.route}), ("all", {self.route, other})):
            values = {"payload": json.dumps(EDITED), "delivery": self.delivery.pk, "which": which}
            question = self.browser.post(self.url, values)
            self.browser.post(self.url, {**values, "order": question.context["order"], "confirmed": "yes"})

            routes = {row.route for row in Delivery.objects.exclude(event=self.event)}
            self.assertEqual(routes, expected)
            Event.objects.filter(derived_from=self.event).update(derived_from=None)
            Delivery.objects.exclude(event=self.event).delete()

    def test_begins_at_a_delivery_too(self) -> None:
        page = self.browser.get(f"/admin/deliveries/delivery/{self.delivery.pk}/change/")
        url = f"{self.url}?delivery={self.delivery.pk}"
        self.assertContains(page, url)

        editor = self.browser.get(url)

        self.assertContains(editor, "The route Book it only")
        self.assertContains(editor, f"/admin/deliveries/delivery/{self.delivery.pk}/change/")

    def test_says_where_the_payload_is_no_json_and_keeps_the_text(self) -> None:
        answer = self.browser.post(self.url, {"payload": '{\n  "total": 25,,\n}'})

        self.assertContains(answer, "at line 2, column")
        self.assertContains(answer, "25,,")

    def test_goes_back_to_the_editor_with_the_text_and_the_choice(self) -> None:
        values = {"payload": '{"total": 7}', "delivery": self.delivery.pk, "which": "all", "step": "edit"}

        editor = self.browser.post(self.url, values)

        self.assertContains(editor, "&quot;total&quot;: 7")
        self.assertContains(editor, 'value="all" checked')
        self.assertEqual(self.made(), [])

    def test_says_what_is_wrong_with_the_payload(self) -> None:
        self.assertContains(self.browser.post(self.url, {"payload": json.dumps(PAYLOAD)}), "has not been changed")
        self.assertContains(self.browser.post(self.url, {"payload": json.dumps({"a": MASK})}), "stands for a value")

    def test_leaves_large_bodies_to_the_api(self) -> None:
        body = json.dumps("x" * LARGEST_BYTES).encode()
        large = make_event(self.endpoint, body=body)

        answer = self.browser.get(f"/admin/deliveries/event/{large.pk}/edit/", follow=True)

        self.assertContains(answer, "too large for a page")

    def test_says_that_a_filter_does_not_take_it(self) -> None:
        self.route.filter = "total > `100`"
        self.route.save()

        values = {"payload": json.dumps(EDITED), "delivery": self.delivery.pk, "which": "route"}
        self.assertContains(self.browser.post(self.url, values), "it runs all the same")

    def test_says_why_it_cannot(self) -> None:
        self.endpoint.sensitive = True
        self.endpoint.save()

        self.assertNotContains(self.browser.get(self.page), self.url)
        delivery = self.browser.get(f"/admin/deliveries/delivery/{self.delivery.pk}/change/")
        self.assertNotContains(delivery, self.url)
        self.assertContains(self.browser.get(self.url, follow=True), "marked as sensitive")

    def test_takes_no_order_from_a_viewer_or_by_a_link(self) -> None:
        viewer = logged_in("viewer")
        order = {"payload": json.dumps(EDITED), "order": uuid4(), "confirmed": "yes"}

        self.assertNotContains(viewer.get(self.page), self.url)
        self.assertEqual(viewer.get(self.url).status_code, 403)
        self.assertEqual(viewer.post(self.url, order).status_code, 403)
        self.browser.get(self.url, order)
        self.assertEqual(self.made(), [])
