from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import TestCase
from django.utils import timezone

from deliveries.models import AuditEntry, Event
from integrations.models import Endpoint, Route, Secret
from tests.deliveries.admin.endpoint_form import ADD, fields_of, new_route, new_secret, page_of, when
from tests.deliveries.admin.people import SECRET, logged_in
from tests.factories import make_endpoint, make_route

pytestmark = pytest.mark.any_database

RETRY = {"max_attempts": 2, "max_age_seconds": 60, "errors": {"OSError": {"retry": False}}}


class NewEndpointTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")

    def test_is_made_with_its_secret_and_route(self) -> None:
        answer = self.client.post(
            ADD,
            fields_of(
                **new_secret(SECRET),
                **new_route(events="order.*\n\n refund ", filter="total", retry=json.dumps(RETRY)),
                settings='{"header": "X-Shop", "event_type": "body:type"}',
                allowed_networks="192.0.2.0/24\n2001:db8::/32",
            ),
        )

        endpoint = Endpoint.objects.get()
        self.assertRedirects(answer, page_of(endpoint))
        self.assertEqual(endpoint.settings, {"header": "X-Shop", "event_type": "body:type"})
        self.assertEqual(endpoint.allowed_networks, ["192.0.2.0/24", "2001:db8::/32"])
        self.assertEqual(endpoint.secrets.get().value, SECRET)
        route = endpoint.routes.get()
        self.assertEqual((route.events, route.filter, route.retry), (["order.*", "refund"], "total", RETRY))

    def test_with_the_slug_of_a_live_one_is_refused(self) -> None:
        known = make_endpoint(slug="taken")
        other = make_endpoint(slug="other", provider="generic_hmac", secret=SECRET)
        said = "An endpoint with this slug exists already."

        self.assertContains(self.client.post(ADD, fields_of(slug="taken", **new_secret(SECRET))), said)
        self.assertContains(self.client.post(page_of(other), fields_of(other, slug="taken")), said)
        self.assertEqual(set(Endpoint.objects.values_list("slug", flat=True)), {"taken", "other"})

        known.retire(now=timezone.now())
        self.client.post(page_of(other), fields_of(other, slug="taken"))
        self.assertEqual(Endpoint.objects.live().get().slug, "taken")

    def test_limits_and_orders_its_routes_deliveries(self) -> None:
        chosen = {"concurrency": "3", "ordering_key": "order.id", "ordering_failure": "park"}

        self.client.post(ADD, fields_of(**new_secret(SECRET), **new_route(**chosen)))

        route = Route.objects.get()
        self.assertEqual((route.concurrency, route.ordering_key, route.ordering_failure), (3, "order.id", "park"))
        page = self.client.get(f"/admin/integrations/route/{route.pk}/change/")
        self.assertContains(page, "order.id</textarea>")
        self.assertContains(page, '<option value="park" selected>')

    def test_starts_from_the_defaults(self) -> None:
        page = self.client.get(ADD)

        self.assertContains(page, "&quot;max_attempts&quot;: 6")
        self.assertNotContains(page, ">null</textarea>")

    def test_starts_without_a_provider_and_a_handler(self) -> None:
        page = self.client.get(ADD)
        refused = self.client.post(ADD, fields_of(provider="", **new_route(handler="")))

        self.assertNotContains(page, "selected>Discord")
        self.assertIn("provider", refused.context["adminform"].form.errors)
        self.assertIn("handler", refused.context["inline_admin_formsets"][1].formset.errors[0])

    def test_leaves_an_empty_json_field_an_empty_object(self) -> None:
        self.client.post(ADD, fields_of(**new_secret(SECRET), **new_route()))

        self.assertEqual(Endpoint.objects.get().settings, {})
        self.assertEqual(Route.objects.get().config, {})

    def test_is_refused_with_the_reason_at_the_field(self) -> None:
        refused = {
            "settings": (
                {"settings": "{"}, {"settings": '{"nonsense": 1}'}, {"settings": "[1]"}, {"settings": "NaN"},
                {"settings": '{"header": "a\\u0000"}'}, {"settings": "[" * 5000},
                {"settings": '{"template": "{timestamp}.{body}"}'},
            ),
            "allowed_networks": ({"allowed_networks": "300.0.0.0/8"},),
            "slug": ({"slug": "a b"}, {"slug": ""}),
            "provider": ({"provider": "nobody"},),
            "dedupe": ({"dedupe": "((("},),
        }  # fmt: skip
        for field, cases in refused.items():
            for case in cases:
                page = self.client.post(ADD, fields_of(**new_secret(SECRET), **case))
                self.assertEqual(page.status_code, 200, case)
                self.assertIn(field, page.context["adminform"].form.errors, case)
        self.assertFalse(Endpoint.objects.exists())

    def test_is_refused_for_a_bad_route_at_the_routes_field(self) -> None:
        cases = {
            "handler": {"handler": "nobody"},
            "config": {"handler": "log", "config": '{"no": 1}'},
            "filter": {"filter": "((("},
            "retry": {"retry": '{"max_attempts": 0}'},
            "timeout_seconds": {"timeout_seconds": "x"},
            "concurrency": {"concurrency": "-1"},
            "__all__": {"concurrency": "0"},
            "ordering_key": {"ordering_key": "order."},
            "ordering_failure": {"ordering_failure": "ignore"},
        }
        for field, case in cases.items():
            page = self.client.post(ADD, fields_of(**new_route(**case)))
            self.assertEqual(page.status_code, 200, case)
            self.assertIn(field, page.context["inline_admin_formsets"][1].formset.errors[0], case)

    def test_shows_what_each_providers_settings_mean(self) -> None:
        page = self.client.get(ADD)

        self.assertContains(page, 'data-provider-help="github"')
        self.assertContains(page, "tolerance_seconds")


class SecretRowTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        self.old = self.endpoint.secrets.get()

    def save(self, **changes: Any) -> Any:
        return self.client.post(page_of(self.endpoint), fields_of(self.endpoint, **changes))

    def test_is_kept_when_the_endpoint_is_saved(self) -> None:
        self.assertEqual(self.save(name="renamed").status_code, 302)

        self.old.refresh_from_db()
        self.assertEqual(self.old.value, SECRET)

    def test_is_not_overwritten_through_its_field(self) -> None:
        self.save(**{"secrets-0-value": "another value", "secrets-0-label": "renamed"})

        self.old.refresh_from_db()
        self.assertEqual((self.old.value, self.old.label), (SECRET, "renamed"))

    def test_is_joined_by_a_second_one(self) -> None:
        self.save(**new_secret("the next one", number=1))

        self.assertEqual({secret.value for secret in Secret.objects.all()}, {SECRET, "the next one"})

    def test_is_ended_and_not_deleted(self) -> None:
        self.save(**{"secrets-0-DELETE": "on"})

        self.old.refresh_from_db()
        self.assertLessEqual(self.old.expires_at or timezone.now() + timedelta(1), timezone.now())
        self.assertContains(self.client.get(page_of(self.endpoint)), "no live secret")

    def test_gets_an_end(self) -> None:
        end = timezone.now() + timedelta(days=3)
        self.save(**when("secrets-0-expires_at", end))

        self.old.refresh_from_db()
        assert self.old.expires_at is not None
        self.assertLess(abs(self.old.expires_at - end), timedelta(seconds=2))

    def test_once_ended_stays_ended_and_never_stands_in_the_way(self) -> None:
        ended_at = timezone.now() - timedelta(days=1)
        Secret.objects.filter(pk=self.old.pk).update(expires_at=ended_at, label="a")
        self.endpoint.provider = "github"

        answer = self.save(**{"provider": "github", "secrets-0-expires_at_0": "2999-01-01", "secrets-0-label": "b"})

        self.old.refresh_from_db()
        self.assertEqual(answer.status_code, 302)
        self.assertEqual((self.old.expires_at, self.old.label), (ended_at, "a"))

    def test_that_the_scheme_cannot_use_is_refused_at_its_field_and_not_echoed(self) -> None:
        cases = (
            ("generic_basic", "no-colon-in-here-the-end-of-a-secret"),
            ("standard_webhooks", "whsec_not!base64-the-end-of-a-secret"),
            ("generic_hmac", ""),
            ("generic_hmac", "env:HUB_SECRET_THAT_IS_NOT_SET"),
            ("generic_none", "needless-the-end-of-a-secret"),
        )
        for provider, value in cases:
            fields = fields_of(slug="other", provider=provider, **new_secret(value))
            page = self.client.post(ADD, fields)
            self.assertEqual(page.status_code, 200, (provider, value))
            self.assertIn("value", page.context["inline_admin_formsets"][0].formset.errors[0], (provider, value))
            self.assertNotContains(page, "the-end-of-a-secret", msg_prefix=provider)
        self.assertFalse(Endpoint.objects.filter(slug="other").exists())

    def test_is_read_without_its_value_by_who_may_not_write(self) -> None:
        for role in ("viewer", "operator"):
            page = logged_in(role).get(page_of(self.endpoint))
            self.assertContains(page, "Last used")
            self.assertNotContains(page, "secrets-0-value")
            self.assertNotContains(page, SECRET)

    def test_cannot_be_written_by_an_operator(self) -> None:
        answer = logged_in("operator").post(
            page_of(self.endpoint), fields_of(self.endpoint, **new_secret("sly", number=1))
        )

        self.assertEqual(answer.status_code, 403)
        self.assertEqual(Secret.objects.count(), 1)


