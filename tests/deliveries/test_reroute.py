"""Stored events for routes that were made later: as a verb, through the API, and in the admin."""

from __future__ import annotations

import json
from datetime import timedelta

from cryptography.fernet import Fernet
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.models import AuditEntry, Delivery, Event
from deliveries.reroute import NotRerouted, obstacle, reroute
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.deliveries.api.cases import make_user as make_api_user
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.deliveries.receiving.test_concurrency import at_once
from tests.factories import make_delivery, make_endpoint, make_event, make_route

LIST = "/admin/deliveries/event/"


class RerouteTests(TestCase):
    def setUp(self) -> None:
        self.user = make_user("operator")
        self.endpoint = make_endpoint()
        self.event = make_event(self.endpoint, body=b'{"total": 250}', event_type="order.paid")

    def test_makes_deliveries_for_the_routes_that_match_now_and_have_none(self) -> None:
        served = make_delivery(make_route(self.endpoint), event=self.event, status="dead", finished_at=timezone.now())
        fits = make_route(self.endpoint, events=["order.*"], filter="total > `100`")
        make_route(self.endpoint, events=["push"])
        make_route(self.endpoint, filter="total > `1000`")
        make_route(self.endpoint, enabled=False)
        make_route(make_endpoint())
        now = timezone.now() + timedelta(minutes=1)

        made = reroute(self.event, by=self.user, now=now)

        (delivery,) = Delivery.objects.exclude(pk=served.pk)
        self.assertEqual([row.pk for row in made], [delivery.pk])
        self.assertEqual((delivery.route, delivery.status), (fits, "pending"))
        self.assertEqual((delivery.due_at, delivery.created_at, delivery.next_trigger), (now, now, "first"))
        served.refresh_from_db()
        self.assertEqual(served.status, "dead")

    def test_makes_nothing_the_second_time(self) -> None:
        make_route(self.endpoint)

        self.assertEqual(len(reroute(self.event, by=self.user)), 1)
        self.assertEqual(reroute(self.event, by=self.user), [])

        self.assertEqual(Delivery.objects.count(), 1)

    def test_leaves_one_entry_that_says_how_many_and_none_for_nothing(self) -> None:
        reroute(self.event, by=self.user)
        self.assertFalse(AuditEntry.objects.changes().exists())
        make_route(self.endpoint), make_route(self.endpoint)

        reroute(self.event, by=self.user)

        entry = AuditEntry.objects.changes().get()
        self.assertEqual((entry.object_id, entry.user), (str(self.event.pk), self.user))
        self.assertEqual(entry.message, "Rerouted; deliveries made: 2.")

    def test_queues_behind_what_has_the_same_ordering_key(self) -> None:
        ordered = make_route(self.endpoint, ordering_key="total")
        (first,) = reroute(self.event, by=self.user)
        later = make_event(self.endpoint, body=b'{"total": 250}')

        (second,) = reroute(later, by=self.user)

        self.assertEqual((first.route, first.blocked, second.blocked), (ordered, False, True))
        self.assertLess(first.ordinal, second.ordinal)

    def test_leaves_out_routes_that_are_retired(self) -> None:
        make_route(self.endpoint).retire(now=timezone.now())

        self.assertEqual(reroute(self.event, by=self.user), [])

    def test_holds_the_deliveries_of_what_is_paused(self) -> None:
        make_route(self.endpoint, paused=True)
        (of_the_route,) = reroute(self.event, by=self.user)
        self.endpoint.state = "paused"
        self.endpoint.save()
        make_route(self.endpoint)
        (of_the_endpoint,) = reroute(Event.objects.get(), by=self.user)

        self.assertEqual((of_the_route.status, of_the_endpoint.status), ("held", "held"))

    def test_is_refused_while_the_endpoint_is_switched_off(self) -> None:
        make_route(self.endpoint)
        self.endpoint.state = "disabled"
        self.endpoint.save()

        self.assertEqual(obstacle(self.event), "Its endpoint is switched off.")
        with self.assertRaisesMessage(NotRerouted, "Its endpoint is switched off."):
            reroute(self.event, by=self.user)
        self.assertFalse(Delivery.objects.exists())

    def test_is_refused_for_a_body_that_was_not_kept(self) -> None:
        make_route(self.endpoint)
        event = make_event(self.endpoint, raw_body=None)

        with self.assertRaisesMessage(NotRerouted, "Its body has not been kept."):
            reroute(event, by=self.user)

    def test_is_refused_for_a_body_whose_key_is_lost(self) -> None:
        endpoint = signed_endpoint(sensitive=True)
        sender = Sender()
        sender.client = self.client
        sender.send(endpoint, b'{"type": "paid"}', event_id="1")
        event = Event.objects.get(endpoint=endpoint)
        make_route(endpoint)

        lost = override_settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()])
        with lost, self.assertRaisesMessage(NotRerouted, "HUB_ENCRYPTION_KEYS"):
            reroute(event, by=self.user)
        self.assertEqual(len(reroute(event, by=self.user)), 1)


