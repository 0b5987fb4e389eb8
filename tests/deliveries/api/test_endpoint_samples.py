"""``/endpoints/{slug}/test/``."""

from __future__ import annotations

from typing import Any

from deliveries.models import Event
from tests.deliveries.api.cases import API, ApiTestCase
from tests.factories import make_endpoint, make_route

URL = f"{API}/endpoints/"


class SampleTests(ApiTestCase):
    def send(self, slug: str, body: object = None) -> Any:
        return self.client.post(f"{URL}{slug}/test/", body)

    def test_becomes_a_verified_event_with_deliveries(self) -> None:
        make_route(make_endpoint(slug="orders", provider="github", secret="s3cret-of-orders"))

        response = self.send("orders", {"event_type": "push", "payload": {"ref": "refs/heads/main"}})

        self.assertEqual(response.status_code, 201, response.content)
        answer = response.json()
        self.assertEqual((answer["status"], answer["deliveries"], answer["http_status"]), ("accepted", 1, 200))
        event = Event.objects.get()
        self.assertEqual(answer["event"], str(event.pk))
        self.assertEqual((event.verdict, event.payload), ("verified", {"ref": "refs/heads/main"}))
        self.assertTrue(event.event_type.startswith("push"), event.event_type)
        self.assertEqual(self.logged(), ["API: sent a test event."])

    def test_is_the_providers_own_example_where_nothing_is_said(self) -> None:
        for provider in ("github", "stripe", "discord", "twilio", "generic_hmac", "generic_none"):
            with self.subTest(provider=provider):
                key = {"discord": "", "generic_none": ""}.get(provider, "s3cret-of-orders-" + "x" * 20)
                make_endpoint(slug=provider, provider=provider, secret=key)
                self.assertEqual(self.send(provider).status_code, 201)

    def test_conflicts_where_it_cannot_be_signed_or_is_not_taken(self) -> None:
        make_endpoint(slug="bare", provider="github")
        make_endpoint(slug="off", provider="github", secret="s3cret-of-orders", state="disabled")
        make_endpoint(slug="nightly", provider="internal")

        for slug in ("bare", "off", "nightly"):
            with self.subTest(slug=slug):
                self.assert_error(self.send(slug), 409, "conflict")
        self.assertFalse(Event.objects.exists())

    def test_conflicts_where_a_payload_has_no_place_for_the_proof(self) -> None:
        make_endpoint(slug="mail", provider="microsoft_graph", secret="s3cret-of-mail")

        for payload in ({"a": 1}, {"value": []}, {"value": ["text"]}):
            with self.subTest(payload=payload):
                answer = self.send("mail", {"payload": payload})
                self.assert_error(answer, 409, "conflict")
                self.assertIn("list of objects as “value”", answer.json()["detail"])

    def test_refuses_words_it_does_not_know(self) -> None:
        make_endpoint(slug="orders")

        self.assert_error(self.send("orders", {"type": "push"}), 400, "validation_error", "type")
