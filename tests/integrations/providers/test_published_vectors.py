"""Signatures that the senders published, or that another program computed: ours have to be the same."""

from __future__ import annotations

from datetime import UTC, datetime

from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.providers import providers
from integrations.verification import Ed25519
from integrations.verification.templates import FORM
from tests.integrations.requests import make_request, payload


class PublishedVectorTests(SimpleTestCase):
    def test_of_github(self) -> None:
        """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
        signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        request = make_request(b"Hello, World!", headers={"X-Hub-Signature-256": signature})

        self.assertEqual(providers["github"].scheme_for({}).verify(request, ["It's a Secret to Everybody"]), 0)

    def test_of_slack(self) -> None:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack/"""
        request = make_request(
            payload("slack/slash_command.form"),
            content_type=FORM,
            headers={
                "X-Slack-Request-Timestamp": "1531420618",
                "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            },
            received_at=datetime.fromtimestamp(1531420618, UTC),
        )

        self.assertEqual(providers["slack"].scheme_for({}).verify(request, ["8f742231b10e8888abcd99yyyzzz85a5"]), 0)

    def test_of_svix(self) -> None:
        """https://docs.svix.com/receiving/verifying-payloads/how-manual"""
        request = make_request(
            payload("svix/ping.json"),
            headers={
                "svix-id": "msg_loFOjxBNrRLzqYUf",
                "svix-timestamp": "1731705121",
                "svix-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
            },
            received_at=datetime.fromtimestamp(1731705121, UTC),
        )

        self.assertEqual(providers["svix"].scheme_for({}).verify(request, ["whsec_plJ3nmyCDGBKInavdOK15jsl"]), 0)

    def test_of_standard_webhooks(self) -> None:
        """https://github.com/standard-webhooks/standard-webhooks (the reference libraries' tests)"""
        request = make_request(
            b'{"test": 2432232314}',
            headers={
                "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "webhook-timestamp": "1614265330",
                "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            },
            received_at=datetime.fromtimestamp(1614265330, UTC),
        )

        scheme = providers["standard_webhooks"].scheme_for({})

        self.assertEqual(scheme.verify(request, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]), 0)

    def test_of_twilio(self) -> None:
        """https://github.com/twilio/twilio-python (tests/unit/test_request_validator.py)"""
        form = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
        url = "https://mycompany.com/myapp.php?foo=1&bar=2"
        body_hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
        scheme = providers["twilio"].scheme_for({})

        by_form = make_request(
            form, content_type=FORM, url=url, headers={"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
        )
        by_hash = make_request(
            b'{"property": "value", "boolean": true}',
            url=f"{url}&bodySHA256={body_hash}",
            headers={"X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4="},
        )

        self.assertEqual(scheme.verify(by_form, ["12345"]), 0)
        self.assertEqual(scheme.verify(by_hash, ["12345"]), 0)

    def test_of_ed25519(self) -> None:
        """https://www.rfc-editor.org/rfc/rfc8032#section-7.1, test 2"""
        public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        signature = (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )

        request = make_request(b"\x72", headers={"X-Signature": signature})

        self.assertEqual(Ed25519(headers=("X-Signature",)).verify(request, [public]), 0)


class VectorOfOpensslTests(SimpleTestCase):
    """Computed with ``openssl dgst -sha256 -hmac KEY`` over the payload file."""

    def test_of_shopify(self) -> None:
        for name in ("X-Shopify-Hmac-Sha256", "shopify-hmac-sha256"):
            request = make_request(
                payload("shopify/orders_create.json"),
                headers={name: "YEIlQy/4I4vx0bqD+RFml0DNA9rDQRF7v0rfHPBKAH4="},
            )
            with self.subTest(header=name):
                self.assertEqual(providers["shopify"].scheme_for({}).verify(request, ["hush"]), 0)

    def test_of_meta(self) -> None:
        request = make_request(
            payload("meta/whatsapp_message.json"),
            headers={"X-Hub-Signature-256": "sha256=26c06250c64ff55f24d62021e936d50c2cd6dec408af3706af6c5d1ec9c2a175"},
        )

        self.assertEqual(providers["meta"].scheme_for({}).verify(request, ["0123456789abcdef0123456789abcdef"]), 0)

    def test_of_gitlab(self) -> None:
        request = make_request(
            payload("gitlab/push.json"),
            headers={
                "webhook-id": "f5b7a3c2-4a1e-4bb7-9c0f-2a8d1f0e6c11",
                "webhook-timestamp": "1763805600",
                "webhook-signature": "v1,ngCQmvCeb+TVsN9xPUmQpVMFgKzOJwSuwZq3zItP6p0=",
            },
            received_at=datetime.fromtimestamp(1763805600, UTC),
        )
        scheme = providers["gitlab"].scheme_for({"mode": "signing_token"})

        self.assertEqual(scheme.verify(request, ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]), 0)


class GithubTests(SimpleTestCase):
    def test_never_falls_back_to_the_sha1_header(self) -> None:
        """The SHA-1 of the published example, which the older documentation gives."""
        request = make_request(
            b"Hello, World!", headers={"X-Hub-Signature": "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"}
        )

        with self.assertRaises(VerificationFailed) as caught:
            providers["github"].scheme_for({}).verify(request, ["It's a Secret to Everybody"])

        self.assertEqual(caught.exception.reason, "signature_missing")
