"""Signatures of payment, mail and media services, published or made here with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.providers import providers
from integrations.verification.templates import FORM
from tests.integrations.requests import NOW, make_request, payload

KEY = "s3cret of the provider"
SECONDS = str(int(NOW.timestamp()))
MILLISECONDS = f"{SECONDS}123"


def digest(content: bytes, *, key: bytes = KEY.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.new(key, content, algorithm).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class SignatureTests(SimpleTestCase):
    body = b'{"id":"evt_1","name":"Gr\xc3\xbc\xc3\x9fe"}'

    def accepted(self, provider: str, headers: Mapping[str, str], **settings: Any) -> None:
        request = make_request(self.body, headers=headers)
        scheme = providers[provider].scheme_for(settings)

        with self.subTest(provider=provider):
            self.assertEqual(scheme.verify(request, ["another", KEY]), 1)
            with self.assertRaises(VerificationFailed):
                scheme.verify(replace(request, body=self.body + b" "), [KEY])

    def test_over_the_body_alone_are_accepted(self) -> None:
        made = digest(self.body)
        sha512 = digest(self.body, algorithm="sha512")
        for provider, headers in {
            "gocardless": {"Webhook-Signature": made.hex()},
            "mollie": {"X-Mollie-Signature": f"sha256={made.hex()}"},
            "coinbase_commerce": {"X-CC-Webhook-Signature": made.hex()},
            "razorpay": {"X-Razorpay-Signature": made.hex()},
            "paystack": {"x-paystack-signature": sha512.hex()},
            "flutterwave": {"flutterwave-signature": b64(made)},
            "lemonsqueezy": {"X-Signature": made.hex()},
            "xero": {"x-xero-signature": b64(made)},
            "quickbooks": {"intuit-signature": b64(made)},
            "woocommerce": {"X-WC-Webhook-Signature": b64(made)},
            "easypost": {"X-Hmac-Signature": f"hmac-sha256-hex={made.hex()}"},
            "dropbox": {"X-Dropbox-Signature": made.hex()},
        }.items():
            self.accepted(provider, headers)

    def test_over_a_time_and_the_body_are_accepted(self) -> None:
        stamp = "2026-11-22T09:59:58Z"
        by = {
            "paddle": digest(SECONDS.encode() + b":" + self.body).hex(),
            "workos": digest(MILLISECONDS.encode() + b"." + self.body).hex(),
            "mux": digest(SECONDS.encode() + b"." + self.body).hex(),
            "sanity": b64(digest(MILLISECONDS.encode() + b"." + self.body)),
            "zendesk": b64(digest(stamp.encode() + self.body)),
        }
        sanity = by["sanity"].replace("+", "-").replace("/", "_").rstrip("=")
        for provider, headers in {
            "paddle": {"Paddle-Signature": f"ts={SECONDS};h1={'0' * 64};h1={by['paddle']}"},
            "workos": {"WorkOS-Signature": f"t={MILLISECONDS}, v1={by['workos']}"},
            "mux": {"Mux-Signature": f"t={SECONDS},v1={by['mux']}"},
            "elevenlabs": {"ElevenLabs-Signature": f"t={SECONDS},v0={by['mux']}"},
            "sanity": {"sanity-webhook-signature": f"t={MILLISECONDS},v1={sanity}"},
            "zendesk": {
                "X-Zendesk-Webhook-Signature": by["zendesk"],
                "X-Zendesk-Webhook-Signature-Timestamp": stamp,
            },
        }.items():
            self.accepted(provider, headers)

    def test_over_the_url_and_the_body_are_accepted(self) -> None:
        for settings in ({}, {"signed_url": "https://shop.example.com/square?a=b"}):
            url = settings.get("signed_url", "https://hub.example.com/hooks/shop")
            made = b64(digest(url.encode() + self.body))

            self.accepted("square", {"x-square-hmacsha256-signature": made}, **settings)

    def test_of_a_rotating_secret_come_twice(self) -> None:
        """The header is sent once for each secret; WSGI joins the two."""
        made = digest(self.body).hex()

        self.accepted("mollie", {"X-Mollie-Signature": f"sha256={'0' * 64},sha256={made}"})

    def test_with_a_key_in_hexadecimal_are_accepted(self) -> None:
        made = b64(digest(self.body, key=bytes.fromhex("44782def")))
        request = make_request(self.body, headers={"HmacSignature": made})

        self.assertEqual(providers["adyen_platform"].scheme_for({}).verify(request, ["44782DEF"]), 0)

    def test_with_a_key_in_another_normal_form_are_accepted(self) -> None:
        made = digest(self.body, key="se\u0301cret".encode()).hex()
        request = make_request(self.body, headers={"X-Hmac-Signature": f"hmac-sha256-hex={made}"})

        self.assertEqual(providers["easypost"].scheme_for({}).verify(request, ["s\u00e9cret"]), 0)

    def test_with_a_key_pair_are_accepted(self) -> None:
        private = Ed25519PrivateKey.generate()
        public = b64(private.public_key().public_bytes_raw())
        made = b64(private.sign(SECONDS.encode() + b"|" + self.body))
        request = make_request(self.body, headers={"telnyx-signature-ed25519": made, "telnyx-timestamp": SECONDS})

        self.assertEqual(providers["telnyx"].scheme_for({}).verify(request, [public]), 0)


class AdyenSignatureTests(SimpleTestCase):
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    #: Published in Adyen's own libraries' tests, for the first item of the payload file.
    signature = "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="

    def verify(self, body: Any) -> int:
        return providers["adyen"].scheme_for({}).verify(make_request(json.dumps(body).encode()), [self.key])

    def batch(self, *signatures: Any) -> Any:
        body = json.loads(payload("adyen/batch.json"))
        body["notificationItems"] = body["notificationItems"][: len(signatures)]
        for entry, signature in zip(body["notificationItems"], signatures, strict=True):
            entry["NotificationRequestItem"]["additionalData"]["hmacSignature"] = signature
        return body

    def test_is_the_published_one(self) -> None:
        self.assertEqual(self.verify(self.batch(self.signature)), 0)

    def test_is_wanted_in_every_item(self) -> None:
        text = "8815516988841362:7914073381342284:TestMerchant:TestPayment-1407325143704:1130:EUR:CAPTURE:true"
        second = b64(digest(text.encode(), key=bytes.fromhex(self.key)))

        self.assertEqual(self.verify(self.batch(self.signature, second)), 0)
        for wrong in (self.signature, "", None, 5, [second], second[:-1], "AAAA"):
            with self.subTest(wrong=wrong), self.assertRaises(VerificationFailed):
                self.verify(self.batch(self.signature, wrong))

    def test_is_wanted_of_every_entry_whatever_its_form(self) -> None:
        for entry in ({}, None, "item", {"NotificationRequestItem": []}, []):
            body = self.batch(self.signature)
            body["notificationItems"].append(entry)
            with self.subTest(entry=entry), self.assertRaises(VerificationFailed) as caught:
                self.verify(body)
            self.assertEqual(caught.exception.reason, "body_not_signed")

    def test_is_read_in_one_way_only(self) -> None:
        """The eight fields are signed with colons between them, and the merchant's reference may hold some too."""
        item = {
            "pspReference": "8815516988841362",
            "originalReference": "",
            "merchantAccountCode": "Test",
            "merchantReference": "order:7",
            "amount": {"value": 1130, "currency": "EUR"},
            "eventCode": "CAPTURE",
            "success": "true",
        }
        text = "8815516988841362::Test:order:7:1130:EUR:CAPTURE:true"
        item["additionalData"] = {"hmacSignature": b64(digest(text.encode(), key=bytes.fromhex(self.key)))}
        moved = {
            "pspReference": "8815516988841362:",
            "originalReference": "Test",
            "merchantAccountCode": "order",
            "merchantReference": "7",
        }

        self.assertEqual(self.verify({"notificationItems": [{"NotificationRequestItem": item}]}), 0)
        with self.assertRaises(VerificationFailed):
            self.verify({"notificationItems": [{"NotificationRequestItem": {**item, **moved}}]})

    def test_is_that_of_the_json_whatever_the_content_type_says(self) -> None:
        body = payload("adyen/batch.json")

        self.assertEqual(providers["adyen"].decode("text/plain", body), json.loads(body))

    def test_is_wanted_of_some_item(self) -> None:
        for body in ({"notificationItems": []}, {}, [], {"notificationItems": {}}):
            with self.subTest(body=body), self.assertRaises(VerificationFailed):
                self.verify(body)

    def test_is_looked_for_in_so_many_items_only(self) -> None:
        body = self.batch(self.signature)
        body["notificationItems"] *= 51

        with self.assertRaises(VerificationFailed) as caught:
            self.verify(body)

        self.assertEqual(caught.exception.reason, "too_many_signatures")


