"""The senders' own libraries as the other side: they sign and we accept, we sign and they accept."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import nacl.signing
import standardwebhooks
import stripe
import svix
from discord_interactions import verify_key
from django.test import SimpleTestCase
from slack_sdk.signature import Clock, SignatureVerifier
from twilio.request_validator import RequestValidator

from integrations.contracts import InboundRequest
from integrations.errors import VerificationFailed
from integrations.providers import providers
from integrations.verification import Scheme
from integrations.verification.templates import FORM
from tests.integrations.providers.facts import WHSEC
from tests.integrations.requests import NOW, make_request, payload

SECRET = "8f742231b10e8888abcd99baddecade5"


def scheme(provider: str, **settings: str | bool) -> Scheme:
    return providers[provider].scheme_for(settings)


def now_to_the_second() -> datetime:
    """The libraries look at the real clock."""
    return datetime.now(UTC).replace(microsecond=0)


class StripeTests(SimpleTestCase):
    body = payload("stripe/payment_intent.succeeded.json")

    def test_signs_what_we_accept(self) -> None:
        now = now_to_the_second()
        header = stripe.WebhookSignature.generate_signature_header(self.body.decode(), SECRET, int(now.timestamp()))
        request = make_request(self.body, headers={"Stripe-Signature": header}, received_at=now)

        self.assertEqual(scheme("stripe").verify(request, [SECRET]), 0)

    def test_accepts_what_we_sign(self) -> None:
        signed = scheme("stripe").sign(make_request(self.body), SECRET, now=now_to_the_second())

        event = stripe.Webhook.construct_event(signed.body, signed.headers["stripe-signature"], SECRET)

        self.assertEqual(event.type, "payment_intent.succeeded")

    def test_signs_with_two_secrets_while_they_roll(self) -> None:
        now = now_to_the_second()
        old, new = (
            stripe.WebhookSignature.generate_signature_header(self.body.decode(), secret, int(now.timestamp()))
            for secret in ("the old one", SECRET)
        )
        header = f"{old},{new.partition(',')[2]},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
        request = make_request(self.body, headers={"Stripe-Signature": header}, received_at=now)

        self.assertEqual(scheme("stripe").verify(request, [SECRET]), 0)


class SlackTests(SimpleTestCase):
    class Stopped(Clock):
        def now(self) -> float:
            return NOW.timestamp()

    sdk = SignatureVerifier(SECRET, clock=Stopped())

    def test_signs_what_we_accept(self) -> None:
        for name in ("slack/app_mention.json", "slack/slash_command.form", "slack/block_actions.form"):
            body, timestamp = payload(name), str(int(NOW.timestamp()))
            signature = self.sdk.generate_signature(timestamp=timestamp, body=body)
            headers = {"X-Slack-Signature": signature or "", "X-Slack-Request-Timestamp": timestamp}

            with self.subTest(payload=name):
                self.assertEqual(scheme("slack").verify(make_request(body, headers=headers), [SECRET]), 0)

    def test_accepts_what_we_sign(self) -> None:
        signed = scheme("slack").sign(make_request(payload("slack/app_mention.json")), SECRET, now=NOW)

        self.assertTrue(self.sdk.is_valid_request(signed.body, dict(signed.headers)))
        self.assertFalse(self.sdk.is_valid_request(signed.body + b" ", dict(signed.headers)))


class StandardWebhooksTests(SimpleTestCase):
    body = payload("standard_webhooks/contact.created.json")

    def test_signs_what_we_accept(self) -> None:
        signature = standardwebhooks.Webhook(WHSEC).sign("msg_1", NOW, self.body.decode())
        request = make_request(
            self.body,
            headers={
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(NOW.timestamp())),
                "webhook-signature": f"v1a,not-of-this-version v2,c29tZXRoaW5n {signature}",
            },
        )

        self.assertEqual(scheme("standard_webhooks").verify(request, [WHSEC]), 0)
        self.assertEqual(scheme("gitlab", mode="signing_token").verify(request, [WHSEC]), 0)
        self.assertEqual(scheme("svix").verify(request, [WHSEC]), 0)

    def test_accepts_what_we_sign(self) -> None:
        signed = scheme("standard_webhooks").sign(make_request(self.body), WHSEC, now=now_to_the_second())

        received = standardwebhooks.Webhook(WHSEC).verify(signed.body, dict(signed.headers))

        self.assertEqual(received["type"], "contact.created")

    def test_takes_secrets_as_the_library_does_without_prefix_or_padding(self) -> None:
        signed = scheme("standard_webhooks").sign(make_request(self.body), WHSEC, now=NOW)
        bare = WHSEC.removeprefix("whsec_")

        for spelled in (bare, bare.rstrip("="), f"v1,{WHSEC}"):
            self.assertEqual(scheme("standard_webhooks").verify(signed, [spelled]), 0)


class SvixTests(SimpleTestCase):
    body = payload("svix/ping.json")

    def test_signs_what_we_accept(self) -> None:
        signature = svix.Webhook(WHSEC).sign("msg_1", NOW, self.body.decode())
        headers = {"svix-id": "msg_1", "svix-timestamp": str(int(NOW.timestamp())), "svix-signature": signature}

        self.assertEqual(scheme("svix").verify(make_request(self.body, headers=headers), [WHSEC]), 0)

    def test_accepts_what_we_sign(self) -> None:
        signed = scheme("svix").sign(make_request(self.body), WHSEC, now=now_to_the_second())

        svix.Webhook(WHSEC).verify(signed.body, dict(signed.headers))
        with self.assertRaises(svix.WebhookVerificationError):
            svix.Webhook(WHSEC).verify(signed.body + b" ", dict(signed.headers))


class TwilioTests(SimpleTestCase):
    sdk = RequestValidator(SECRET)
    url = "https://hub.example.com/hooks/sms?team=a%20b"
    form = payload("twilio/message.received.form")
    json = b'{"property": "value", "boolean": true}'

    def fields(self, form: bytes) -> dict[str, str]:
        return dict(parse_qsl(form.decode(), keep_blank_values=True))

    def test_signs_forms_that_we_accept(self) -> None:
        for name in ("twilio/message.received.form", "twilio/call.gather.form"):
            body = payload(name)
            signature = self.sdk.compute_signature(self.url, self.fields(body))
            request = make_request(body, content_type=FORM, url=self.url, headers={"X-Twilio-Signature": signature})

            with self.subTest(payload=name):
                self.assertEqual(scheme("twilio").verify(request, [SECRET]), 0)

    def test_accepts_forms_that_we_sign(self) -> None:
        signed = self.signed(make_request(self.form, content_type=FORM, url=self.url))

        self.assertTrue(self.accepts(signed, self.fields(self.form)))
        self.assertFalse(self.accepts(signed, {**self.fields(self.form), "Body": "something else"}))

    def test_signs_the_url_with_its_port_or_without(self) -> None:
        for theirs, ours in (
            ("https://hub.example.com:443/hooks/sms", "https://hub.example.com/hooks/sms"),
            ("https://hub.example.com/hooks/sms", "https://hub.example.com:8443/hooks/sms"),
            ("http://hub.example.com:80/hooks/sms?a=1", "http://hub.example.com/hooks/sms?a=1"),
        ):
            signature = self.sdk.compute_signature(theirs, self.fields(self.form))
            request = make_request(self.form, content_type=FORM, url=ours, headers={"X-Twilio-Signature": signature})

            with self.subTest(signed=theirs, received=ours):
                self.assertEqual(scheme("twilio").verify(request, [SECRET]), 0)

    def test_signs_json_through_its_hash_in_the_url(self) -> None:
        url = f"{self.url}&bodySHA256={self.sdk.compute_hash(self.json.decode())}"
        request = make_request(self.json, url=url, headers={"X-Twilio-Signature": self.sdk.compute_signature(url, {})})

        self.assertEqual(scheme("twilio").verify(request, [SECRET]), 0)

    def test_accepts_json_that_we_sign(self) -> None:
        signed = self.signed(make_request(self.json, url=self.url))

        self.assertTrue(self.accepts(signed, self.json.decode()))

    def test_signs_with_a_shared_key_and_sha256(self) -> None:
        settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
        signature = self.sdk.compute_signature(self.url, self.fields(self.form), "HMAC_SHA256")
        headers = {"X-Twilio-Signature": signature, "X-Twilio-Webhooks-Signature-Settings": settings}
        request = make_request(self.form, content_type=FORM, url=self.url, headers=headers)

        self.assertEqual(scheme("twilio").verify(request, [SECRET]), 0)

        unannounced = make_request(
            self.form, content_type=FORM, url=self.url, headers={"X-Twilio-Signature": signature}
        )
        with self.assertRaises(VerificationFailed):
            scheme("twilio").verify(unannounced, [SECRET])

    def test_signs_the_url_that_is_registered(self) -> None:
        registered = "https://public.example.org/twilio?x=1"
        by_setting = scheme("twilio", signed_url=registered)
        signature = self.sdk.compute_signature(registered, self.fields(self.form))
        request = make_request(self.form, content_type=FORM, url=self.url, headers={"X-Twilio-Signature": signature})
        self.assertEqual(by_setting.verify(request, [SECRET]), 0)

        hashed = f"{registered}&bodySHA256={self.sdk.compute_hash(self.json.decode())}"
        query_string = hashed.partition("?")[2]
        request = make_request(
            self.json,
            url=f"https://hub.example.com/hooks/sms?{query_string}",
            headers={"X-Twilio-Signature": self.sdk.compute_signature(hashed, {})},
        )
        self.assertEqual(by_setting.verify(request, [SECRET]), 0)

    def signed(self, request: InboundRequest) -> InboundRequest:
        return scheme("twilio").sign(request, SECRET, now=NOW)

    def accepts(self, request: InboundRequest, params: dict[str, str] | str) -> bool:
        return bool(self.sdk.validate(request.url, params, request.headers["X-Twilio-Signature"]))


class DiscordTests(SimpleTestCase):
    body = payload("discord/interaction.json")

    def test_signs_what_we_accept(self) -> None:
        key = nacl.signing.SigningKey.generate()
        timestamp = str(int(NOW.timestamp()))
        signature = key.sign(timestamp.encode() + self.body).signature.hex()
        headers = {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": timestamp}

        request = make_request(self.body, headers=headers)

        self.assertEqual(scheme("discord").verify(request, [key.verify_key.encode().hex()]), 0)

    def test_accepts_what_we_sign(self) -> None:
        public, private = scheme("discord").new_pair()
        signed = scheme("discord").sign(make_request(self.body), private, now=NOW)
        signature, timestamp = (signed.headers[f"X-Signature-{name}"] for name in ("Ed25519", "Timestamp"))

        self.assertTrue(verify_key(signed.body, signature, timestamp, public))
        self.assertFalse(verify_key(signed.body + b" ", signature, timestamp, public))


class AsymmetricStandardWebhooksTests(SimpleTestCase):
    """The Python library has no v1a; libsodium is the other side."""

    body = payload("standard_webhooks/contact.created.json")

    def test_signs_what_we_accept(self) -> None:
        key = nacl.signing.SigningKey.generate()
        timestamp = str(int(NOW.timestamp()))
        signature = key.sign(f"msg_1.{timestamp}.".encode() + self.body).signature
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,AAAA v1a,{base64.b64encode(signature).decode()}",
        }
        public = "whpk_" + base64.b64encode(key.verify_key.encode()).decode()

        request = make_request(self.body, headers=headers)

        self.assertEqual(scheme("standard_webhooks", asymmetric=True).verify(request, [public]), 0)

    def test_accepts_what_we_sign(self) -> None:
        asymmetric = scheme("standard_webhooks", asymmetric=True)
        public, private = asymmetric.new_pair()
        signed = asymmetric.sign(make_request(self.body), private, now=NOW)
        signature = base64.b64decode(signed.headers["webhook-signature"].removeprefix("v1a,"))
        content = f"{signed.headers['webhook-id']}.{signed.headers['webhook-timestamp']}.".encode() + self.body

        key = nacl.signing.VerifyKey(base64.b64decode(public.removeprefix("whpk_")))

        self.assertEqual(key.verify(content, signature), content)
        self.assertTrue(private.startswith("whsk_"))
