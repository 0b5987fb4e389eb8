"""The first steps: from a provider to the first handled event, each step left and taken up again."""

from __future__ import annotations

import json

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape

from deliveries.models import AuditEntry, Event, Rejection
from integrations.models import Endpoint, EndpointGroup, Restriction, Route, Secret
from integrations.providers import providers
from tests.deliveries.admin.people import SECRET, logged_in, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route

START = "/admin/integrations/endpoint/first-steps/"


def step(endpoint: Endpoint, name: str = "") -> str:
    return f"{START}{endpoint.pk}/{name}"


class ChoosingTests(TestCase):
    def test_offers_every_provider_that_sends(self) -> None:
        page = logged_in("administrator").get(START)

        for key in providers:
            self.assertEqual(reverse("admin:first_steps_new", args=[key]) in page.content.decode(), key != "internal")

    def test_finds_by_name_without_scripts(self) -> None:
        page = logged_in("administrator").get(f"{START}?q=stri")

        self.assertContains(page, reverse("admin:first_steps_new", args=["stripe"]))
        self.assertNotContains(page, reverse("admin:first_steps_new", args=["github"]))

    def test_offers_to_go_on_with_what_was_begun(self) -> None:
        begun, done = make_endpoint(slug="begun"), make_endpoint(slug="finished")
        make_delivery(make_route(done))
        make_endpoint(slug="made-here", provider="internal")
        undelivered = make_endpoint(slug="came-before-its-route")
        make_event(undelivered)
        make_route(undelivered)

        client = logged_in("viewer")
        page = client.get(START)

        self.assertEqual(page.context["begun"], [undelivered, begun])
        self.assertContains(page, "nothing delivered yet", count=1)
        self.assertRedirects(client.get(step(undelivered)), step(undelivered, "done/"))

    def test_lets_a_viewer_look_and_make_nothing(self) -> None:
        client = logged_in("viewer")

        self.assertNotContains(client.get(START), "/first-steps/new/")
        self.assertEqual(client.get(f"{START}new/github/").status_code, 403)
        self.assertEqual(client.post(f"{START}new/github/", {"slug": "x"}).status_code, 403)
        self.assertFalse(Endpoint.objects.exists())


class MakingTests(TestCase):
    def test_makes_the_endpoint_and_notes_it(self) -> None:
        answer = logged_in("administrator").post(f"{START}new/github/", {"slug": "code", "name": "Code"})

        row = Endpoint.objects.get()
        self.assertRedirects(answer, step(row, "connect/"))
        self.assertEqual((row.slug, row.name, row.provider, row.settings), ("code", "Code", "github", {}))
        self.assertEqual(AuditEntry.objects.filter(action="made", object_id=str(row.pk)).count(), 1)

    def test_asks_for_the_settings_of_the_provider_by_name(self) -> None:
        client = logged_in("administrator")
        page = client.get(f"{START}new/generic_hmac/")
        self.assertContains(page, 'name="settings-header"')

        client.post(
            f"{START}new/generic_hmac/",
            {"slug": "shop", "settings-header": "X-Shop", "settings-encoding": "base64",
             "settings-event_type": "body:type"},
        )  # fmt: skip

        self.assertEqual(
            Endpoint.objects.get().settings, {"header": "X-Shop", "encoding": "base64", "event_type": "body:type"}
        )

    def test_says_what_is_wrong_and_makes_nothing(self) -> None:
        make_endpoint(slug="taken")

        answer = logged_in("administrator").post(
            f"{START}new/generic_hmac/", {"slug": "taken", "settings-event_id": "nowhere"}
        )

        self.assertContains(answer, "nowhere")
        answer = logged_in("administrator").post(f"{START}new/generic_hmac/", {"slug": "taken"})
        self.assertContains(answer, "An endpoint with this slug exists already.")
        self.assertEqual(Endpoint.objects.count(), 1)

    def test_puts_the_endpoint_of_a_restricted_user_into_one_of_their_groups(self) -> None:
        group = EndpointGroup.objects.create(name="theirs")
        other = EndpointGroup.objects.create(name="others")
        Restriction.objects.create(user=make_user("administrator")).groups.add(group)
        client = logged_in("administrator")

        for chosen in ("", other.pk):
            client.post(f"{START}new/github/", {"slug": "code", "group": chosen})
            self.assertFalse(Endpoint.objects.exists())
        client.post(f"{START}new/github/", {"slug": "code", "group": group.pk})

        self.assertEqual(Endpoint.objects.get().group, group)

    def test_is_404_for_no_provider_and_for_the_hubs_own(self) -> None:
        for key in ("nobody", "internal"):
            self.assertEqual(logged_in("administrator").get(f"{START}new/{key}/").status_code, 404)


