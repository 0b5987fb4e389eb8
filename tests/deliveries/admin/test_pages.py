from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.admin import home
from deliveries.models import Attempt, Delivery, Event, Rejection, RejectionCount, Worker
from integrations.models import Endpoint, Route, Secret
from tests.deliveries.admin.people import SECRET, logged_in, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route

LISTS = (
    "/admin/deliveries/event/",
    "/admin/deliveries/delivery/",
    "/admin/deliveries/rejection/",
    "/admin/deliveries/worker/",
    "/admin/deliveries/parkedkey/",
    "/admin/integrations/endpoint/",
    "/admin/integrations/route/",
)


def fill(rows: int = 1) -> None:
    """Make ``rows`` of everything, spread over endpoints of several schemes whose secrets contain `SECRET`."""
    now = timezone.now()
    for number in range(rows):
        provider, secret = (("generic_hmac", SECRET), ("generic_token", SECRET), ("generic_basic", f"user:{SECRET}"))[
            number % 3
        ]
        endpoint = make_endpoint(provider=provider, secret=secret, name=f"Name {number}")
        route = make_route(endpoint)
        event = make_event(endpoint, flags=["possible_replay"], headers={"X-Signature": "••••••", "Accept": "*/*"})
        delivery = make_delivery(
            route, event=event, status="dead", finished_at=now, attempt_count=1, last_error="ValueError: no"
        )
        Attempt.objects.create(
            delivery=delivery,
            number=1,
            trigger="first",
            started_at=now,
            finished_at=now + timedelta(milliseconds=40),
            outcome="failed",
            error_type="ValueError",
            error_message="no <b>bold</b> answer",
            traceback='Traceback:\n  File "x.py", line 1\nValueError: no',
            log=[{"at": "2026-01-01T00:00:00.000+00:00", "message": "tried", "fields": {"id": 7}}],
            response={"status": 500},
        )
        Rejection.objects.create(endpoint=endpoint, reason="signature_mismatch", received_at=now, raw_body=b"{}")
        RejectionCount.objects.create(endpoint=endpoint, reason="signature_mismatch", hour=now, count=3)
        Worker.objects.create(name=f"host:{number}", started_at=now, beat_at=now)


def every_page() -> list[str]:
    """Return the addresses of all pages about the rows that `fill` made."""
    delivery, event, rejection = Delivery.objects.get(), Event.objects.get(), Rejection.objects.get()
    endpoint, route = Endpoint.objects.get(), Route.objects.get()
    return [
        "/admin/",
        *LISTS,
        "/admin/knox/authtoken/",
        f"/admin/deliveries/event/{event.pk}/change/",
        f"/admin/deliveries/delivery/{delivery.pk}/change/",
        f"/admin/deliveries/delivery/{delivery.pk}/history/",
        f"/admin/deliveries/rejection/{rejection.pk}/change/",
        f"/admin/deliveries/worker/{Worker.objects.get().pk}/change/",
        f"/admin/integrations/endpoint/{endpoint.pk}/change/",
        f"/admin/integrations/endpoint/{endpoint.pk}/history/",
        f"/admin/integrations/route/{route.pk}/change/",
    ]


class PageTests(TestCase):
    def test_opens_for_every_role(self) -> None:
        fill()
        for role in ("viewer", "operator", "administrator", "superuser"):
            client = logged_in(role)
            for address in every_page():
                self.assertEqual(client.get(address).status_code, 200, (role, address))

    def test_stays_shut_without_a_role(self) -> None:
        fill()
        client = logged_in("nobody")
        for address in every_page():
            expected = 200 if address in {"/admin/", "/admin/knox/authtoken/"} else 403
            self.assertEqual(client.get(address).status_code, expected, address)

    def test_sends_a_stranger_to_the_login(self) -> None:
        fill()
        for address in every_page():
            self.assertEqual(Client().get(address).status_code, 302, address)

    def test_for_setting_up_opens_for_administrators_only(self) -> None:
        fill()
        endpoint, route = Endpoint.objects.get(), Route.objects.get()
        pages = (
            "/admin/integrations/endpoint/add/",
            "/admin/integrations/route/add/",
            f"/admin/integrations/endpoint/{endpoint.pk}/delete/",
            f"/admin/integrations/route/{route.pk}/delete/",
            "/admin/auth/user/",
            "/admin/auth/user/add/",
            f"/admin/auth/user/{make_user('viewer').pk}/change/",
        )
        for role, expected in (("viewer", 403), ("operator", 403), ("administrator", 200)):
            client = logged_in(role)
            for address in pages:
                self.assertEqual(client.get(address).status_code, expected, (role, address))

    def test_of_history_takes_no_change_from_anybody(self) -> None:
        fill()
        client = logged_in("superuser")
        for kind, row in (("event", Event.objects.get()), ("delivery", Delivery.objects.get())):
            self.assertEqual(client.post(f"/admin/deliveries/{kind}/{row.pk}/change/", {}).status_code, 405)
            self.assertEqual(
                client.post(f"/admin/deliveries/{kind}/{row.pk}/delete/", {"post": "yes"}).status_code, 403
            )
            self.assertEqual(client.get(f"/admin/deliveries/{kind}/add/").status_code, 403)