class PanelTests(TestCase):
    def test_shows_the_url_and_a_signed_line(self) -> None:
        endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        page = logged_in("administrator").get(page_of(endpoint))

        self.assertContains(page, "http://testserver/hooks/shop")
        self.assertContains(page, "X-Signature: ")
        self.assertContains(page, 'data-copy="curl-line"')

    def test_keeps_the_signed_line_from_who_may_not_change_the_endpoint(self) -> None:
        endpoint = make_endpoint(provider="generic_hmac", secret=SECRET)

        self.assertNotContains(logged_in("operator").get(page_of(endpoint)), "X-Signature: ")

    def test_warns_of_an_endpoint_that_proves_nothing(self) -> None:
        page = logged_in("viewer").get(page_of(make_endpoint(provider="generic_none")))

        self.assertContains(page, "asks for no proof")

    def test_warns_of_an_endpoint_without_a_live_secret(self) -> None:
        page = logged_in("viewer").get(page_of(make_endpoint(provider="generic_hmac")))

        self.assertContains(page, "no live secret")

    def test_makes_no_keys_by_being_looked_at(self) -> None:
        endpoint = make_endpoint(provider="discord", settings={"mode": "interactions"})
        logged_in("administrator").get(page_of(endpoint))

        self.assertFalse(Secret.objects.exists())


class TestEventTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        self.address = f"/admin/integrations/endpoint/{self.endpoint.pk}/order/test/"

    def test_goes_through_the_receiving_path(self) -> None:
        make_route(self.endpoint)
        page = logged_in("administrator").post(self.address, follow=True)
        event = Event.objects.get()

        self.assertEqual((event.verdict, event.deliveries.count()), ("verified", 1))
        self.assertContains(page, "The endpoint answered 200")
        self.assertContains(page, f"/admin/deliveries/event/{event.pk}/change/")

    def test_says_what_is_missing(self) -> None:
        Secret.objects.all().delete()

        self.assertContains(logged_in("administrator").post(self.address, follow=True), "No test event was sent")

    def test_is_not_for_viewers_nor_for_links(self) -> None:
        self.assertEqual(logged_in("viewer").post(self.address).status_code, 403)
        self.assertEqual(logged_in("administrator").get(self.address).status_code, 405)
        self.assertFalse(Event.objects.exists())

    def test_is_for_operators_as_in_the_api(self) -> None:
        client = logged_in("operator")

        self.assertContains(client.get(page_of(self.endpoint)), "Send a test event")
        self.assertContains(client.post(self.address, follow=True), "The endpoint answered 200")
        self.assertEqual(AuditEntry.objects.changes().get().message, "sent a test event.")
        self.assertNotContains(logged_in("viewer").get(page_of(self.endpoint)), "Send a test event")

    def test_is_not_for_a_retired_endpoint(self) -> None:
        self.endpoint.retire(now=timezone.now())

        self.assertEqual(logged_in("administrator").post(self.address).status_code, 404)


class SharedUrlTests(TestCase):
    def test_is_shown_where_it_is_switched_on(self) -> None:
        client = logged_in("viewer")
        for switched_on in (True, False):
            endpoint = make_endpoint(provider="github", shared_url=switched_on)
            page = client.get(page_of(endpoint)).content.decode()
            self.assertEqual('id="shared-url">http://testserver/hooks<' in page, switched_on)
