"""What some senders do besides the plain case of test_sdk_peers.py; their own libraries make the requests."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.errors import VerificationFailed
from integrations.providers import providers
from integrations.verification import Scheme
from integrations.verification.templates import FORM
from integrations.verification.texts import with_headers
from tests.integrations.providers.facts import WHSEC
from tests.integrations.requests import NOW, make_request, payload
from tests.sdks.libraries import Library

SECRET = "8f742231b10e8888abcd99baddecade5"


def scheme(provider: str, **settings: str | bool) -> Scheme:
    return providers[provider].scheme_for(settings)


class StripeTests(SimpleTestCase):
    def test_signs_with_two_secrets_while_they_roll(self) -> None:
        request = make_request(payload("stripe/payment_intent.succeeded.json"))
        library = Library.of("stripe")
        old, new = (
            library.sign(request, secret).request.headers["Stripe-Signature"] for secret in ("the old one", SECRET)
        )
        header = f"{old},{new.partition(',')[2]},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"

        rolling = with_headers(request, {"Stripe-Signature": header})

        self.assertEqual(scheme("stripe").verify(rolling, [SECRET]), 0)


class SlackTests(SimpleTestCase):
    def test_signs_forms_as_well(self) -> None:
        for name in ("slack/slash_command.form", "slack/block_actions.form"):
            signed = Library.of("slack").sign(make_request(payload(name), content_type=FORM), SECRET)

            with self.subTest(payload=name):
                self.assertEqual(scheme("slack").verify(signed.request, [SECRET]), 0)


class StandardWebhooksTests(SimpleTestCase):
    body = payload("standard_webhooks/contact.created.json")

    def test_signs_among_versions_that_we_do_not_know(self) -> None:
        signed = Library.of("standard_webhooks").sign(make_request(self.body), WHSEC).request
        header = f"v1a,not-of-this-version v2,c29tZXRoaW5n {signed.headers['webhook-signature']}"

        several = with_headers(signed, {"webhook-signature": header})

        self.assertEqual(scheme("standard_webhooks").verify(several, [WHSEC]), 0)
        self.assertEqual(scheme("gitlab", mode="signing_token").verify(several, [WHSEC]), 0)
        self.assertEqual(scheme("svix").verify(several, [WHSEC]), 0)

    def test_takes_secrets_without_prefix_or_padding_as_we_do(self) -> None:
        bare = WHSEC.removeprefix("whsec_")
        request = make_request(self.body, received_at=datetime.now(UTC))
        signed = scheme("standard_webhooks").sign(request, WHSEC, now=request.received_at)

        self.assertTrue(Library.of("standard_webhooks").accepts(signed, bare))
        for spelled in (bare, bare.rstrip("="), f"v1,{WHSEC}"):
            self.assertEqual(scheme("standard_webhooks").verify(signed, [spelled]), 0)


class TwilioTests(SimpleTestCase):
    url = "https://hub.example.com/hooks/sms?team=a%20b"
    form = payload("twilio/message.received.form")
    json = b'{"property": "value", "boolean": true}'

    def test_signs_forms_that_we_accept(self) -> None:
        for name in ("twilio/message.received.form", "twilio/call.gather.form"):
            with self.subTest(payload=name):
                self.accept(self.signed(self.url, payload(name)))

    def test_accepts_no_form_of_which_a_field_was_changed(self) -> None:
        request = make_request(self.form, content_type=FORM, url=self.url)
        signed = scheme("twilio").sign(request, SECRET, now=NOW)
        fields = dict(parse_qsl(self.form.decode(), keep_blank_values=True))
        changed = make_request(
            urlencode({**fields, "Body": "something else"}).encode(), headers=signed.headers, url=self.url
        )

        self.assertTrue(Library.of("twilio").accepts(signed, SECRET))
        self.assertFalse(Library.of("twilio").accepts(changed, SECRET))

    def test_signs_the_url_with_its_port_or_without(self) -> None:
        for theirs, ours in (
            ("https://hub.example.com:443/hooks/sms", "https://hub.example.com/hooks/sms"),
            ("https://hub.example.com/hooks/sms", "https://hub.example.com:8443/hooks/sms"),
            ("http://hub.example.com:80/hooks/sms?a=1", "http://hub.example.com/hooks/sms?a=1"),
        ):
            with self.subTest(signed=theirs, received=ours):
                self.accept(self.received(self.signed(theirs, self.form), ours))

    def test_signs_json_through_its_hash_in_the_url(self) -> None:
        signed = Library.of("twilio:json").sign(make_request(self.json, url=self.url), SECRET).request

        self.assertIn("&bodySHA256=", signed.url)
        self.accept(signed)

    def test_signs_with_a_shared_key_and_sha256(self) -> None:
        signed = self.signed(self.url, self.form, algorithm="HMAC_SHA256")
        self.accept(signed)

        unannounced = make_request(
            self.form,
            content_type=FORM,
            url=self.url,
            headers={"X-Twilio-Signature": signed.headers["X-Twilio-Signature"]},
        )
        with self.assertRaises(VerificationFailed):
            scheme("twilio").verify(unannounced, [SECRET])

    def test_signs_the_url_that_is_registered(self) -> None:
        registered = "https://public.example.org/twilio?x=1"
        by_setting = scheme("twilio", signed_url=registered)

        form = self.received(self.signed(registered, self.form), self.url)
        self.assertEqual(by_setting.verify(form, [SECRET]), 0)

        json = Library.of("twilio:json").sign(make_request(self.json, url=registered), SECRET).request
        ours = f"https://hub.example.com/hooks/sms?{json.query_string}"
        self.assertEqual(by_setting.verify(self.received(json, ours), [SECRET]), 0)

    def signed(self, url: str, form: bytes, **settings: str) -> InboundRequest:
        request = make_request(form, content_type=FORM, url=url)
        return Library.of("twilio").sign(request, SECRET, settings).request

    def received(self, request: InboundRequest, url: str) -> InboundRequest:
        return make_request(request.body, content_type=request.content_type, headers=request.headers, url=url)

    def accept(self, request: InboundRequest) -> None:
        self.assertEqual(scheme("twilio").verify(request, [SECRET]), 0)
