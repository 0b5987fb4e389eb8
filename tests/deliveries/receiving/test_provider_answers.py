"""What providers with wishes of their own are answered, over the whole receiving path."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import TestCase

from deliveries.models import Event, Rejection
from deliveries.receiving.samples import send_sample
from integrations.models import Endpoint
from tests.factories import make_endpoint
from tests.integrations.requests import payload

FORM = "application/x-www-form-urlencoded"
SECRET = "a secret of the provider"


def b64(body: bytes, *, key: bytes = SECRET.encode()) -> str:
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


class XeroTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(provider="xero", secret=SECRET)

    def send(self, name: str, *, signature: str = "") -> HttpResponse:
        body = payload(name)
        headers = {"x-xero-signature": signature or b64(body)}
        return self.client.generic("POST", f"/hooks/{self.endpoint.slug}", body, "application/json", headers=headers)

    def test_gets_an_empty_200_for_its_intent_to_receive(self) -> None:
        response = self.send("xero/intent_to_receive.json")

        self.assertEqual((response.status_code, response.content), (200, b""))
        self.assertEqual(Event.objects.count(), 0)

    def test_gets_an_empty_401_for_a_wrong_signature(self) -> None:
        response = self.send("xero/intent_to_receive.json", signature=b64(b"another body"))

        self.assertEqual((response.status_code, response.content), (401, b""))
        self.assertFalse(response.cookies)
        self.assertEqual(Rejection.objects.get().reason, "signature_mismatch")

    def test_gets_an_empty_200_for_an_event_and_for_its_repetition(self) -> None:
        for _ in range(2):
            response = self.send("xero/contact.update.json")
            self.assertEqual((response.status_code, response.content), (200, b""))
        self.assertEqual(Event.objects.get().event_type, "CONTACT.UPDATE")


class WooCommerceTests(TestCase):
    def send(self, endpoint: Endpoint, body: bytes, content_type: str) -> HttpResponse:
        return self.client.generic("POST", f"/hooks/{endpoint.slug}", body, content_type)

    def test_may_ask_without_a_signature_whether_the_url_is_there(self) -> None:
        endpoint = make_endpoint(provider="woocommerce", secret=SECRET)

        response = self.send(endpoint, b"webhook_id=142", FORM)

        self.assertEqual((response.status_code, response.content), (200, b""))
        self.assertEqual((Event.objects.count(), Rejection.objects.count()), (0, 0))

    def test_may_not_say_anything_else_without_one(self) -> None:
        endpoint = make_endpoint(provider="woocommerce", secret=SECRET)

        self.assertEqual(self.send(endpoint, b"webhook_id=142&status=paid", FORM).status_code, 401)
        self.assertEqual(self.send(endpoint, b"{}", "application/json").status_code, 401)


class DropboxSignTests(TestCase):
    def event(self, title: str) -> bytes:
        digest = hmac.new(SECRET.encode(), b"1348177752signature_request_sent", hashlib.sha256).hexdigest()
        event = {"event_time": "1348177752", "event_type": "signature_request_sent", "event_hash": digest}
        request = {"signature_request_id": title, "title": title}
        return urlencode({"json": json.dumps({"event": event, "signature_request": request})}).encode()

    def send(self, endpoint: Endpoint, title: str) -> HttpResponse:
        return self.client.generic("POST", f"/hooks/{endpoint.slug}", self.event(title), FORM)

    def test_is_told_what_it_looks_for(self) -> None:
        endpoint = make_endpoint(provider="dropbox_sign", secret=SECRET)

        self.assertEqual(self.send(endpoint, "a").content, b"Hello API Event Received")

    def test_is_told_what_the_operator_set(self) -> None:
        settings = {"success_body": "OK: Hello API Event Received"}
        endpoint = make_endpoint(provider="dropbox_sign", secret=SECRET, settings=settings)

        self.assertEqual(self.send(endpoint, "a").content, b"OK: Hello API Event Received")

    def test_keeps_apart_what_is_signed_alike(self) -> None:
        """The signature is over time and type: two of a second have the same."""
        endpoint = make_endpoint(provider="dropbox_sign", secret=SECRET)

        self.send(endpoint, "a"), self.send(endpoint, "b"), self.send(endpoint, "a")

        self.assertEqual(Event.objects.count(), 2)
        event = Event.objects.first()
        assert event is not None
        self.assertTrue(event.body_is_encrypted)
        self.assertEqual(event.shown_payload["event"]["event_hash"], "••••••")


class TestEventTests(TestCase):
    def test_is_accepted_where_the_proof_is_in_the_body(self) -> None:
        for provider, secret, settings in (
            ("adyen", "44782DEF547AAA06", {}),
            ("braintree", SECRET, {"public_key": "abc"}),
            ("dropbox_sign", SECRET, {}),
            ("mailchimp", SECRET, {}),
            ("sendgrid", "", {}),
            ("pusher", SECRET, {"key": "abc"}),
        ):
            endpoint = make_endpoint(
                slug=provider.replace("_", "-"), provider=provider, secret=secret, settings=settings
            )
            with self.subTest(provider=provider):
                self.assertEqual(send_sample(endpoint)[0], 200)
                self.assertTrue(Event.objects.get(endpoint=endpoint).event_type)

    def test_of_braintree_is_read_from_its_xml(self) -> None:
        endpoint = make_endpoint(provider="braintree", secret=SECRET)

        send_sample(endpoint, event_type="dispute_opened")

        event = Event.objects.get()
        self.assertEqual(event.event_type, "dispute_opened")
        self.assertEqual(event.payload["kind"], "dispute_opened")


class AdyenTests(TestCase):
    key = "44782DEF547AAA06"

    def signed(self) -> bytes:
        body = json.loads(payload("adyen/batch.json"))
        for entry in body["notificationItems"]:
            item = entry["NotificationRequestItem"]
            original = item.get("originalReference", "")
            text = (
                f"{item['pspReference']}:{original}:TestMerchant:TestPayment-1407325143704:1130:EUR:"
                f"{item['eventCode']}:true"
            )
            item["additionalData"]["hmacSignature"] = b64(text.encode(), key=bytes.fromhex(self.key))
        return json.dumps(body).encode()

    def send(self, endpoint: Endpoint, body: bytes) -> HttpResponse:
        return self.client.generic("POST", f"/hooks/{endpoint.slug}", body, "application/json")

    def test_sends_items_that_become_events(self) -> None:
        endpoint = make_endpoint(provider="adyen", secret=self.key, batch="split")

        answer = self.send(endpoint, self.signed()).json()

        self.assertEqual((answer["status"], answer["events"]), ("accepted", 2))
        for event in Event.objects.all():
            self.assertTrue(event.body_is_encrypted)
            self.assertEqual(event.shown_payload["additionalData"]["hmacSignature"], "••••••")

    def test_cannot_be_made_to_vouch_for_an_item_slipped_in(self) -> None:
        endpoint = make_endpoint(provider="adyen", secret=self.key, batch="split")
        body = json.loads(self.signed())
        body["notificationItems"].append({"NotificationRequestItem": {"eventCode": "REFUND", "pspReference": "1"}})

        response = self.send(endpoint, json.dumps(body).encode())

        self.assertEqual((response.status_code, Event.objects.count()), (401, 0))
        self.assertEqual(Rejection.objects.get().reason, "signature_missing")