class SecretTests(TestCase):
    @pytest.mark.any_database
    def test_is_on_no_page_in_any_form(self) -> None:
        encoded = base64.b64encode(f"user:{SECRET}".encode()).decode()
        for provider, value in (
            ("generic_hmac", SECRET),
            ("generic_token", SECRET),
            ("generic_bearer", SECRET),
            ("generic_basic", f"user:{SECRET}"),
            ("slack", SECRET),
        ):
            fill()
            Endpoint.objects.update(provider=provider, settings={})
            Secret.objects.all().delete()
            Secret.objects.create(endpoint=Endpoint.objects.get(), value=value, label="mine")
            for role in ("viewer", "operator", "administrator", "superuser"):
                client = logged_in(role)
                for address in every_page():
                    page = client.get(address).content.decode()
                    self.assertNotIn(SECRET, page, (provider, role, address))
                    self.assertNotIn(encoded, page, (provider, role, address))
            for model in (Attempt, Delivery, Event, Rejection, RejectionCount, Route, Secret, Endpoint, Worker):
                model._default_manager.all().delete()

    def test_is_not_searched_through_the_address(self) -> None:
        make_endpoint(provider="generic_hmac", secret=SECRET)
        client = logged_in("superuser")
        for lookup in ("secrets__value__startswith=t", "secrets__value=t", "secrets__value__regex=."):
            self.assertEqual(client.get(f"/admin/integrations/endpoint/?{lookup}").status_code, 400, lookup)


class ListTests(TestCase):
    def asked(self, client: Client, address: str) -> list[str]:
        """Return the statements that the page of ``address`` needs."""
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(client.get(address).status_code, 200)
        return [query["sql"] for query in captured]

    def test_needs_as_many_queries_for_forty_rows_as_for_four(self) -> None:
        client = logged_in("administrator")
        fill(4)
        few = {address: len(self.asked(client, address)) for address in ("/admin/", *LISTS)}
        fill_more(36)
        many = {address: len(self.asked(client, address)) for address in ("/admin/", *LISTS)}

        self.assertEqual(many, few)
        self.assertEqual(
            many,
            {
                "/admin/": 25,  # one of them for endpoints that were begun and left
                "/admin/deliveries/event/": 10,
                "/admin/deliveries/delivery/": 11,
                "/admin/deliveries/rejection/": 10,
                "/admin/deliveries/worker/": 7,
                "/admin/deliveries/parkedkey/": 7,
                "/admin/integrations/endpoint/": 9,
                "/admin/integrations/route/": 9,
            },
        )

    def test_never_counts_history_nor_loads_bodies(self) -> None:
        fill()
        client = logged_in("viewer")
        for address in LISTS[:3]:
            for statement in self.asked(client, address):
                self.assertNotIn("COUNT(", statement.upper(), address)
                self.assertNotIn("raw_body", statement, address)

    def test_goes_on_to_a_second_page(self) -> None:
        endpoint = make_endpoint()
        for _ in range(51):
            make_event(endpoint)
        client = logged_in("viewer")

        first = client.get("/admin/deliveries/event/").context["cl"]
        second = client.get(f"/admin/deliveries/event/{first.paginator.next}").context["cl"]

        self.assertEqual((len(first.result_list), len(second.result_list)), (50, 1))

    @pytest.mark.stricter_database
    def test_answers_any_query_string(self) -> None:
        fill()
        client = logged_in("viewer")
        oddities = ("%00", "'%25_", "é😀%ff", "9" * 400, "-1", "*")
        names = (
            "q", "p", "o", "all", "endpoint", "route", "status", "event_type", "received_at_from_0", "created_at_to_1",
            "id", "duplicates", "headers", "sealed__startswith", "service", "state", "nonsense",
        )  # fmt: skip
        for place, address in enumerate(LISTS):
            for number, name in enumerate(names):
                for oddity in oddities[(place + number) % 3 :: 3]:  # each of them at two lists in seven or more
                    answer = client.get(f"{address}?{name}={oddity}")
                    self.assertIn(answer.status_code, {200, 302, 400}, (address, name, oddity))


