"""Handing what another hub received to an endpoint of this one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import TestCase
from django.utils import timezone

from deliveries.listening.errors import HubRefuses
from deliveries.listening.remote import Original
from deliveries.listening.targets import Answer, target
from deliveries.models import Delivery, Event
from deliveries.receiving.samples import signed_sample
from integrations.models import Endpoint
from tests.factories import make_endpoint, make_route

SECRET = "whsec_0123456789abcdef0123456789abcdef"
YESTERDAY = timezone.now() - timedelta(days=1)


class LocalEndpointTests(TestCase):
    def original(self, endpoint: Endpoint, **changes: object) -> Original:
        """Return an event that Stripe signed a day ago, as the other hub has it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("deliveries.receiving.samples.timezone.now", lambda: YESTERDAY)
            request = signed_sample(endpoint, event_type="payment_intent.succeeded")
        values = {
            "headers": dict(request.headers),
            "body": request.body,
            "query_string": "",
            "url": "https://hub.example.com/hooks/stripe",
            "received_at": YESTERDAY,
            "is_complete": True,
        }
        return Original(**{**values, **changes})  # type: ignore[arg-type]

    def deliver(self, original: Original, slug: str = "stripe") -> Answer:
        return target(f"endpoint:{slug}", timeout_seconds=1).deliver(original)

    def test_takes_a_signature_that_was_fresh_when_it_arrived_there(self) -> None:
        endpoint = make_endpoint(slug="stripe", provider="stripe", secret=SECRET)
        make_route(endpoint)

        answer = self.deliver(self.original(endpoint))

        event = Event.objects.get()
        self.assertEqual((answer.is_success, answer.text), (True, f"200 accepted {event.pk}"))
        self.assertEqual((event.verdict, event.received_at), ("reverified", YESTERDAY))
        self.assertEqual(Delivery.objects.get().status, "pending")

    def test_takes_an_event_once(self) -> None:
        endpoint = make_endpoint(slug="stripe", provider="stripe", secret=SECRET)
        original = self.original(endpoint)

        self.deliver(original)

        self.assertIn("200 duplicate", self.deliver(original).text)
        self.assertEqual(Event.objects.count(), 1)

    def test_refuses_another_secret_and_a_signature_that_was_stale_already(self) -> None:
        endpoint = make_endpoint(slug="stripe", provider="stripe", secret=SECRET)
        forged = self.original(endpoint, body=b'{"id": "evt_1"}')
        stale = self.original(endpoint, received_at=YESTERDAY + timedelta(hours=1))

        for original, reason in ((forged, "signature_mismatch"), (stale, "timestamp_stale")):
            answer = self.deliver(original)
            self.assertEqual((answer.is_success, answer.text), (False, f"401 {reason}"))
        self.assertFalse(Event.objects.exists())

    def test_needs_the_credentials(self) -> None:
        endpoint = make_endpoint(slug="stripe", provider="stripe", secret=SECRET)

        with self.assertRaisesMessage(HubRefuses, "may not read credentials"):
            self.deliver(self.original(endpoint, is_complete=False))

    def test_needs_the_endpoint(self) -> None:
        endpoint = make_endpoint(slug="other", provider="stripe", secret=SECRET)

        with self.assertRaisesMessage(HubRefuses, "this hub has no endpoint 'stripe'"):
            self.deliver(self.original(endpoint))