class RerouteOfAnItemTests(WithBatches, Sender, TestCase):
    def test_asks_the_item_and_not_the_whole_batch(self) -> None:
        endpoint = splitting()
        self.send(endpoint, json.dumps({"events": items(1, 2)}).encode())
        make_route(endpoint, filter="id == 'evt-2'")
        first, second = Event.objects.order_by("batch_index")
        operator = make_user("operator")

        self.assertEqual([len(reroute(event, by=operator)) for event in (first, second)], [0, 1])


class OrdersAtTheSameMoment(TransactionTestCase):
    def test_make_each_delivery_once(self) -> None:
        user = make_api_user("ada", is_superuser=True)
        event = make_event(endpoint := make_endpoint())
        for _ in range(3):
            make_route(endpoint)

        results = at_once(6, lambda *_: len(reroute(Event.objects.get(pk=event.pk), by=user)))

        self.assertEqual(sorted(results), [0, 0, 0, 0, 0, 3])
        self.assertEqual(Delivery.objects.count(), 3)


class TheApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint()
        self.event = make_event(self.endpoint)
        self.url = f"{API}/events/{self.event.pk}/reroute/"

    def test_answers_with_what_was_made_and_then_with_nothing(self) -> None:
        route = make_route(self.endpoint, name="note it")

        first, second = self.client.post(self.url), self.client.post(self.url)

        delivery = Delivery.objects.get()
        shown = {
            "id": str(delivery.pk),
            "route": str(route.pk),
            "route_name": "note it",
            "handler": "log",
            "status": "pending",
            "attempt_count": 0,
        }
        self.assertEqual((first.status_code, first.json()), (201, {"event": str(self.event.pk), "deliveries": [shown]}))
        self.assertEqual((second.status_code, second.json()), (200, {"event": str(self.event.pk), "deliveries": []}))
        self.assertEqual(self.logged(), ["API: Rerouted; deliveries made: 1."])

    def test_says_why_it_cannot(self) -> None:
        self.endpoint.retire(now=timezone.now())

        answer = self.assert_error(self.client.post(self.url), 409, "conflict")

        self.assertEqual(answer["detail"], "Its endpoint is switched off.")

    def test_takes_no_values(self) -> None:
        self.assert_error(self.client.post(self.url, {"route": "x"}), 400, "validation_error", "route")

    def test_is_for_operators(self) -> None:
        make_route(self.endpoint)

        self.assert_error(client_of(make_api_user("vera", role="viewer")).post(self.url), 403, "permission_denied")
        self.assertFalse(Delivery.objects.exists())
        self.assertEqual(client_of(make_api_user("olga", role="operator")).post(self.url).status_code, 201)


class TheAdminTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint()
        self.event = make_event(self.endpoint)
        self.page = f"{LIST}{self.event.pk}/change/"
        self.url = f"{LIST}{self.event.pk}/reroute/"

    def test_names_the_routes_and_then_makes_the_deliveries(self) -> None:
        make_route(self.endpoint, name="Forward to the shop")
        client = logged_in("operator")

        self.assertContains(client.get(self.page), self.url)
        question = client.post(self.url)
        self.assertContains(question, "Forward to the shop")
        self.assertContains(question, "Make 1 delivery")
        self.assertFalse(Delivery.objects.exists())

        answer = client.post(self.url, {"confirmed": "yes"}, follow=True)

        self.assertRedirects(answer, self.page)
        self.assertContains(answer, "1 delivery was made.")
        self.assertEqual(Delivery.objects.count(), 1)
        self.assertEqual(AuditEntry.objects.changes().get().message, "Rerouted; deliveries made: 1.")

    def test_says_that_no_route_is_left(self) -> None:
        client = logged_in("operator")

        question = client.post(self.url)
        answer = client.post(self.url, {"confirmed": "yes"}, follow=True)

        self.assertContains(question, "Every route that matches this event has a delivery of it.")
        self.assertNotContains(question, 'id="confirm"')
        self.assertContains(answer, "No delivery was made: no other route matches.")

    def test_says_why_it_cannot(self) -> None:
        self.endpoint.state = "disabled"
        self.endpoint.save()
        client = logged_in("operator")

        self.assertNotContains(client.get(self.page), self.url)
        answer = client.post(self.url, follow=True)

        self.assertContains(answer, "No delivery was made. Its endpoint is switched off.")

    def test_takes_no_order_from_a_viewer_or_by_a_link(self) -> None:
        make_route(self.endpoint)
        viewer = logged_in("viewer")

        self.assertNotContains(viewer.get(self.page), self.url)
        self.assertEqual(viewer.post(self.url, {"confirmed": "yes"}).status_code, 403)
        self.assertEqual(logged_in("operator").get(self.url).status_code, 405)
        self.assertFalse(Delivery.objects.exists())
