"""Beside a route's form: what it would do with a stored event, before it is saved."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.test import TestCase
from django.urls import reverse

from deliveries.models import Delivery, Event
from integrations.models import Endpoint, EndpointGroup
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.test_flow_steps import make_step
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_delivery, make_endpoint, make_event, make_route

URL = reverse("admin:integrations_route_preview")
BODY = json.dumps({"order": {"id": 7, "email": "ann@example.com"}}).encode()
EMIT = {"handler": "hub.emit", "config": json.dumps({"event_type": "order.{{ payload.order.id }}"})}


class RoutePreviewTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        self.event = make_event(self.endpoint, body=BODY, event_type="order.made")
        self.client = logged_in("administrator")

    def ask(self, **fields: Any) -> HttpResponse:
        return self.client.post(URL, {"endpoint": self.endpoint.pk, **fields})

    def test_shows_what_the_filter_finds_and_what_the_handler_would_do(self) -> None:
        page = self.ask(filter="order.id", **EMIT)

        self.assertEqual(page.context["made"].found, "7")
        self.assertTrue(page.context["made"].is_taken)
        self.assertContains(page, "&quot;event_type&quot;: &quot;order.7&quot;")

    def test_gives_a_flow_the_outputs_that_its_steps_had_for_the_event(self) -> None:
        tell = {"name": "tell", "handler": "hub.emit", "config": {"event_type": "order.{{ steps.lookup.kind }}"}}
        config = {"steps": [{"name": "lookup", "handler": "test.act"}, tell]}
        route = make_route(self.endpoint, handler="hub.flow", config=config)
        make_step(make_delivery(route, event=self.event), "lookup", kept={"output": {"kind": "new"}})
        asked = {"handler": "hub.flow", "config": json.dumps(config)}

        self.assertContains(self.ask(route=route.pk, **asked), "order.new")
        self.assertContains(self.ask(**asked), "not known before it ran: the output of lookup")

    def test_does_nothing(self) -> None:
        self.ask(**EMIT)

        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (1, 0))
        self.assertEqual(self.client.get(URL).status_code, 405)

    def test_takes_the_newest_event_or_the_chosen_one_of_that_endpoint(self) -> None:
        newest = make_event(self.endpoint, body=b"[1]")
        other = make_event(make_endpoint(slug="other"), body=b"[2]")

        for wanted, tried in (("", newest), (self.event.pk, self.event), (other.pk, newest), ("x", newest)):
            with self.subTest(wanted):
                self.assertEqual(self.ask(event=wanted, handler="log").context["event"], tried)

    def test_says_what_is_wrong_and_at_which_column(self) -> None:
        for fields, name, said in (
            ({"filter": "order..id", "handler": "log"}, "filter", "column 6"),
            ({"handler": "log", "config": '{"a": }'}, "config", "Line 1, column 7"),
            ({"handler": "hub.emit", "config": '{"event_type": "{% now %}"}'}, "config", "line 1, column 1"),
            ({"handler": "hub.emit", "config": '{"event_type": "{{ payload.x }}"}'}, "handler", "would give up"),
            ({"handler": "log", "config": "[1]"}, "config", "object"),
        ):
            with self.subTest(fields):
                (text,) = self.ask(**fields).context["made"].problems[name]
                self.assertIn(said, text)

    def test_survives_a_handler_that_there_is_not_and_an_endpoint_without_events(self) -> None:
        self.assertIsNone(self.ask(handler="gone.away").context["made"].does)
        Event.objects.all().delete()
        self.assertContains(self.ask(handler="log"), "No event has come yet")
        self.assertEqual(self.client.post(URL, {"endpoint": "x"}).status_code, 404)

    def test_tries_nothing_on_hidden_payloads(self) -> None:
        Endpoint.objects.update(sensitive=True)

        page = self.ask(filter="order.id", **EMIT)

        self.assertContains(page, "its payload is hidden")
        self.assertNotContains(page, "order.7")
        self.assertIsNone(page.context["made"].found)

    def test_gives_a_handler_no_credential_of_the_event(self) -> None:
        Event.objects.filter(pk=self.event.pk).update(headers={"Authorization": "Bearer t0ken", "X-A": "plain"})

        page = self.ask(handler="http.forward", config='{"url": "https://a.example/", "headers": ["Authorization"]}')

        self.assertContains(page, "Authorization")
        self.assertNotContains(page, "t0ken")

    def test_is_for_those_who_fill_in_routes_of_endpoints_that_they_see(self) -> None:
        self.client = logged_in("viewer")
        self.assertEqual(self.ask(handler="log").status_code, 403)
        user = make_user("administrator", name="sam")
        restrict(user, EndpointGroup.objects.create(name="ours"))
        self.client.force_login(user)
        self.assertEqual(self.ask(handler="log").status_code, 404)

    def test_stands_below_the_form_of_a_new_and_of_an_old_route(self) -> None:
        route = make_route(self.endpoint)
        for page in (
            self.client.get(reverse("admin:integrations_route_add")),
            self.client.get(reverse("admin:integrations_route_change", args=[route.pk])),
        ):
            self.assertContains(page, f'data-route-preview="{URL}"')
            self.assertContains(page, "route-preview.js")
