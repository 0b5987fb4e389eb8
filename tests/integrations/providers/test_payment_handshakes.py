"""How payment, shop, mail and storage services check that the URL is their customer's."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote

from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.providers import Answer, Handshake, providers
from integrations.providers.braintree import Challenge
from integrations.verification.templates import FORM
from tests.integrations.requests import make_request, payload

URL = "https://hub.example.com/hooks/shop"


def handshake(provider: str) -> Handshake:
    found = providers[provider].handshake
    assert found is not None
    return found


class BraintreeChallengeTests(SimpleTestCase):
    keys = ["private key", "older private key"]
    public = {"public_key": "integrationpublickey"}

    def answered(self, challenge: str, *, method: str = "GET", settings: Any = None) -> Answer | None:
        found = handshake("braintree")
        assert isinstance(found, Challenge)
        request = make_request(b"", method=method, url=f"{URL}?bt_challenge={quote(challenge)}")
        return found.with_keys(self.keys).unsigned(request, self.public if settings is None else settings)

    def refused(self, challenge: str, **more: Any) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            self.answered(challenge, **more)
        return caught.exception.reason

    def test_is_answered_with_the_public_key_and_a_signature(self) -> None:
        challenge = "20f9f8ed05f77439fe955c977e4c8a53"
        key = hashlib.sha1(b"private key").digest()
        digest = hmac.new(key, challenge.encode(), "sha1").hexdigest()

        answer = self.answered(challenge)

        assert answer is not None
        self.assertEqual((answer.status, answer.body.decode()), (200, f"integrationpublickey|{digest}"))
        self.assertTrue(answer.content_type.startswith("text/plain"))
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_signs_nothing_but_20_to_32_hexadecimal_digits(self) -> None:
        for challenge in ("a" * 19, "a" * 33, "A" * 20, "g" * 20, "a" * 20 + "\n", "PG5vdGlmaWNhdGlvbj4=", "é" * 20):
            with self.subTest(challenge=challenge):
                self.assertEqual(self.refused(challenge), "challenge_unreadable")

    def test_names_what_is_not_set(self) -> None:
        self.assertEqual(self.refused("a" * 20, settings={}), "public_key_not_set")
        with self.assertRaises(VerificationFailed) as caught:
            handshake("braintree").unsigned(
                make_request(b"", method="GET", url=f"{URL}?bt_challenge={'a' * 20}"), self.public
            )
        self.assertEqual(caught.exception.reason, "no_live_secret")

    def test_leaves_other_requests_alone(self) -> None:
        self.assertIsNone(self.answered(""))
        self.assertIsNone(self.answered("a" * 20, method="POST"))


class DropboxChallengeTests(SimpleTestCase):
    def unsigned(self, query: str, *, method: str = "GET") -> Answer | None:
        return handshake("dropbox").unsigned(make_request(b"", method=method, url=f"{URL}?{query}"), {})

    def test_is_echoed_as_text_that_no_browser_renders(self) -> None:
        self.assertEqual(
            self.unsigned("challenge=kGwZ_8-x1"),
            Answer(status=200, body=b"kGwZ_8-x1", headers={"X-Content-Type-Options": "nosniff"}),
        )

    def test_is_refused_if_a_page_could_be_made_of_it(self) -> None:
        for challenge in ("%3Cscript%3E", "a%20b", "a" * 129, "%C3%BC", "%00"):
            with self.subTest(challenge=challenge), self.assertRaises(VerificationFailed):
                self.unsigned(f"challenge={challenge}")

    def test_leaves_other_requests_alone(self) -> None:
        self.assertIsNone(self.unsigned("challenge="))
        self.assertIsNone(self.unsigned("challenge=a", method="POST"))


class XeroIntentTests(SimpleTestCase):
    def signed(self, body: Any) -> Answer | None:
        return handshake("xero").signed(make_request(), body, {})

    def test_is_answered_with_nothing(self) -> None:
        answer = self.signed(json.loads(payload("xero/intent_to_receive.json")))

        assert answer is not None
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_is_told_from_events(self) -> None:
        for body in (json.loads(payload("xero/contact.update.json")), [], {}, None, {"events": {}}, {"events": None}):
            self.assertIsNone(self.signed(body))

    def test_is_never_answered_unsigned(self) -> None:
        self.assertIsNone(handshake("xero").unsigned(make_request(payload("xero/intent_to_receive.json")), {}))


class WooCommercePingTests(SimpleTestCase):
    def unsigned(self, body: bytes, *, content_type: str = FORM, **headers: str) -> Answer | None:
        return handshake("woocommerce").unsigned(make_request(body, content_type=content_type, headers=headers), {})

    def test_is_answered_with_nothing(self) -> None:
        self.assertEqual(self.unsigned(b"webhook_id=142"), Answer())

    def test_is_nothing_but_the_bare_form(self) -> None:
        for body in (b"webhook_id=", b"webhook_id=x", b"webhook_id=1&order=2", b"", b"webhook_id=1\n"):
            with self.subTest(body=body):
                self.assertIsNone(self.unsigned(body))
        self.assertIsNone(self.unsigned(b"webhook_id=142", content_type="application/json"))
        self.assertIsNone(self.unsigned(b"webhook_id=142", **{"X-WC-Webhook-Signature": "AAAA"}))


class MailchimpCheckTests(SimpleTestCase):
    def test_is_answered_with_nothing(self) -> None:
        for method in ("GET", "HEAD"):
            self.assertEqual(handshake("mailchimp").unsigned(make_request(b"", method=method), {}), Answer())
        self.assertIsNone(handshake("mailchimp").unsigned(make_request(b"type=subscribe"), {}))
