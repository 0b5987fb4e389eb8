"""Signatures of PayPal and SNS made with the cryptography library alone: the hub's own `sign` is not asked."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.errors import HubError, KeysUnavailable, MalformedPayload, VerificationFailed
from integrations.providers import providers
from integrations.providers.aws_sns import Subscription
from integrations.verification.certificates import TopicSignature, TransmissionSignature
from integrations.verification.remote_keys import RemoteDocuments
from tests.integrations.requests import NOW, make_request

WEBHOOK_ID = "8PT597110X687430LKGECATA"
PAYPAL_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
SNS_URL = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-56e67fcb41f6fec09b0196692625d385.pem"
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
BODY = b'{"id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED"}'


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
CERT = (
    x509.CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .public_key(KEY.public_key())
    .serial_number(17)
    .not_valid_before(NOW - timedelta(days=365))
    .not_valid_after(NOW + timedelta(days=365))
    .sign(KEY, hashes.SHA256())
    .public_bytes(serialization.Encoding.PEM)
    .decode()
)


class SignedTestCase(SimpleTestCase):
    def signature(self, content: bytes, algorithm: hashes.HashAlgorithm) -> str:
        return base64.b64encode(KEY.sign(content, padding.PKCS1v15(), algorithm)).decode()

    def refused(self, scheme: Any, request: InboundRequest, keys: list[str]) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            scheme.verify(request, keys)
        return caught.exception.reason


class PayPalTests(SignedTestCase):
    def scheme(self, certs: Mapping[str, str] | None = None) -> TransmissionSignature:
        scheme = providers["paypal"].scheme_for({"certs": {PAYPAL_URL: CERT} if certs is None else certs})
        assert isinstance(scheme, TransmissionSignature)
        return scheme

    def request(self, **changes: str) -> InboundRequest:
        content = f"69cd13f0-d67a|2026-11-22T09:59:58Z|{WEBHOOK_ID}|{zlib.crc32(BODY)}"
        headers = {
            "PAYPAL-TRANSMISSION-ID": "69cd13f0-d67a",
            "PAYPAL-TRANSMISSION-TIME": "2026-11-22T09:59:58Z",
            "PAYPAL-TRANSMISSION-SIG": self.signature(content.encode(), hashes.SHA256()),
            "PAYPAL-CERT-URL": PAYPAL_URL,
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }
        return make_request(BODY, headers={**headers, **changes})

    def test_takes_a_signature_over_id_time_webhook_and_checksum(self) -> None:
        self.assertEqual(self.scheme().verify(self.request(), ["0AB", WEBHOOK_ID]), 1)

    def test_refuses_another_webhook(self) -> None:
        self.assertEqual(self.refused(self.scheme(), self.request(), ["0AB"]), "signature_mismatch")

    def test_refuses_other_headers(self) -> None:
        for name, text, reason in (
            ("PAYPAL-AUTH-ALGO", "SHA1withRSA", "algorithm_unknown"),
            ("PAYPAL-AUTH-ALGO", "", "algorithm_unknown"),
            ("PAYPAL-TRANSMISSION-ID", "another", "signature_mismatch"),
            ("PAYPAL-TRANSMISSION-TIME", "2026-11-22T10:00:00Z", "signature_mismatch"),
            ("PAYPAL-TRANSMISSION-TIME", "", "signed_header_missing"),
            ("PAYPAL-TRANSMISSION-ID", "69cd13f0-d67a|2026", "signed_header_missing"),
            ("PAYPAL-CERT-URL", "https://attacker.example/cert.pem", "key_address_refused"),
            ("PAYPAL-CERT-URL", f"{PAYPAL_URL}0", "key_unknown"),
        ):
            with self.subTest(header=name, text=text):
                self.assertEqual(self.refused(self.scheme(), self.request(**{name: text}), [WEBHOOK_ID]), reason)

    def test_fetches_the_certificate_once_where_none_is_pasted(self) -> None:
        fetched: list[str] = []

        def fetch(url: str) -> bytes:
            fetched.append(url)
            return CERT.encode()

        scheme = replace(self.scheme({}), source=RemoteDocuments(fetch=fetch))
        for _ in range(3):
            self.assertEqual(scheme.verify(self.request(), [WEBHOOK_ID]), 0)
        self.assertEqual(fetched, [PAYPAL_URL])

    def test_fetches_nothing_for_a_test_event(self) -> None:
        scheme = replace(self.scheme({}), source=RemoteDocuments(fetch=self.never))
        public, private = scheme.new_pair()
        signed = scheme.sign(make_request(BODY), private, now=NOW)

        self.assertEqual(scheme.verify(signed, [WEBHOOK_ID, public]), 1)

    def never(self, url: str) -> bytes:
        raise AssertionError(url)

    def test_refuses_a_certificate_outside_its_dates(self) -> None:
        request = replace(self.request(), received_at=NOW - timedelta(days=365 * 10))

        self.assertEqual(self.refused(self.scheme(), request, [WEBHOOK_ID]), "certificate_unusable")

    def test_refuses_what_is_no_certificate_when_it_is_saved(self) -> None:
        for pem in ("", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
            with self.subTest(pem=pem[:10]), self.assertRaises(ValueError):
                self.scheme({PAYPAL_URL: pem})


class TopicTests(SignedTestCase):
    def scheme(self, topic: str = "") -> TopicSignature:
        scheme = providers["aws_sns"].scheme_for({"certs": {SNS_URL: CERT}, "topic_arn": topic})
        assert isinstance(scheme, TopicSignature)
        return scheme

    def message(self, *, version: str = "1", **changes: Any) -> dict[str, Any]:
        message = {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": "Hello\nw\u00f6rld!",
            "Timestamp": "2026-11-22T09:59:58.123Z",
            **changes,
        }
        names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        signature = self.signature(text.encode(), hashes.SHA1() if version == "1" else hashes.SHA256())
        return {**message, "SignatureVersion": version, "SigningCertURL": SNS_URL, "Signature": signature}

    def request(self, message: Mapping[str, Any]) -> InboundRequest:
        return make_request(json.dumps(message).encode(), content_type="text/plain; charset=UTF-8")

    def confirmation(self, **changes: Any) -> dict[str, Any]:
        url = f"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
        return self.message(
            **{"Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": url, **changes}
        )

    def test_take_both_versions_with_and_without_a_subject(self) -> None:
        for version in ("1", "2"):
            for changes in ({}, {"Subject": "My first message"}):
                with self.subTest(version=version, changes=changes):
                    request = self.request(self.message(version=version, **changes))
                    self.assertEqual(self.scheme().verify(request, [TOPIC]), 0)

    def test_refuse_another_topic(self) -> None:
        request = self.request(self.message())

        self.assertEqual(self.refused(self.scheme(), request, [f"{TOPIC}2"]), "topic_mismatch")
        self.assertEqual(self.scheme(TOPIC).verify(request, ["named in the settings"]), 0)
        self.assertEqual(self.refused(self.scheme(f"{TOPIC}2"), request, ["named in the settings"]), "topic_mismatch")
        self.assertEqual(self.refused(self.scheme(), request, ["not a topic"]), "no_live_secret")

    def test_may_be_several_at_one_endpoint(self) -> None:
        request = self.request(self.message())

        self.assertEqual(self.scheme().verify(request, [f"{TOPIC}2", TOPIC]), 1)

    def test_are_read_though_they_come_as_plain_text(self) -> None:
        request = self.request(self.message())
        payload = providers["aws_sns"].decode(request.content_type, request.body)

        described = providers["aws_sns"].describe(request, payload, {})

        self.assertEqual(described.event_id, "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324")
        self.assertEqual(payload["Message"], "Hello\nwörld!")

    def test_confirm_a_subscription_after_the_signature(self) -> None:
        called: list[str] = []
        message = self.confirmation()
        request = self.request(message)
        self.assertEqual(self.scheme().verify(request, [TOPIC]), 0)

        answer = Subscription(fetch=lambda url: called.append(url) or b"").signed(request, message, {})

        assert answer is not None
        self.assertEqual((answer.status, called), (200, [message["SubscribeURL"]]))

    def test_confirm_nothing_elsewhere_and_for_nobody_else(self) -> None:
        def fetch(url: str) -> bytes:
            raise AssertionError(f"{url} was called")

        good = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription"
        for url in (
            f"http://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37",
            f"https://attacker.example/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37",
            f"https://sns.us-west-2.amazonaws.com@127.0.0.1/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37",
            f"https://sns.us-west-2.amazonaws.com:8080/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37",
            f"{good}&TopicArn={TOPIC}2&Token=2336412f37",
            f"{good}&TopicArn={TOPIC}&Token=other",
            f"{good}&TopicArn={TOPIC}&Token=2336412f37&Action=DeleteTopic",
            f"https://sns.us-west-2.amazonaws.com/?Action=DeleteTopic&TopicArn={TOPIC}&Token=2336412f37",
            "",
            None,
        ):
            message = {**self.confirmation(), "SubscribeURL": url}
            with self.subTest(url=url), self.assertRaises(MalformedPayload):
                Subscription(fetch=fetch).signed(self.request(message), message, {})

    def test_ask_sns_to_come_again_if_the_confirmation_fails(self) -> None:
        def fetch(url: str) -> bytes:
            raise HubError("down")

        message = self.confirmation()
        with self.assertRaises(KeysUnavailable) as caught:
            Subscription(fetch=fetch).signed(self.request(message), message, {})
        self.assertEqual((caught.exception.status_code, caught.exception.reason), (503, "subscription_not_confirmed"))

    def test_leave_a_notification_to_be_an_event(self) -> None:
        message = self.message()

        self.assertIsNone(Subscription().signed(self.request(message), message, {}))

    def test_pin_the_hosts_of_sns(self) -> None:
        pinned = self.scheme().pinned
        for host, fits in (
            ("sns.eu-central-1.amazonaws.com", True),
            ("sns.cn-north-1.amazonaws.com.cn", True),
            ("sns.us-gov-west-1.amazonaws.com", True),
            ("sns.us-west-2.amazonaws.com.evil.example", False),
            ("sns-us-west-2.amazonaws.com", False),
            ("s3.us-west-2.amazonaws.com", False),
        ):
            with self.subTest(host=host):
                self.assertEqual(bool(pinned.fullmatch(f"https://{host}/SimpleNotificationService-1.pem")), fits)
        self.assertIsInstance(pinned, re.Pattern)
