"""Other bodies under a known id, accepted as events of their own: as a verb, through the API, and in the admin."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from cryptography.fernet import Fernet
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.models import AuditEntry, Delivery, Event, EventVariant
from deliveries.variants import NotAccepted, accept, accepted
from integrations.providers import providers
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.deliveries.api.cases import make_user as make_api_user
from tests.deliveries.receiving.batching import PRESET, PROVIDER, WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.deliveries.receiving.test_concurrency import at_once
from tests.factories import make_endpoint, make_event, make_route

FIRST, OTHER = b'{"type": "order.paid",  "total": 250}', b'{"type": "order.lost",\r\n "total": 25}'


def make_variant(event: Event, **values: Any) -> EventVariant:
    kept = {"raw_body": OTHER, "body_bytes": len(OTHER), "content_type": "application/json", "body_sha256": b"x" * 32}
    return EventVariant.objects.create(**{"event": event, "received_at": timezone.now(), **kept, **values})


class AcceptTests(Sender, TestCase):
    def setUp(self) -> None:
        self.user = make_user("operator")
        self.endpoint = signed_endpoint()
        self.send(self.endpoint, FIRST, event_id="o-1")
        answer = self.send(self.endpoint, OTHER, event_id="o-1", headers={"X-Shop": "7"}, query="?token=s3&a=1")
        self.event, self.variant = Event.objects.get(), EventVariant.objects.get()
        self.request_id = answer["X-Request-ID"]

    def accept(self) -> Event:
        return Event.objects.get(pk=accept(EventVariant.objects.get(), by=self.user).event_id)

    def test_makes_an_event_of_exactly_what_came(self) -> None:
        made = self.accept()

        self.assertEqual((made.body, made.payload), (OTHER, {"type": "order.lost", "total": 25}))
        self.assertEqual(made.original_headers, self.variant.original_headers)
        self.assertIn("X-Signature", made.original_headers)
        self.assertEqual(made.headers["X-Shop"], "7")
        self.assertEqual((made.query_string, made.original_query_string), ("token=••••••&a=1", "token=s3&a=1"))
        self.assertEqual((made.event_id, made.event_type, made.verdict), ("o-1", "order.lost", "verified"))
        self.assertEqual((made.received_at, made.source), (self.variant.received_at, "127.0.0.1"))
        self.assertEqual(made.request_id, self.request_id)
        self.assertEqual(made.body_sha256, self.variant.body_sha256)

    def test_says_what_it_was_made_of_and_by_whom(self) -> None:
        made = self.accept()

        self.assertEqual((made.derived_from, made.requested_by, made.hops), (self.event, "operator", 0))
        self.assertEqual(made.flags, ["accepted_body"])
        of_event, of_made = AuditEntry.objects.changes().order_by("id")
        self.assertEqual((of_event.object_id, of_event.user), (str(self.event.pk), self.user))
        self.assertEqual(of_event.message, f"Accepted another body under its id as the event {made.pk}.")
        self.assertEqual((of_made.object_id, of_made.action), (str(made.pk), "made"))

    def test_makes_the_deliveries_that_match_it(self) -> None:
        fits = make_route(self.endpoint, events=["order.lost"])
        make_route(self.endpoint, events=["order.paid"])
        make_route(self.endpoint, filter="total > `100`")
        now = timezone.now()

        stored = accept(self.variant, by=self.user, now=now)

        delivery = Delivery.objects.get()
        self.assertEqual((delivery.event_id, delivery.route, delivery.due_at), (stored.event_id, fits, now))
        self.assertEqual(stored.deliveries, 1)

    def test_is_a_duplicate_the_second_time(self) -> None:
        make_route(self.endpoint)

        first, second = (accept(EventVariant.objects.get(), by=self.user) for _ in range(2))

        self.assertEqual((first.is_duplicate, second.is_duplicate), (False, True))
        self.assertEqual(first.event_id, second.event_id)
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (2, 1))
        self.assertEqual(AuditEntry.objects.changes().count(), 2)
        self.assertEqual(accepted(EventVariant.objects.all()), {self.variant.pk: first.event_id})

    def test_leaves_the_first_as_it_is_and_still_knows_what_comes_again(self) -> None:
        before = Event.objects.filter(pk=self.event.pk).values().get()
        self.accept()
        self.assertEqual(Event.objects.filter(pk=self.event.pk).values().get(), before)

        for body in (FIRST, OTHER):
            answer = self.send(self.endpoint, body, event_id="o-1").json()
            self.assertEqual(answer, {"status": "duplicate", "event": str(self.event.pk)})
        self.assertEqual(EventVariant.objects.count(), 1)

    def test_keeps_a_sensitive_body_encrypted(self) -> None:
        endpoint = signed_endpoint(sensitive=True)
        self.send(endpoint, FIRST, event_id="o-2")
        self.send(endpoint, OTHER, event_id="o-2")

        stored = accept(EventVariant.objects.get(event__endpoint=endpoint), by=self.user)

        made = Event.objects.get(pk=stored.event_id)
        self.assertTrue(made.body_is_encrypted)
        self.assertNotIn(b"order.lost", bytes(made.raw_body))
        self.assertEqual((made.body, made.shown_payload), (OTHER, None))

    def test_takes_a_body_that_the_hub_cannot_read(self) -> None:
        EventVariant.objects.update(raw_body=b"{", body_bytes=1)
        make_route(self.endpoint)

        made = self.accept()

        self.assertEqual((made.body, made.payload, made.deliveries.count()), (b"{", None, 1))

    def test_is_refused_while_the_endpoint_is_switched_off(self) -> None:
        self.endpoint.state = "disabled"
        self.endpoint.save()

        with self.assertRaisesMessage(NotAccepted, "switched off"):
            self.accept()
        self.assertEqual(Event.objects.count(), 1)

    def test_is_refused_where_a_key_is_lost(self) -> None:
        lost = override_settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()])
        with lost, self.assertRaisesMessage(NotAccepted, "HUB_ENCRYPTION_KEYS"):
            self.accept()


class EarlierVariantTests(TestCase):
    def test_are_of_the_firsts_type_and_no_surer_than_it(self) -> None:
        user = make_user("operator")
        for verdict, expected in (("verified", "verified"), ("unverified", "unverified"), ("backfilled", "unverified")):
            event = make_event(make_endpoint(), verdict=verdict, event_id="o-1", event_type="order.paid")

            made = Event.objects.get(pk=accept(make_variant(event), by=user).event_id)

            self.assertEqual((made.verdict, made.event_id, made.event_type), (expected, "o-1", "order.paid"))


class ItemTests(WithBatches, Sender, TestCase):
    def variant(self) -> EventVariant:
        endpoint = splitting()
        self.send(endpoint, json.dumps({"events": items(1, 2)}).encode())
        self.send(endpoint, json.dumps({"events": items(2, total=7)}).encode())
        return EventVariant.objects.get()

    def test_of_a_batch_are_accepted_as_their_part(self) -> None:
        with_no_credentials = replace(PRESET, sensitive_fields=())
        with mock.patch.dict(providers._entries, {PROVIDER: with_no_credentials}):
            self.assert_accepted(self.variant())

    def test_are_refused_where_the_batch_alone_tells_what_to_mask(self) -> None:
        with self.assertRaisesMessage(NotAccepted, "came in a batch"):
            accept(self.variant(), by=make_user("operator"))

    def assert_accepted(self, variant: EventVariant) -> None:
        made = Event.objects.get(pk=accept(variant, by=make_user("operator")).event_id)

        self.assertEqual((made.event_id, made.payload), ("evt-2", items(2, total=7)[0]))
        self.assertEqual((made.event_type, made.batch), (variant.event.event_type, None))


class OrdersAtTheSameMoment(TransactionTestCase):
    def test_make_one_event(self) -> None:
        user = make_api_user("ada", is_superuser=True)
        event = make_event(endpoint := make_endpoint())
        make_route(endpoint)
        variant = make_variant(event)

        results = at_once(4, lambda *_: accept(EventVariant.objects.get(pk=variant.pk), by=user).is_duplicate)

        self.assertEqual(sorted(results), [False, True, True, True])
        self.assertEqual(Delivery.objects.count(), 1)


class TheApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint()
        make_route(self.endpoint, name="note it")
        self.event = make_event(self.endpoint, body=FIRST)
        self.variant = make_variant(
            self.event, headers={"X-Shop": "7"}, verdict="verified", described_type="order.lost"
        )
        self.list = f"{API}/events/{self.event.pk}/variants/"
        self.url = f"{self.list}{self.variant.pk}/accept/"

    def test_shows_the_other_bodies_and_what_they_became(self) -> None:
        answer = self.client.get(self.list).json()

        (shown,) = answer["variants"]
        self.assertEqual(answer["event"], str(self.event.pk))
        self.assertEqual(shown.pop("received_at")[:10], f"{self.variant.received_at:%Y-%m-%d}")
        expected = {"id": self.variant.pk, "content_type": "application/json", "body_bytes": len(OTHER)}
        payload = {"type": "order.lost", "total": 25}
        self.assertEqual(shown, {**expected, "headers": {"X-Shop": "7"}, "payload": payload, "accepted_as": None})
        made = self.client.post(self.url).json()["id"]
        self.assertEqual(self.client.get(self.list).json()["variants"][0]["accepted_as"], made)

    def test_shows_no_payload_of_a_sensitive_endpoint(self) -> None:
        self.endpoint.sensitive = True
        self.endpoint.save()

        self.assertIsNone(self.client.get(self.list).json()["variants"][0]["payload"])

    def test_answers_with_the_event_and_the_second_time_with_the_same(self) -> None:
        first, second = self.client.post(self.url), self.client.post(self.url)

        made = Event.objects.get(derived_from=self.event)
        self.assertEqual((first.status_code, second.status_code), (201, 200))
        self.assertEqual(first.json(), self.client.get(f"{API}/events/{made.pk}/").json())
        self.assertEqual(second.json(), first.json())
        self.assertEqual([row["route_name"] for row in first.json()["deliveries"]], ["note it"])
        self.assertEqual(self.logged()[0], f"API: Accepted another body under its id as the event {made.pk}.")

    def test_says_why_it_cannot(self) -> None:
        self.endpoint.retire(now=timezone.now())

        self.assert_error(self.client.post(self.url), 409, "conflict")

    def test_knows_no_body_of_another_event(self) -> None:
        other = make_event(self.endpoint)

        url = f"{API}/events/{other.pk}/variants/{self.variant.pk}/accept/"
        self.assert_error(self.client.post(url), 404, "not_found")

    def test_is_for_operators(self) -> None:
        viewer = client_of(make_api_user("vera", role="viewer"))

        self.assertEqual(viewer.get(self.list).status_code, 200)
        self.assert_error(viewer.post(self.url), 403, "permission_denied")
        self.assertFalse(Delivery.objects.exists())
        self.assertEqual(
            client_of(make_api_user("olga", role="operator"), "read", "replay").post(self.url).status_code, 201
        )


@pytest.mark.any_database
class TheAdminTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint()
        make_route(self.endpoint, name="Forward to the shop")
        self.event = make_event(self.endpoint, body=FIRST)
        self.variant = make_variant(self.event)
        self.page = f"/admin/deliveries/event/{self.event.pk}/change/"
        self.url = f"/admin/deliveries/event/{self.event.pk}/variants/{self.variant.pk}/accept/"
        self.browser = logged_in("operator")

    def test_names_the_routes_and_then_makes_the_event(self) -> None:
        self.assertContains(self.browser.get(self.page), self.url)
        question = self.browser.post(self.url)
        self.assertContains(question, "Forward to the shop")
        self.assertEqual(Event.objects.count(), 1)

        answer = self.browser.post(self.url, {"confirmed": "yes"}, follow=True)

        made = Event.objects.get(derived_from=self.event)
        self.assertRedirects(answer, f"/admin/deliveries/event/{made.pk}/change/")
        self.assertContains(answer, "with 1 delivery.")
        self.assertContains(answer, "by operator, who accepted another body under its id")
        page = self.browser.get(self.page)
        self.assertContains(page, f"/admin/deliveries/event/{made.pk}/change/")
        self.assertNotContains(page, self.url)
        again = self.browser.post(self.url, {"confirmed": "yes"}, follow=True)
        self.assertContains(again, "accepted already")

    def test_says_why_it_cannot(self) -> None:
        self.endpoint.state = "disabled"
        self.endpoint.save()

        self.assertNotContains(self.browser.get(self.page), self.url)
        self.assertContains(
            self.browser.post(self.url, follow=True), "No event was made. Its endpoint is switched off."
        )

    def test_takes_no_order_from_a_viewer_or_by_a_link(self) -> None:
        viewer = logged_in("viewer")

        self.assertNotContains(viewer.get(self.page), self.url)
        self.assertEqual(viewer.post(self.url, {"confirmed": "yes"}).status_code, 403)
        self.assertEqual(self.browser.get(self.url).status_code, 405)
        self.assertEqual(Event.objects.count(), 1)
