"""Providers whose proof is made in a way of their own: signatures that plain hashlib made, and what surrounds them."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.errors import MalformedPayload, VerificationFailed
from integrations.providers import providers
from integrations.verification.templates import FORM
from tests.integrations.requests import NOW, make_request, payload

SECONDS = str(int(NOW.timestamp()))
MILLISECONDS = f"{SECONDS}000"


def digest(key: str, text: bytes | str, algorithm: str = "sha256") -> bytes:
    return hmac.new(key.encode(), text if isinstance(text, bytes) else text.encode(), algorithm).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def verified(provider: str, request: InboundRequest, *keys: str, settings: Mapping[str, str] | None = None) -> int:
    return providers[provider].scheme_for(settings or {}).verify(request, keys)


class RefusingTestCase(SimpleTestCase):
    def refused(self, provider: str, request: InboundRequest, *keys: str) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            verified(provider, request, *keys)
        return caught.exception.reason


class StandardWebhooksAdopterTests(RefusingTestCase):
    def request(self, key: bytes) -> InboundRequest:
        body = payload("polar/order.created.json")
        signature = hmac.new(key, b"msg_1." + SECONDS.encode() + b"." + body, "sha256").digest()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": SECONDS, "webhook-signature": f"v1,{b64(signature)}"}
        return make_request(body, headers=headers)

    def test_takes_polars_secret_as_text_and_as_what_it_spells(self) -> None:
        secret = "whsec_" + b64(b"thirty-two bytes of a secret key")

        self.assertEqual(verified("polar", self.request(secret.encode()), secret), 0)
        self.assertEqual(verified("polar", self.request(b"thirty-two bytes of a secret key"), secret), 0)
        self.assertEqual(self.refused("polar", self.request(b"another"), secret), "signature_mismatch")

    def test_takes_supabases_secret_with_and_without_what_stands_before_it(self) -> None:
        secret = b64(b"thirty-two bytes of a secret key")
        for shown in (f"v1,whsec_{secret}", f"whsec_{secret}", secret):
            with self.subTest(shown=shown[:9]):
                request = self.request(b"thirty-two bytes of a secret key")
                self.assertEqual(verified("supabase_auth", request, shown), 0)

    def test_takes_the_other_secrets_only_as_what_they_spell(self) -> None:
        secret = "whsec_" + b64(b"thirty-two bytes of a secret key")
        for provider in ("openai", "replicate", "dodopayments", "clerk", "resend"):
            with self.subTest(provider=provider):
                self.assertEqual(
                    verified(provider, self.request(b"thirty-two bytes of a secret key"), secret),
                    0,
                )
                self.assertEqual(self.refused(provider, self.request(secret.encode()), secret), "signature_mismatch")


class HubSpotTests(RefusingTestCase):
    secret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"

    def test_agrees_with_the_published_signature_of_version_1(self) -> None:
        """https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests"""
        body = (
            b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":'
            b'"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW",'
            b'"appId":54321}]'
        )
        signature = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
        request = make_request(body, headers={"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v1"})

        self.assertEqual(verified("hubspot", request, self.secret, settings={"version": "v1"}), 0)

    def test_agrees_with_the_published_signature_of_version_2(self) -> None:
        """https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests"""
        signature = "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"
        request = make_request(
            b'{"example_field":"example_value"}',
            headers={"X-HubSpot-Signature": signature},
            url="https://www.example.com/webhook_uri",
        )

        self.assertEqual(verified("hubspot", request, self.secret, settings={"version": "v2"}), 0)

    def test_reads_json_whatever_the_content_type_says(self) -> None:
        """Who has seen a plain hash of secret and body can append to it, after a byte that no JSON has."""
        with self.assertRaises(MalformedPayload):
            providers["hubspot"].decode("text/plain", payload("hubspot/contact.creation.json") + b"\x80\0\0more")
        self.assertEqual(providers["hubspot"].decode("text/plain", b"[]"), [])

    def test_decodes_some_escapes_of_the_url_and_no_others(self) -> None:
        body = payload("hubspot/contact.creation.json")
        came = "https://hub.example.com/hooks/shop?to=a%40b%2Fc%3a%20d%26e"
        for signed in (came, "https://hub.example.com/hooks/shop?to=a@b/c:%20d%26e"):
            text = f"POST{signed}".encode() + body + MILLISECONDS.encode()
            headers = {
                "X-HubSpot-Signature-v3": b64(digest(self.secret, text)),
                "X-HubSpot-Request-Timestamp": MILLISECONDS,
            }
            with self.subTest(signed=signed):
                self.assertEqual(verified("hubspot", make_request(body, headers=headers, url=came), self.secret), 0)
                elsewhere = make_request(body, headers=headers, url=came.replace("%26", "&"))
                self.assertEqual(self.refused("hubspot", elsewhere, self.secret), "signature_mismatch")


class PlivoTests(RefusingTestCase):
    def request(
        self, signed: str, *, url: str, body: bytes = b"To=1&From=2&Event=a+b", others: str = ""
    ) -> InboundRequest:
        headers = {
            "X-Plivo-Signature-V3": others + b64(digest("token", signed)),
            "X-Plivo-Signature-V3-Nonce": "05429567804466091622",
        }
        return make_request(body, headers=headers, url=url, content_type=FORM)

    def test_signs_the_url_the_sorted_fields_and_the_nonce(self) -> None:
        url = "https://hub.example.com/hooks/shop"
        request = self.request(f"{url}?Eventa bFrom2To1.05429567804466091622", url=url)

        self.assertEqual(verified("plivo", request, "token"), 0)

    def test_sorts_and_decodes_the_query(self) -> None:
        url = "https://hub.example.com/hooks/shop"
        request = self.request(
            f"{url}?a=1&b=x y&b=z.Eventa bFrom2To1.05429567804466091622", url=f"{url}?b=z&b=x%20y&a=1"
        )

        self.assertEqual(verified("plivo", request, "token"), 0)

    def test_refuses_a_query_of_more_parameters_than_are_read(self) -> None:
        url = "https://hub.example.com/hooks/shop"
        request = self.request(f"{url}?Eventa bFrom2To1.05429567804466091622", url=f"{url}?{'a&' * 1001}")

        self.assertEqual(self.refused("plivo", request, "token"), "signature_mismatch")

    def test_takes_any_of_several_signatures(self) -> None:
        url = "https://hub.example.com/hooks/shop"
        other = b64(digest("another", "text"))
        request = self.request(f"{url}?Eventa bFrom2To1.05429567804466091622", url=url, others=f"{other}, ")

        self.assertEqual(verified("plivo", request, "token"), 0)

    def test_refuses_a_body_that_is_no_form(self) -> None:
        url = "https://hub.example.com/hooks/shop"
        request = self.request(f"{url}.05429567804466091622", url=url, body=b"")

        self.assertEqual(self.refused("plivo", request, "token"), "body_not_signed")


class MandrillTests(SimpleTestCase):
    def test_signs_the_url_and_the_sorted_fields(self) -> None:
        url = "https://hub.example.com/hooks/shop"
        signature = b64(digest("key", f'{url}a1mandrill_events[{{"event":"send"}}]', "sha1"))
        body = b"mandrill_events=%5B%7B%22event%22%3A%22send%22%7D%5D&a=1"
        request = make_request(body, headers={"X-Mandrill-Signature": signature}, content_type=FORM)

        self.assertEqual(verified("mandrill", request, "key"), 0)

    def test_is_told_that_the_url_answers(self) -> None:
        handshake = providers["mandrill"].handshake
        assert handshake is not None

        self.assertEqual(handshake.methods, {"HEAD"})
        for request in (make_request(b"", method="HEAD"), make_request(b"mandrill_events=%5B%5D", content_type=FORM)):
            answer = handshake.unsigned(request, {})
            assert answer is not None
            self.assertEqual((answer.status, answer.body), (200, b""))

    def test_needs_its_signature_for_any_event(self) -> None:
        handshake = providers["mandrill"].handshake
        assert handshake is not None
        for body in (payload("mandrill/click.form"), b"mandrill_events=%5B%5D&mandrill_events=x", b""):
            self.assertIsNone(handshake.unsigned(make_request(body, content_type=FORM), {}))

    def test_has_no_id_for_a_batch_of_several(self) -> None:
        event = {"_id": "1", "event": "open", "ts": 5}
        batches: tuple[Any, ...] = ([event], [event, event], [{"event": "open"}], [], {}, None)
        described = [providers["mandrill"].describe(make_request(), batch, {}).event_id for batch in batches]

        self.assertEqual(described, ["1.open.5", "", "", "", "", ""])


class DocuSignTests(RefusingTestCase):
    def test_signs_with_each_key_in_a_header_of_its_own(self) -> None:
        body = payload("docusign/envelope-completed.json")
        signatures = {f"X-DocuSign-Signature-{n}": b64(digest(f"key {n}", body)) for n in (1, 2, 7)}

        for number in (1, 2, 7):
            self.assertEqual(verified("docusign", make_request(body, headers=signatures), "no", f"key {number}"), 1)
        self.assertEqual(
            self.refused("docusign", make_request(body, headers=signatures), "key 3"), "signature_mismatch"
        )


class ContentfulTests(RefusingTestCase):
    secret = "a" * 64

    def request(self, listed: str, *, path: str = "/hooks/shop", query: str = "", **headers: str) -> InboundRequest:
        body = payload("contentful/entry.publish.json")
        sent = {
            "X-Contentful-Topic": "Entry.publish",
            "X-Contentful-Timestamp": MILLISECONDS,
            "X-Contentful-Signed-Headers": listed,
        }
        values = {name.lower(): value for name, value in sent.items()}
        lines = ";".join(f"{name}:{values.get(name, '')}" for name in sorted(listed.split(",")))
        signature = digest(self.secret, f"POST\n{path}\n{lines}\n".encode() + body).hex()
        url = f"https://hub.example.com/hooks/shop{query}"
        return make_request(body, headers={**sent, "X-Contentful-Signature": signature, **headers}, url=url)

    def test_signs_the_headers_that_the_request_lists(self) -> None:
        listed = "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic"

        self.assertEqual(verified("contentful", self.request(listed), self.secret), 0)
        changed = self.request(listed, **{"X-Contentful-Topic": "Entry.delete"})
        self.assertEqual(self.refused("contentful", changed, self.secret), "signature_mismatch")

    def test_escapes_the_query_twice_as_its_library_does(self) -> None:
        listed = "x-contentful-signed-headers,x-contentful-timestamp"
        request = self.request(listed, path="/hooks/shop?a%253D1%2526b%253Dx%252520y", query="?a=1&b=x%20y")

        self.assertEqual(verified("contentful", request, self.secret), 0)

    def test_has_to_sign_the_time_and_the_list_itself(self) -> None:
        for listed in ("x-contentful-signed-headers", "x-contentful-timestamp", "", "x-contentful-topic"):
            with self.subTest(listed=listed):
                self.assertEqual(self.refused("contentful", self.request(listed), self.secret), "signed_header_missing")

    def test_has_every_header_that_is_listed(self) -> None:
        listed = "x-contentful-signed-headers,x-contentful-timestamp,x-gone"

        self.assertEqual(self.refused("contentful", self.request(listed), self.secret), "signed_header_missing")


class MailgunTests(RefusingTestCase):
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"

    def request(self, token: str, *, event: str = "opened", form: bool = False) -> InboundRequest:
        signature = digest("signing key", f"{SECONDS}{token}").hex()
        if form:
            fields = f"event={event}&timestamp={SECONDS}&token={token}&signature={signature}"
            return make_request(fields.encode(), content_type=FORM)
        proof = {"timestamp": SECONDS, "token": token, "signature": signature}
        return make_request(json.dumps({"signature": proof, "event-data": {"event": event}}).encode())

    def test_signs_the_time_and_the_token(self) -> None:
        for form in (False, True):
            with self.subTest(form=form):
                request = self.request(f"of test 1 {form}".replace(" ", "-"), form=form)
                self.assertEqual(verified("mailgun", request, "signing key"), 0)
                self.assertEqual(self.refused("mailgun", request, "another"), "signature_mismatch")

    def test_may_come_again_as_it_was(self) -> None:
        request = self.request("of-test-2")

        self.assertEqual([verified("mailgun", request, "signing key") for _ in range(3)], [0, 0, 0])

    def test_may_not_use_a_token_for_another_event(self) -> None:
        for form in (False, True):
            token = f"of-test-3-{form}"
            self.assertEqual(verified("mailgun", self.request(token, form=form), "signing key"), 0)

            forged = self.request(token, event="unsubscribed", form=form)
            self.assertEqual(self.refused("mailgun", forged, "signing key"), "token_used")

    def test_keeps_the_tokens_of_two_accounts_apart(self) -> None:
        self.assertEqual(verified("mailgun", self.request("of-test-4"), "signing key"), 0)
        signature = {"timestamp": SECONDS, "token": "of-test-4"}
        signature["signature"] = digest("another key", f"{SECONDS}of-test-4").hex()
        request = make_request(json.dumps({"signature": signature}).encode())

        self.assertEqual(verified("mailgun", request, "another key"), 0)

    def test_is_read_as_documented_when_it_is_a_form(self) -> None:
        preset = providers["mailgun"]
        request = make_request(payload("mailgun/delivered.form"), content_type=FORM)

        described = preset.describe(request, preset.decode(FORM, request.body), {})

        self.assertEqual((described.event_id, described.event_type), (self.token, "delivered"))

    def test_signs_a_form_too(self) -> None:
        scheme = providers["mailgun"].scheme_for({})
        request = make_request(payload("mailgun/delivered.form"), content_type=FORM)

        signed = scheme.sign(request, "signing key", now=NOW + timedelta(seconds=5))

        self.assertEqual(scheme.verify(signed, ["signing key"]), 0)
