"""A route's page: the config in the inputs of its handler."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.test import TestCase
from django.urls import reverse

from integrations.models import Connection, EndpointGroup, Route
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint, make_event, make_route

PART = reverse("admin:integrations_route_config")


class RouteFormTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        self.route = make_route(self.endpoint, handler="http.forward", config={"url": "https://a.example/in"})
        self.url = reverse("admin:integrations_route_change", args=[self.route.pk])
        self.client = logged_in("administrator")

    def post(self, **fields: Any) -> HttpResponse:
        form = {
            **{name: getattr(self.route, name) for name in ("name", "timeout_seconds", "priority", "ordering_failure")},
            **dict.fromkeys(("events", "filter", "retry", "ordering_key", "concurrency"), ""),
            "enabled": "on",
            "handler": "http.forward",
            "config_form": "http.forward",
        }
        return self.client.post(self.url, {**form, **fields})

    def test_asks_for_each_property_and_saves_the_object(self) -> None:
        page = self.client.get(self.url)
        self.assertContains(page, 'name="config-url"')
        self.assertContains(page, 'value="https://a.example/in"')
        self.assertContains(page, "route-form.js")

        saved = self.post(
            **{"config-url": "https://b.example/", "config-headers": "X-A\r\nX-B", "config-method": "PUT"}
        )

        self.assertEqual(saved.status_code, 302)
        self.route.refresh_from_db()
        wanted = {"url": "https://b.example/", "headers": ["X-A", "X-B"], "method": "PUT"}
        self.assertEqual(self.route.config, wanted)

    def test_shows_what_is_wrong_at_its_input(self) -> None:
        page = self.post(**{"config-url": "ftp://b.example/", "config-timeout_seconds": "soon"})

        self.assertContains(page, 'id="id_config-timeout_seconds-errors"')
        self.assertContains(page, "See what is marked below.", count=1)
        page = self.post(**{"config-url": "ftp://b.example/"})
        self.assertContains(page, 'id="id_config-url-errors"')
        self.assertContains(page, 'value="ftp://b.example/"')

    def test_shows_the_inputs_of_another_handler_and_saves_nothing(self) -> None:
        Connection.objects.create(name="crm", base_url="https://crm.example.com")

        page = self.post(**{"handler": "http.request", "_config_as": "form", "config-url": "u", "config-path": "/p"})

        self.assertContains(page, '<option value="crm">crm</option>', html=True)
        self.assertContains(page, 'name="config-path" value="/p"')
        self.assertNotContains(page, 'name="config-url"')
        self.assertNotContains(page, "errornote")
        again = self.post(**{"handler": "http.request", "config-url": "https://b.example/"})
        self.assertContains(again, "wants a config of its own")
        self.route.refresh_from_db()
        self.assertEqual((self.route.handler, self.route.config), ("http.forward", {"url": "https://a.example/in"}))

    def test_changes_between_inputs_and_json_with_what_was_entered(self) -> None:
        page = self.post(**{"config-url": "https://b.example/", "_config_as": "json"})
        self.assertContains(page, "&quot;url&quot;: &quot;https://b.example/&quot;")

        page = self.post(config='{"url": "https://c.example/"}', config_form="json", _config_as="form")
        self.assertContains(page, 'value="https://c.example/"')

        page = self.post(config='{"url": ', config_form="json", _config_as="form")
        self.assertContains(page, "This is no JSON object yet")
        page = self.post(config='{"mine": 1}', config_form="json", _config_as="form")
        self.assertContains(page, "more, or something else, than the form has inputs for")
        self.assertContains(page, "&quot;mine&quot;: 1")

    def test_takes_json_as_it_stands(self) -> None:
        self.assertEqual(self.post(config='{"url": "https://c.example/"}', config_form="json").status_code, 302)
        self.assertEqual(Route.objects.get().config, {"url": "https://c.example/"})

    def test_begins_without_a_handler_and_makes_a_route_without_a_script(self) -> None:
        url = reverse("admin:integrations_route_add")
        self.assertContains(self.client.get(url), "Choose a handler")
        form = {"endpoint": self.endpoint.pk, "name": "n", "handler": "http.forward", "timeout_seconds": 30,
                "priority": 5, "ordering_failure": "block", "enabled": "on", "config_form": ""}  # fmt: skip

        page = self.client.post(url, {**form, "_config_as": "form"})
        self.assertContains(page, 'name="config-url"')
        self.client.post(url, {**form, "config_form": "http.forward", "config-url": "https://n.example/"})

        self.assertEqual(Route.objects.get(name="n").config, {"url": "https://n.example/"})

    def test_gives_a_browser_the_inputs_alone(self) -> None:
        page = self.client.post(PART, {"handler": "hub.emit", "config_form": "", "_config_as": "form"})

        self.assertContains(page, 'name="config-event_type"')
        self.assertNotContains(page, "<html")
        self.assertEqual(self.client.get(PART).status_code, 405)
        self.client = logged_in("viewer")
        self.assertEqual(self.client.post(PART, {}).status_code, 403)

    def test_offers_no_connection_of_another_group(self) -> None:
        ours, theirs = (EndpointGroup.objects.create(name=name) for name in ("ours", "theirs"))
        Connection.objects.create(name="secret-crm", base_url="https://crm.example.com", group=theirs)
        user = make_user("administrator", name="sam")
        restrict(user, ours)
        self.client.force_login(user)

        page = self.client.post(PART, {"handler": "http.request", "config_form": "", "_config_as": "form"})

        self.assertNotContains(page, "secret-crm")
        self.assertContains(page, 'name="config-connection"')

    def test_is_previewed_with_its_ordering_key_and_each_expression(self) -> None:
        make_event(self.endpoint, body=b'{"order": {"id": 7}}')
        fields = {"endpoint": self.endpoint.pk, "handler": "hub.emit", "config_form": "hub.emit"}
        url = reverse("admin:integrations_route_preview")

        typed = {"config-event_type": "made", "config-payload": "order", "ordering_key": "order.id"}
        page = self.client.post(url, {**fields, **typed})
        wrong = self.client.post(url, {**fields, "ordering_key": "order..id", "config-payload": "order["})

        made = page.context["made"]
        self.assertEqual((made.key, made.problems), ("7", {}))
        self.assertIn('"id": 7', made.values["payload"])
        self.assertIn("event_type", page.context["made"].does)
        self.assertIn("column 6", wrong.context["made"].problems["ordering_key"][0])
        self.assertIn("config", wrong.context["made"].problems)