class ConnectingTests(TestCase):
    def test_shows_the_url_and_where_the_secret_is_found(self) -> None:
        page = logged_in("viewer").get(step(make_endpoint(slug="code", provider="github"), "connect/"))

        self.assertContains(page, "/hooks/code")
        self.assertContains(page, providers["github"].secret_help)
        self.assertNotContains(page, 'name="value"')

    def test_says_where_the_url_is_entered_at_the_provider(self) -> None:
        where, general = providers["github"].url_help, "Where webhooks are set up there"
        client = logged_in("viewer")
        known, other = make_endpoint(provider="github"), make_endpoint(provider="generic_hmac")
        self.assertTrue(where)

        page = client.get(step(known, "connect/"))
        self.assertContains(page, conditional_escape(where))
        self.assertNotContains(page, general)
        self.assertContains(client.get(step(other, "connect/")), general)
        self.assertContains(client.get(f"/admin/integrations/endpoint/{known.pk}/change/"), conditional_escape(where))
        self.assertNotContains(client.get(f"/admin/integrations/endpoint/{other.pk}/change/"), "Where it is entered")

    def test_takes_no_way_to_sign_for_the_name_of_a_sender(self) -> None:
        client = logged_in("administrator")
        client.post(f"{START}new/generic_none/", {"slug": "open"})
        unsigned, named = Endpoint.objects.get(), make_endpoint(provider="github")

        self.assertNotIn(
            "value=", str(client.get(f"{START}new/generic_none/").context["form"]["name"]).replace('value=""', "")
        )
        self.assertContains(client.get(step(unsigned, "connect/")), "At the sender: register this URL")
        page = client.get(step(unsigned, "event/"))
        self.assertContains(page, "signed as the sender would")
        self.assertNotContains(page, "It was signed when this page was made")
        self.assertContains(client.get(step(named, "connect/")), "At GitHub: register this URL")

    def test_takes_the_secret_and_shows_it_to_nobody(self) -> None:
        endpoint, client = make_endpoint(provider="github"), logged_in("administrator")

        answer = client.post(step(endpoint, "connect/"), {"value": SECRET, "label": "first"})

        self.assertRedirects(answer, step(endpoint, "event/"))
        self.assertEqual(Secret.objects.get().value, SECRET)
        self.assertNotContains(client.get(step(endpoint, "connect/")), SECRET)
        self.assertNotIn(SECRET, str(list(AuditEntry.objects.values_list("after", "message"))))

    def test_keeps_an_unusable_secret_out_and_does_not_repeat_it(self) -> None:
        endpoint = make_endpoint(provider="discord")

        answer = logged_in("administrator").post(step(endpoint, "connect/"), {"value": SECRET})

        self.assertContains(answer, 'role="alert"')
        self.assertNotContains(answer, SECRET)
        self.assertFalse(Secret.objects.exists())

    def test_takes_no_secret_of_who_may_not_enter_one(self) -> None:
        endpoint = make_endpoint(provider="github")

        self.assertEqual(logged_in("operator").post(step(endpoint, "connect/"), {"value": SECRET}).status_code, 403)
        self.assertFalse(Secret.objects.exists())


class WaitingTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)

    def test_waits_and_shows_why_what_came_was_refused(self) -> None:
        Rejection.objects.create(
            endpoint=self.endpoint, reason="signature_mismatch", received_at=timezone.now(), source="192.0.2.1"
        )

        page = logged_in("viewer").get(step(self.endpoint, "event/state/"))

        self.assertContains(page, "Waiting for the first event")
        self.assertContains(page, "signature mismatch")
        self.assertContains(page, "data-refresh=")

    def test_turns_green_with_a_test_event_and_comes_back_here(self) -> None:
        client = logged_in("administrator")
        back = step(self.endpoint, "event/")

        answer = client.post(f"/admin/integrations/endpoint/{self.endpoint.pk}/order/test/", {"back": back})

        self.assertRedirects(answer, back)
        page = client.get(step(self.endpoint, "event/state/"))
        self.assertContains(page, "The first event is here")
        self.assertNotContains(page, "data-refresh=")

    def test_leads_an_order_back_to_pages_of_the_admin_only(self) -> None:
        for back in ("https://example.com/", "//example.com/admin/", "/api/docs/"):
            answer = logged_in("administrator").post(
                f"/admin/integrations/endpoint/{self.endpoint.pk}/order/test/", {"back": back}
            )
            self.assertTrue(answer["Location"].startswith("/admin/"), answer["Location"])
            self.assertNotIn("example.com", answer["Location"])

    def test_is_taken_up_at_the_first_step_that_is_not_done(self) -> None:
        client = logged_in("viewer")
        bare = make_endpoint(provider="github")
        self.assertRedirects(client.get(step(bare)), step(bare, "connect/"))
        self.assertRedirects(client.get(step(self.endpoint)), step(self.endpoint, "event/"))
        make_event(self.endpoint)
        self.assertRedirects(client.get(step(self.endpoint)), step(self.endpoint, "route/"))
        make_route(self.endpoint)
        self.assertRedirects(client.get(step(self.endpoint)), step(self.endpoint, "done/"))

    def test_is_404_for_an_endpoint_of_another_group(self) -> None:
        Restriction.objects.create(user=make_user("administrator"))
        for name in ("", "connect/", "event/", "event/state/", "route/", "route/log/", "done/", "done/state/"):
            self.assertEqual(logged_in("administrator").get(step(self.endpoint, name)).status_code, 404, name)


class RoutingTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        self.url = step(self.endpoint, "route/http.forward/")

    def test_offers_the_handlers_that_are_searched_for(self) -> None:
        client, address = logged_in("administrator"), f"{START}{self.endpoint.pk}/route/"

        found = [one.key for one in client.get(address, {"q": "SLACK message"}).context["handlers"]]

        self.assertEqual(found, ["slack.message"])
        self.assertContains(client.get(address, {"q": "no such thing"}), "No handler of that name")
        self.assertGreater(len(client.get(address).context["handlers"]), 5)

    def test_asks_for_the_config_of_the_handler_by_name(self) -> None:
        client = logged_in("administrator")
        page = client.get(self.url)
        self.assertContains(page, 'name="config-url"')

        client.post(
            self.url,
            {
                "name": "to the ERP", "events": "order.*", "filter": "total > `10`",
                "config-url": "https://erp.example.com/in", "config-headers": "X-A\nX-B",
                "config-timeout_seconds": "2.5",
            },
        )  # fmt: skip

        row = Route.objects.get()
        self.assertEqual((row.name, row.events, row.filter), ("to the ERP", ["order.*"], "total > `10`"))
        self.assertEqual(
            row.config, {"url": "https://erp.example.com/in", "headers": ["X-A", "X-B"], "timeout_seconds": 2.5}
        )
        self.assertTrue(row.enabled)
        self.assertEqual(AuditEntry.objects.filter(action="made", object_id=str(row.pk)).count(), 1)

    def test_says_what_the_handler_misses(self) -> None:
        answer = logged_in("administrator").post(self.url, {"name": "to the ERP", "config-url": "ftp://erp"})

        self.assertContains(answer, "has to be an http:// or https:// address")
        self.assertFalse(Route.objects.exists())

    def test_makes_no_route_for_who_may_not(self) -> None:
        self.assertEqual(logged_in("operator").post(self.url, {"name": "x"}).status_code, 403)
        self.assertNotContains(logged_in("operator").get(step(self.endpoint, "route/")), "route/log/")

    def test_shows_in_the_end_what_became_of_the_event(self) -> None:
        route = make_route(self.endpoint)
        event = make_event(self.endpoint)
        self.assertContains(logged_in("operator").get(step(self.endpoint, "done/")), "had no route yet")
        make_delivery(route, event=event, status="succeeded", finished_at=timezone.now())

        page = logged_in("viewer").get(step(self.endpoint, "done/state/"))

        self.assertContains(page, "the first event is handled")
        self.assertNotContains(page, "data-refresh=")


class PreviewTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint()
        for number, kind in enumerate(("order.paid", "order.made", "user.made")):
            make_event(self.endpoint, event_type=kind, body=json.dumps({"total": number}).encode())
        self.url = f"/admin/integrations/endpoint/{self.endpoint.pk}/preview/"

    def taken(self, **fields: str) -> dict[str, bool | None]:
        page = logged_in("viewer").post(self.url, fields)
        return {trial.event.event_type: trial.is_taken for trial in page.context["trials"]}

    def test_tries_globs_and_filter_on_the_latest_events(self) -> None:
        self.assertEqual(self.taken(), {"order.paid": True, "order.made": True, "user.made": True})
        self.assertEqual(
            self.taken(events="order.*", filter="total > `0`"),
            {"order.paid": False, "order.made": True, "user.made": False},
        )

    def test_says_what_is_wrong_with_a_filter(self) -> None:
        page = logged_in("viewer").post(self.url, {"filter": "total >"})

        self.assertTrue(page.context["problems"])
        self.assertEqual(page.context["trials"], [])

    def test_does_not_try_filters_on_hidden_payloads(self) -> None:
        Endpoint.objects.update(sensitive=True)

        self.assertEqual(set(self.taken(filter="total > `0`").values()), {None})
        self.assertEqual(set(self.taken().values()), {True})

    def test_looks_at_ten_events_in_few_queries(self) -> None:
        for _ in range(30):
            make_event(self.endpoint)
        client = logged_in("superuser")
        with self.assertNumQueries(4):  # session, user, endpoint, events
            page = client.post(self.url)
        self.assertEqual(len(page.context["trials"]), 10)

    def test_is_for_who_may_see_events(self) -> None:
        looker = make_user("nobody", name="looker")
        looker.user_permissions.add(Permission.objects.get(codename="view_route"))

        self.assertEqual(logged_in("looker").post(self.url).status_code, 403)
        self.assertEqual(logged_in("viewer").get(self.url).status_code, 405)
        self.assertEqual(Event.objects.count(), 3)