def fill_more(rows: int) -> None:
    endpoint = make_endpoint(provider="generic_hmac", secret=SECRET)
    for number in range(rows):
        other = make_endpoint(provider="generic_hmac", secret=SECRET)
        make_delivery(make_route(other), status="dead", finished_at=timezone.now())
        Rejection.objects.create(endpoint=endpoint, reason="x", received_at=timezone.now())
        Worker.objects.create(name=f"more:{number}", started_at=timezone.now(), beat_at=timezone.now())


class SearchTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("viewer")
        endpoint = make_endpoint()
        self.event = make_event(endpoint, event_id="evt_wanted", request_id=uuid4().hex, event_type="order.paid")
        self.delivery = make_delivery(make_route(endpoint), event=self.event)
        make_delivery(make_route(endpoint), event=make_event(endpoint, event_type="order"))

    def found(self, kind: str, query: str) -> list[Any]:
        page = self.client.get(f"/admin/deliveries/{kind}/?{query}")
        self.assertEqual(page.status_code, 200)
        return [row.pk for row in page.context["cl"].result_list]

    def test_finds_an_event_by_each_of_its_ids(self) -> None:
        for term in (self.event.event_id, self.event.request_id, str(self.event.pk), f" {self.event.pk} "):
            self.assertEqual(self.found("event", f"q={term}"), [self.event.pk], term)

    def test_finds_a_delivery_by_its_own_and_its_events_ids(self) -> None:
        for term in (str(self.delivery.pk), str(self.event.pk), "evt_wanted", self.event.request_id):
            self.assertEqual(self.found("delivery", f"q={term}"), [self.delivery.pk], term)

    def test_finds_nothing_for_a_part_of_an_id(self) -> None:
        self.assertEqual(self.found("event", "q=evt_"), [])

    def test_filters_by_type_whole_or_by_its_beginning(self) -> None:
        self.assertEqual(self.found("event", "event_type=order.paid"), [self.event.pk])
        self.assertEqual(self.found("event", "event_type=order.*"), [self.event.pk])
        self.assertEqual(len(self.found("event", "event_type=order*")), 2)
        self.assertEqual(self.found("delivery", "event_type=order.paid"), [self.delivery.pk])

    def test_filters_by_day_and_hour(self) -> None:
        Event.objects.filter(pk=self.event.pk).update(received_at="2026-03-05T10:30:00Z")

        self.assertEqual(
            self.found("event", "received_at_from_0=2026-03-05&received_at_to_0=2026-03-05"), [self.event.pk]
        )
        self.assertEqual(
            self.found(
                "event",
                "received_at_from_0=2026-03-05&received_at_from_1=10:31:00&received_at_to_0=2026-03-05",
            ),
            [],
        )

    def test_filters_by_endpoint_status_provider_and_verdict(self) -> None:
        other = make_delivery(make_route(make_endpoint()), status="held")

        self.assertEqual(self.found("delivery", f"endpoint={other.endpoint_id}"), [other.pk])
        self.assertEqual(self.found("delivery", f"route={other.route_id}"), [other.pk])
        self.assertEqual(self.found("delivery", "status=held"), [other.pk])
        self.assertEqual(self.found("delivery", "provider=github"), [])
        self.assertEqual(self.found("event", "verdict=internal"), [])


