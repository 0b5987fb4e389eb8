"""Tokens made by hand, with hmac and the cryptography library alone: the hub's own `sign` is not asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.errors import VerificationFailed
from integrations.providers import providers
from integrations.verification.remote_keys import public_pem
from tests.integrations.requests import NOW, make_request

SECRET = "a shared secret of the account"
BODY = b'{"hello": "w\xc3\xb6rld"}'
MOMENT = int(NOW.timestamp())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def content_of(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"


def hs256(claims: dict[str, Any], *, secret: str = SECRET, name: str = "sha256", algorithm: str = "HS256") -> str:
    content = content_of({"alg": algorithm, "typ": "JWT"}, claims)
    return f"{content}.{encoded(hmac.digest(secret.encode(), content.encode(), name))}"


def rs256(claims: dict[str, Any], *, kid: str = "key-1") -> str:
    content = content_of({"alg": "RS256", "kid": kid, "typ": "JWT"}, claims)
    return f"{content}.{encoded(RSA_KEY.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def es256(claims: dict[str, Any], *, kid: str = "key-1") -> str:
    content = content_of({"alg": "ES256", "kid": kid, "typ": "JWT"}, claims)
    r, s = decode_dss_signature(EC_KEY.sign(content.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{content}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class TokenTestCase(SimpleTestCase):
    def verify(self, provider: str, request: InboundRequest, key: str = SECRET, **settings: Any) -> int:
        return providers[provider].scheme_for(settings).verify(request, [key])

    def refused(self, provider: str, request: InboundRequest, key: str = SECRET, **settings: Any) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            self.verify(provider, request, key, **settings)
        return caught.exception.reason


class SharedTokensTests(TokenTestCase):
    def test_verify_the_example_of_the_specification(self) -> None:
        # RFC 7515, appendix A.1: the token, and its key.
        from integrations.verification.jwt import SharedJwt

        class Rfc(SharedJwt):
            def signing_key(self, key: str) -> bytes:
                return base64.urlsafe_b64decode(key + "==")

        token = (
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
            "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        )
        key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
        scheme = Rfc(header="X-Token", issuers=("joe",), leeway_seconds=10**9)

        self.assertEqual(scheme.verify(make_request(headers={"X-Token": token}), [key]), 0)

    def test_of_netlify_hold_the_bodys_hash_in_hexadecimal(self) -> None:
        claims = {"iss": "netlify", "sha256": hashlib.sha256(BODY).hexdigest()}

        self.assertEqual(self.verify("netlify", make_request(BODY, headers={"X-Webhook-Signature": hs256(claims)})), 0)

    def test_of_livekit_hold_it_in_base64_and_name_the_api_key(self) -> None:
        digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
        claims = {"iss": "APIkey", "exp": MOMENT + 300, "nbf": MOMENT, "sha256": digest}
        request = make_request(BODY, headers={"Authorization": hs256(claims)})

        self.assertEqual(self.verify("livekit", request, api_key="APIkey"), 0)
        self.assertEqual(self.verify("livekit", request), 0)
        self.assertEqual(self.refused("livekit", request, api_key="APIother"), "claim_mismatch")

    def test_of_messagebird_hold_the_urls_hash_too(self) -> None:
        url = "https://example.com/inbound?a=1"
        claims = {
            "iss": "MessageBird",
            "nbf": MOMENT - 1,
            "exp": MOMENT + 60,
            "url_hash": hashlib.sha256(url.encode()).hexdigest(),
            "payload_hash": hashlib.sha256(BODY).hexdigest(),
        }
        for name, algorithm in (("sha256", "HS256"), ("sha384", "HS384"), ("sha512", "HS512")):
            token = hs256(claims, name=name, algorithm=algorithm)
            request = make_request(BODY, headers={"MessageBird-Signature-JWT": token})
            with self.subTest(algorithm=algorithm):
                self.assertEqual(self.verify("messagebird", request, signed_url=url), 0)
                self.assertEqual(self.refused("messagebird", request), "url_hash_mismatch")

    def test_of_vonage_stand_behind_bearer(self) -> None:
        claims = {"iat": MOMENT, "jti": "x", "payload_hash": hashlib.sha256(BODY).hexdigest()}

        self.assertEqual(
            self.verify("vonage", make_request(BODY, headers={"Authorization": f"Bearer {hs256(claims)}"})), 0
        )
        self.assertEqual(
            self.refused("vonage", make_request(BODY, headers={"Authorization": hs256(claims)})), "signature_missing"
        )

    def test_take_no_public_key_for_a_secret(self) -> None:
        for key in (public_pem(RSA_KEY.public_key()), public_pem(EC_KEY.public_key()), '{"kty": "oct", "k": "AA"}'):
            with self.subTest(key=key[:30]), self.assertRaises(ValueError):
                providers["netlify"].scheme_for({}).check_key(key)

    def test_say_nothing_of_what_was_shown(self) -> None:
        token = hs256({"iss": "netlify", "sha256": "wrong"})
        with self.assertRaises(VerificationFailed) as caught:
            self.verify("netlify", make_request(BODY, headers={"X-Webhook-Signature": token}))

        self.assertNotIn(token.rpartition(".")[2], f"{caught.exception} {caught.exception.detail}")


class PublishedKeysTests(TokenTestCase):
    AUDIENCE = "https://hub.example.com/hooks/shop"
    EMAIL = "push@myproject.iam.gserviceaccount.com"

    def claims(self, **changes: Any) -> dict[str, Any]:
        return {
            "aud": self.AUDIENCE,
            "iss": "https://accounts.google.com",
            "email": self.EMAIL,
            "email_verified": True,
            "iat": MOMENT,
            "exp": MOMENT + 3600,
            **changes,
        }

    def google(self, token: str, **settings: Any) -> tuple[InboundRequest, dict[str, Any]]:
        pasted = {"certs_by_kid": {"key-1": public_pem(RSA_KEY.public_key())}, "email": self.EMAIL}
        return make_request(BODY, headers={"Authorization": f"Bearer {token}"}), {**pasted, **settings}

    def test_of_google_prove_audience_and_address(self) -> None:
        request, settings = self.google(rs256(self.claims()))

        self.assertEqual(self.verify("google_pubsub", request, self.AUDIENCE, **settings), 0)
        self.assertEqual(self.refused("google_pubsub", request, "https://other.example", **settings), "claim_mismatch")

    def test_of_google_are_refused_for_anybody_else(self) -> None:
        for changes, reason in (
            ({"email": "attacker@evil.iam.gserviceaccount.com"}, "claim_mismatch"),
            ({"email_verified": False}, "claim_mismatch"),
            ({"email_verified": "true"}, "claim_mismatch"),
            ({"aud": [self.AUDIENCE]}, "claim_mismatch"),
            ({"iss": "https://accounts.example.com"}, "claim_mismatch"),
            ({"exp": None}, "claim_missing"),
            ({"exp": MOMENT - 61}, "timestamp_stale"),
        ):
            request, settings = self.google(rs256(self.claims(**changes)))
            with self.subTest(changes=changes):
                self.assertEqual(self.refused("google_pubsub", request, self.AUDIENCE, **settings), reason)

    def test_of_google_need_the_address_in_the_settings(self) -> None:
        request, settings = self.google(rs256(self.claims()), email="")

        self.assertEqual(self.refused("google_pubsub", request, self.AUDIENCE, **settings), "setting_missing")

    def test_are_found_by_kid(self) -> None:
        request, settings = self.google(rs256(self.claims(), kid="key-2"))

        self.assertEqual(self.refused("google_pubsub", request, self.AUDIENCE, **settings), "key_unknown")

    def test_do_not_serve_as_the_secret_of_an_hmac(self) -> None:
        pem = public_pem(RSA_KEY.public_key())
        for secret in (pem, pem.strip()):
            content = content_of({"alg": "HS256", "kid": "key-1"}, self.claims())
            token = f"{content}.{encoded(hmac.digest(secret.encode(), content.encode(), 'sha256'))}"
            request, settings = self.google(token)

            self.assertEqual(self.refused("google_pubsub", request, self.AUDIENCE, **settings), "algorithm_unknown")

    def test_refuse_another_audience_in_the_settings(self) -> None:
        scheme = providers["google_pubsub"].scheme_for({"audience": self.AUDIENCE})

        scheme.check_key(self.AUDIENCE)
        with self.assertRaises(ValueError):
            scheme.check_key("https://other.example")

    def test_of_plaid_are_taken_as_jwk_or_pem(self) -> None:
        numbers = EC_KEY.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-256",
            "alg": "ES256",
            "use": "sig",
            "kid": "key-1",
            "x": encoded(numbers.x.to_bytes(32, "big")),
            "y": encoded(numbers.y.to_bytes(32, "big")),
        }
        claims = {"iat": MOMENT, "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
        request = make_request(BODY, headers={"Plaid-Verification": es256(claims)})
        for key in (jwk, json.dumps(jwk), public_pem(EC_KEY.public_key())):
            with self.subTest(key=str(key)[:20]):
                self.assertEqual(self.verify("plaid", request, "client-id", public_keys_by_kid={"key-1": key}), 0)
        self.assertEqual(self.refused("plaid", request, "client-id"), "key_unknown")

    def test_of_another_kind_than_the_preset_prove_nothing(self) -> None:
        claims = {"iat": MOMENT, "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
        request = make_request(BODY, headers={"Plaid-Verification": es256(claims)})
        keys = {"key-1": public_pem(RSA_KEY.public_key())}

        self.assertEqual(self.refused("plaid", request, "client-id", public_keys_by_kid=keys), "signature_mismatch")

    def test_are_refused_when_they_are_saved_and_are_none(self) -> None:
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        private = EC_KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        for key in ("", "text", "{}", '{"kty": "oct", "k": "AAAA"}', public_pem(short.public_key()), private):
            with self.subTest(key=key[:30]), self.assertRaises(ValueError):
                providers["plaid"].scheme_for({"public_keys_by_kid": {"key-1": key}})


class TheEnvelopeOfPubSubTests(SimpleTestCase):
    def decoded(self, data: Any) -> Any:
        body = json.dumps({"message": {"data": data, "messageId": "1"}}).encode()
        return providers["google_pubsub"].decode("application/json", body)["message"]["data"]

    def test_is_opened(self) -> None:
        self.assertEqual(self.decoded(base64.b64encode(b'{"order": 17}').decode()), {"order": 17})
        self.assertEqual(self.decoded(base64.b64encode(b"plain text").decode()), "plain text")

    def test_stays_as_it_came_where_it_holds_no_text(self) -> None:
        for data in (base64.b64encode(b"\xff\x00").decode(), "not base64!", None, 5, {}):
            with self.subTest(data=data):
                self.assertEqual(self.decoded(data), data)
