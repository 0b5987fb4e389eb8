"""Presets whose keys the provider publishes, through the real receiving path."""

from __future__ import annotations

import json
from unittest import mock

from django.http import HttpResponse
from django.test import TestCase

from deliveries.models import Event, Rejection
from deliveries.receiving.samples import curl_line, send_sample, signed_sample
from integrations.contracts import InboundRequest
from integrations.errors import HubError
from integrations.models import Endpoint, Secret
from integrations.providers import providers
from integrations.verification.remote_keys import RemoteDocuments, documents
from tests.factories import make_endpoint

IDENTITIES = {
    "paypal": "8PT597110X687430LKGECATA",
    "aws_sns": "arn:aws:sns:us-west-2:123456789012:MyTopic",
    "google_pubsub": "https://hub.example.com/hooks/shop",
    "plaid": "client-id",
}


class PublishedKeysTests(TestCase):
    def post(self, endpoint: Endpoint, request: InboundRequest) -> HttpResponse:
        headers = {name: text for name, text in request.headers.items() if name != "Content-Type"}
        return self.client.generic(
            "POST", f"/hooks/{endpoint.slug}", request.body, request.headers["Content-Type"], headers=headers
        )

    def test_leave_test_events_to_a_pair_beside_the_real_secret(self) -> None:
        for provider, identity in IDENTITIES.items():
            with self.subTest(provider=provider):
                endpoint = make_endpoint(provider=provider, secret=identity)

                status, answer = send_sample(endpoint)

                self.assertEqual((status, answer["status"]), (200, "accepted"))
                self.assertEqual(endpoint.secrets.count(), 2)
                event = Event.objects.get(endpoint=endpoint)
                self.assertEqual(event.verdict, "verified")
                self.assertTrue(event.event_type)
                self.assertTrue(curl_line(endpoint).startswith("curl "))

    def test_answer_503_while_they_cannot_be_fetched(self) -> None:
        def unreachable(url: str) -> bytes:
            raise HubError("no network")

        endpoint = make_endpoint(provider="paypal", secret=IDENTITIES["paypal"])
        request = signed_sample(endpoint)
        Secret.objects.filter(label="test events").delete()
        source = RemoteDocuments(fetch=unreachable)

        with mock.patch.object(documents, "get", source.get):
            response = self.post(endpoint, request)

        self.assertEqual((response.status_code, response.json()), (503, {"error": "unavailable"}))
        self.assertEqual(response.headers["Retry-After"], "60")
        self.assertEqual(Rejection.objects.get().reason, "keys_unavailable")
        self.assertFalse(Event.objects.exists())

    def test_prove_nothing_when_another_pair_signed(self) -> None:
        for provider, identity in IDENTITIES.items():
            with self.subTest(provider=provider):
                elsewhere = make_endpoint(provider=provider, secret=identity)
                endpoint = make_endpoint(provider=provider, secret=identity)
                send_sample(endpoint)
                real = endpoint.secrets.exclude(label="test events").get()
                real.delete()

                response = self.post(endpoint, signed_sample(elsewhere))

                self.assertEqual((response.status_code, response.json()), (401, {"error": "invalid_signature"}))

    def test_of_a_subscription_are_confirmed_only_after_the_signature(self) -> None:
        endpoint = make_endpoint(provider="aws_sns", secret=IDENTITIES["aws_sns"])
        topic = "arn:aws:sns:us-east-1:000000000000:unsigned"
        url = f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token=1"
        message = {"Type": "SubscriptionConfirmation", "MessageId": "1", "TopicArn": topic, "Token": "1"}
        handshake = providers["aws_sns"].handshake

        with mock.patch.object(type(handshake), "signed", side_effect=AssertionError("asked for a stranger")):
            response = self.client.generic(
                "POST", f"/hooks/{endpoint.slug}", json.dumps({**message, "SubscribeURL": url}), "text/plain"
            )

        self.assertEqual(response.status_code, 401)