class HomeTests(TestCase):
    def page(self) -> Any:
        return logged_in("viewer").get("/admin/")

    def cards(self) -> dict[str, Any]:
        return {card.title: card for card in self.page().context["cards"]}

    def test_is_calm_about_an_empty_hub_but_for_its_workers(self) -> None:
        kinds = {title: card.kind for title, card in self.cards().items() if card.kind != "neutral"}

        self.assertEqual(kinds, {"Queue": "success", "Workers": "danger"})
        self.assertEqual([shown.concern.kind for shown in self.page().context["concerns"]], ["no_worker"])

    def test_says_that_nothing_needs_attention(self) -> None:
        make_endpoint()
        Worker.objects.create(name="w", started_at=timezone.now(), beat_at=timezone.now(), threads=4, running=1)

        page = self.page()

        self.assertContains(page, "Nothing. What comes in gets done.")
        self.assertContains(page, "Alive; 1 of 4 threads busy.")

    def test_shows_what_needs_attention_with_the_list_behind_it(self) -> None:
        now = timezone.now()
        route = make_route(make_endpoint(slug="shop"), name="to the ERP")
        make_delivery(route, status="dead", finished_at=now)
        make_delivery(route, now=now - timedelta(minutes=10))
        Worker.objects.create(name="w", started_at=now, beat_at=now)
        Worker.objects.create(name="gone", started_at=now, beat_at=now - timedelta(hours=2))

        page = self.page()

        self.assertEqual(
            [(shown.concern.kind, shown.url) for shown in page.context["concerns"]],
            [
                ("queue_age", "/admin/deliveries/delivery/?status=pending"),
                ("dead_letters", f"/admin/deliveries/delivery/?status=dead&route={route.pk}"),
            ],
        )
        self.assertContains(page, "shop → to the ERP</b> 1 delivery gave up.")
        cards = {card.title: card for card in page.context["cards"]}
        self.assertEqual(cards["Workers"].value, "1")
        self.assertEqual((cards["Queue"].value, cards["Queue"].kind), ("1", "danger"))
        self.assertIn("10 min", cards["Queue"].note)

    def test_leads_to_what_failed_last_night_in_one_step(self) -> None:
        link = 'href="/admin/deliveries/delivery/failures/?when=last_night"'
        self.assertNotContains(self.page(), link)
        make_delivery(make_route(make_endpoint()), status="dead", finished_at=timezone.now())

        self.assertContains(self.page(), link)

    def test_folds_what_is_less_bad(self) -> None:
        for _ in range(home.SHOWN_AT_ONCE + 2):
            make_delivery(make_route(make_endpoint()), status="dead", finished_at=timezone.now())

        page = self.page()

        self.assertEqual((len(page.context["concerns"]), len(page.context["more_concerns"])), (home.SHOWN_AT_ONCE, 3))
        self.assertContains(page, "<summary>3 more</summary>")

    def test_gives_the_part_that_changes_by_itself(self) -> None:
        make_delivery(make_route(make_endpoint(slug="shop")), status="dead", finished_at=timezone.now())

        page = self.page()
        part = logged_in("viewer").get("/admin/overview/?window=1h")

        self.assertContains(page, 'data-refresh="/admin/overview/?window=24h"')
        self.assertContains(part, 'data-live="home" data-goes-on')
        self.assertContains(part, "1 delivery gave up.")
        self.assertEqual(part.context["activity"].chosen.text, "1h")
        self.assertNotContains(part, "<html")
        self.assertNotContains(part, "<script")

    def test_keeps_that_part_for_who_is_logged_in_and_for_looking(self) -> None:
        self.assertEqual(Client().get("/admin/overview/").status_code, 302)
        self.assertContains(logged_in("nobody").get("/admin/overview/"), "no role yet")
        self.assertEqual(logged_in("viewer").post("/admin/overview/").status_code, 405)

    def test_leads_who_may_from_an_empty_hub_to_the_first_steps(self) -> None:
        first_steps = "/admin/integrations/endpoint/first-steps/"

        self.assertContains(logged_in("administrator").get("/admin/"), f'href="{first_steps}">Take the first steps')
        self.assertNotContains(logged_in("viewer").get("/admin/"), "Take the first steps")

    def test_tells_a_user_without_a_role_to_ask_for_one(self) -> None:
        self.assertContains(logged_in("nobody").get("/admin/"), "no role yet")

    def test_links_only_to_what_the_user_may_open(self) -> None:
        make_endpoint()
        page = logged_in("viewer").get("/admin/")

        self.assertNotContains(page, "/admin/auth/user/")
        self.assertNotContains(page, "/admin/integrations/endpoint/add/")
        self.assertContains(page, "/admin/deliveries/event/")
        self.assertTrue(User.objects.filter(username="viewer").exists())
