"""Pausing, resuming and retiring on the endpoint's page."""

from __future__ import annotations

from typing import Any

from django.test import TestCase
from django.utils import timezone

from deliveries.models import AuditEntry, Delivery
from integrations.models import Connection, Endpoint
from tests.deliveries.admin.endpoint_form import ADD, fields_of, new_secret, page_of, route_fields
from tests.deliveries.admin.people import SECRET, logged_in
from tests.factories import make_delivery, make_endpoint, make_event, make_route


class PauseTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        self.route = make_route(self.endpoint)
        self.delivery = make_delivery(self.route)

    def status(self) -> str:
        return Delivery.objects.get(pk=self.delivery.pk).status

    def order(self, role: str, order: str) -> Any:
        return logged_in(role).post(f"/admin/integrations/endpoint/{self.endpoint.pk}/order/{order}/")

    def test_holds_and_resume_releases(self) -> None:
        self.order("operator", "pause")
        self.endpoint.refresh_from_db()
        self.assertEqual((self.endpoint.state, self.status()), ("paused", "held"))

        self.order("operator", "resume")
        self.endpoint.refresh_from_db()
        self.assertEqual((self.endpoint.state, self.status()), ("active", "pending"))
        self.assertEqual(AuditEntry.objects.changes().count(), 2)

    def test_is_not_for_viewers_nor_for_links(self) -> None:
        self.assertEqual(self.order("viewer", "pause").status_code, 403)
        address = f"/admin/integrations/endpoint/{self.endpoint.pk}/order/pause/"
        self.assertEqual(logged_in("operator").get(address).status_code, 405)
        self.assertEqual(self.status(), "pending")

    def test_does_not_switch_a_disabled_endpoint_on(self) -> None:
        Endpoint.objects.update(state="disabled")
        client = logged_in("operator")
        for order in ("pause", "resume"):
            address = f"/admin/integrations/endpoint/{self.endpoint.pk}/order/{order}/"
            self.assertContains(client.post(address, follow=True), "The endpoint is disabled")
            self.endpoint.refresh_from_db()
            self.assertEqual((self.endpoint.state, self.status()), ("disabled", "pending"))
            self.assertNotContains(client.get(page_of(self.endpoint)), f"order/{order}/")

    def test_happens_through_the_form_too(self) -> None:
        client = logged_in("administrator")
        client.post(page_of(self.endpoint), fields_of(self.endpoint, state="paused"))
        self.assertEqual(self.status(), "held")

        self.endpoint.refresh_from_db()
        client.post(page_of(self.endpoint), fields_of(self.endpoint, state="active"))
        self.assertEqual(self.status(), "pending")

    def test_of_a_route_holds_its_deliveries(self) -> None:
        address = f"/admin/integrations/route/{self.route.pk}/order"
        client = logged_in("operator")

        client.post(f"{address}/pause/")
        self.assertEqual(self.status(), "held")
        self.order("operator", "pause")
        client.post(f"{address}/resume/")
        self.assertEqual(self.status(), "held", "the endpoint is still paused")
        self.order("operator", "resume")

        self.assertEqual(self.status(), "pending")

    def test_of_an_endpoint_leaves_paused_routes_held_when_it_ends(self) -> None:
        logged_in("operator").post(f"/admin/integrations/route/{self.route.pk}/order/pause/")
        self.order("operator", "pause")
        self.order("operator", "resume")

        self.assertEqual(self.status(), "held")

    def test_of_a_route_in_the_form_of_its_endpoint_or_its_own(self) -> None:
        client = logged_in("administrator")
        client.post(page_of(self.endpoint), fields_of(self.endpoint, **{"routes-0-paused": "on"}))
        self.assertEqual(self.status(), "held")

        client.post(f"/admin/integrations/route/{self.route.pk}/change/", route_fields(self.route, enabled="on"))
        self.route.refresh_from_db()
        self.assertEqual((self.route.paused, self.status()), (False, "pending"))


class RetireTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        self.route = make_route(self.endpoint)
        self.delivery = make_delivery(self.route, event=make_event(self.endpoint))
        self.client = logged_in("administrator")

    def test_takes_an_endpoint_out_of_service_and_keeps_its_history(self) -> None:
        address = f"/admin/integrations/endpoint/{self.endpoint.pk}/delete/"
        asked = self.client.get(address)
        self.assertContains(asked, f"{self.endpoint.url} answers 404 from now on")
        self.assertContains(asked, "goes out of service for good")
        self.assertContains(asked, "Retire |")
        self.client.post(address, {"post": "yes"})

        self.endpoint.refresh_from_db()
        self.assertIsNotNone(self.endpoint.retired_at)
        self.assertTrue(Delivery.objects.filter(pk=self.delivery.pk).exists())
        self.assertNotContains(self.client.get("/admin/integrations/endpoint/"), page_of(self.endpoint))
        self.assertContains(self.client.get("/admin/integrations/endpoint/?service=retired"), page_of(self.endpoint))

    def test_says_of_each_kind_what_comes_of_it(self) -> None:
        connection = Connection.objects.create(name="erp", base_url="https://erp.example.com")
        route = self.client.get(f"/admin/integrations/route/{self.route.pk}/delete/")
        of_connection = self.client.get(f"/admin/integrations/connection/{connection.pk}/delete/")

        self.assertContains(route, "The deliveries that it has made stay")
        self.assertContains(of_connection, "Its credentials are removed")
        self.assertNotContains(of_connection, "deliveries and attempts")

    def test_takes_selected_endpoints_and_routes(self) -> None:
        for kind, row in (("route", self.route), ("endpoint", self.endpoint)):
            fields = {"action": "delete_selected", "_selected_action": [str(row.pk)]}
            self.assertContains(self.client.post(f"/admin/integrations/{kind}/", fields), "Retire 1")
            self.client.post(f"/admin/integrations/{kind}/", {**fields, "post": "yes"})
            row.refresh_from_db()
            self.assertIsNotNone(row.retired_at, kind)
        self.assertTrue(Delivery.objects.exists())

    def test_makes_the_page_read_only(self) -> None:
        self.endpoint.retire(now=timezone.now())

        page = self.client.get(page_of(self.endpoint))

        self.assertContains(page, "Retired on")
        self.assertNotContains(page, 'name="slug"')
        self.assertNotContains(page, "secrets-0-value")
        self.assertEqual(self.client.post(page_of(self.endpoint), fields_of(self.endpoint)).status_code, 403)

    def test_frees_the_slug(self) -> None:
        self.endpoint.retire(now=timezone.now())

        self.client.post(ADD, fields_of(slug="shop", **new_secret("x" * 20)))

        self.assertEqual(Endpoint.objects.live().get().slug, "shop")