class SendGridSignatureTests(SimpleTestCase):
    def test_is_the_published_one(self) -> None:
        """https://github.com/sendgrid/sendgrid-python (test/unit/test_eventwebhook.py)"""
        public = (
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpigl"
            "SI8eNEc6wEA3F+g=="
        )
        body = payload("sendgrid/published_vector.json")
        headers = {
            "X-Twilio-Email-Event-Webhook-Signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEA"
            "yBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
            "X-Twilio-Email-Event-Webhook-Timestamp": "1600112502",
        }
        request = make_request(body, headers=headers, received_at=datetime.fromtimestamp(1600112502, UTC))
        scheme = providers["sendgrid"].scheme_for({})

        self.assertEqual(scheme.verify(request, [public]), 0)
        pem = f"-----BEGIN PUBLIC KEY-----\n{public[:64]}\n{public[64:]}\n-----END PUBLIC KEY-----\n"
        self.assertEqual(scheme.verify(request, [pem]), 0)
        with self.assertRaises(VerificationFailed):
            scheme.verify(replace(request, body=body.removesuffix(b"\r\n")), [public])

    def test_is_made_with_no_key_of_another_kind(self) -> None:
        scheme = providers["sendgrid"].scheme_for({})
        ed25519 = b64(
            bytes.fromhex("302a300506032b6570032100") + Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        )
        for key in ("text", "AAAA", ed25519, "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"):
            with self.subTest(key=key[:8]), self.assertRaises(ValueError):
                scheme.check_key(key)


class FlutterwaveProofTests(SimpleTestCase):
    body = b'{"event":"charge.completed","data":{"id":1}}'

    def verify(self, headers: Mapping[str, str], **settings: str) -> int:
        scheme = providers["flutterwave"].scheme_for(settings)
        return scheme.verify(make_request(self.body, headers=headers), [KEY])

    def test_is_the_token_where_there_is_no_signature(self) -> None:
        self.assertEqual(self.verify({"verif-hash": KEY}), 0)
        with self.assertRaises(VerificationFailed):
            self.verify({"verif-hash": "another"})

    def test_is_the_signature_alone_where_there_is_one(self) -> None:
        with self.assertRaises(VerificationFailed):
            self.verify({"verif-hash": KEY, "flutterwave-signature": b64(digest(b"another body"))})
        self.assertEqual(self.verify({"verif-hash": "x", "flutterwave-signature": b64(digest(self.body))}), 0)

    def test_is_only_what_the_chosen_version_has(self) -> None:
        with self.assertRaises(VerificationFailed):
            self.verify({"verif-hash": KEY}, version="v4")
        with self.assertRaises(VerificationFailed):
            self.verify({"flutterwave-signature": b64(digest(self.body))}, version="v3")


class BraintreeSignatureTests(SimpleTestCase):
    text = "PG5vdGlmaWNhdGlvbi8+\n"

    def verify(self, signature: str, *, public_key: str = "integration") -> int:
        body = urlencode({"bt_signature": signature, "bt_payload": self.text}).encode()
        scheme = providers["braintree"].scheme_for({"public_key": public_key} if public_key else {})
        return scheme.verify(make_request(body, content_type=FORM), [KEY])

    def made(self, text: str) -> str:
        return digest(text.encode(), key=hashlib.sha1(KEY.encode()).digest(), algorithm="sha1").hex()

    def test_is_that_of_the_payload_or_of_the_payload_and_a_line_feed(self) -> None:
        for text in (self.text, f"{self.text}\n"):
            self.assertEqual(self.verify(f"integration|{self.made(text)}"), 0)

    def test_is_picked_by_its_public_key(self) -> None:
        right, wrong = self.made(self.text), self.made("another")

        self.assertEqual(self.verify(f"other|{wrong}&integration|{right}"), 0)
        for signature in (f"other|{right}", f"integration|{wrong}&other|{right}", right, f"|{right}", ""):
            with self.subTest(signature=signature), self.assertRaises(VerificationFailed):
                self.verify(signature)

    def test_is_any_while_no_public_key_is_set(self) -> None:
        self.assertEqual(self.verify(f"other|{self.made(self.text)}", public_key=""), 0)


class DropboxSignSignatureTests(SimpleTestCase):
    boundary = "------------------------3a1b"

    def verify(self, event_hash: str) -> tuple[int, Any]:
        event = {"event_time": "1348177752", "event_type": "signature_request_sent", "event_hash": event_hash}
        text = json.dumps({"event": event, "signature_request": {"title": "Vertrag über alles"}}, ensure_ascii=False)
        body = (
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="json"\r\n\r\n{text}\r\n--{self.boundary}--\r\n'
        ).encode()
        request = make_request(body, content_type=f"multipart/form-data; boundary={self.boundary}")
        preset = providers["dropbox_sign"]
        return preset.scheme_for({}).verify(request, [KEY]), preset.decode(request.content_type, body)

    def test_is_found_in_a_multipart_form(self) -> None:
        index, decoded = self.verify(digest(b"1348177752signature_request_sent").hex())

        self.assertEqual((index, decoded["signature_request"]["title"]), (0, "Vertrag über alles"))

    def test_is_that_of_time_and_type(self) -> None:
        for wrong in (digest(b"1348177753signature_request_sent").hex(), "", "0" * 64):
            with self.subTest(wrong=wrong), self.assertRaises(VerificationFailed):
                self.verify(wrong)


class PusherKeyTests(SimpleTestCase):
    body = payload("pusher/channel_occupied.json")

    def verify(self, shown: str, **settings: str) -> int:
        headers = {"X-Pusher-Key": shown, "X-Pusher-Signature": digest(self.body).hex()}
        request = make_request(self.body, headers=headers, received_at=datetime.fromtimestamp(1795341600, UTC))
        return providers["pusher"].scheme_for(settings).verify(request, [KEY])

    def test_has_to_be_the_endpoints_where_that_is_set(self) -> None:
        self.assertEqual(self.verify("278d", key="278d"), 0)
        self.assertEqual(self.verify("anything"), 0)
        with self.assertRaises(VerificationFailed):
            self.verify("another", key="278d")
