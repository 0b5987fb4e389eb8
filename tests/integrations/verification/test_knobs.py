"""What HMAC as data can say for the few providers that need more: other keys, other places."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from integrations.verification import Hmac, Timestamp
from integrations.verification.bodies import body_value, with_body_value
from integrations.verification.templates import FORM
from integrations.verification.texts import decode_digest, encode_digest
from tests.integrations.requests import NOW, make_request
from tests.integrations.verification.cases import SECRET, SchemeTestCase

AT = str(int(NOW.timestamp()))


def hexed(key: bytes, content: bytes = b"{}") -> str:
    return hmac.new(key, content, "sha256").hexdigest()


class KeyFormTests(SchemeTestCase):
    def test_of_text_is_normalised_where_the_provider_does_so(self) -> None:
        """https://github.com/EasyPost/easypost-python (easypost/util.py)"""
        scheme = Hmac(headers=("X-Sig",), key_form="nfkd")
        request = make_request(headers={"X-Sig": hexed("se\u0301cret 1".encode())})

        self.assertEqual(scheme.verify(request, ["s\u00e9cret \u2460"]), 0)
        self.refused(Hmac(headers=("X-Sig",)), request, "s\u00e9cret \u2460")

    def test_of_text_is_hashed_where_the_provider_does_so(self) -> None:
        """https://github.com/braintree/braintree_python (braintree/util/crypto.py)"""
        scheme = Hmac(headers=("X-Sig",), algorithm="sha1", key_form="sha1")
        digest = hmac.new(hashlib.sha1(b"private", usedforsecurity=False).digest(), b"{}", "sha1").hexdigest()

        self.assertEqual(scheme.verify(make_request(headers={"X-Sig": digest}), ["private"]), 0)
        self.assertEqual(self.refused(scheme, make_request(headers={"X-Sig": digest}), "", " "), "no_live_secret")

    def test_may_be_text_or_base64(self) -> None:
        scheme = Hmac(headers=("X-Sig",), key_form="text_or_whsec")
        secret = "whsec_" + base64.b64encode(b"inner key").decode()
        for key in (secret.encode(), b"inner key"):
            self.assertEqual(scheme.verify(make_request(headers={"X-Sig": hexed(key)}), [secret]), 0)
        self.assertEqual(scheme.verify(make_request(headers={"X-Sig": hexed(b"no base64!")}), ["no base64!"]), 0)

    def test_never_makes_an_empty_key_of_a_prefix(self) -> None:
        scheme = Hmac(headers=("X-Sig",), key_form="text_or_whsec")

        self.refused(scheme, make_request(headers={"X-Sig": hexed(b"")}), "whsec_")
        self.assertEqual(scheme.verify(make_request(headers={"X-Sig": hexed(b"whsec_")}), ["whsec_"]), 0)


class PlainHashTests(SchemeTestCase):
    def test_has_the_secret_first(self) -> None:
        scheme = Hmac(headers=("X-Sig",), secret_first=True)
        digest = hashlib.sha256(SECRET.encode() + b"{}").hexdigest()

        self.assertEqual(scheme.verify(make_request(headers={"X-Sig": digest}), [SECRET]), 0)
        self.refused(scheme, make_request(headers={"X-Sig": hexed(SECRET.encode())}))
        self.refused(Hmac(headers=("X-Sig",)), make_request(headers={"X-Sig": digest}))


class UnpaddedTests(SchemeTestCase):
    def test_has_one_spelling(self) -> None:
        digest = hashlib.sha256(b"\xff").digest()
        text = encode_digest(digest, "base64url_unpadded")

        self.assertEqual(text, base64.urlsafe_b64encode(digest).decode().rstrip("="))
        self.assertEqual(decode_digest(text, "base64url_unpadded", 32), digest)
        for other in (f"{text}=", f"{text}==", text[:-1], text.replace("-", "+").replace("_", "/") + "="):
            self.assertIsNone(decode_digest(other, "base64url_unpadded", 32))


class RequiredHeaderTests(SchemeTestCase):
    scheme = Hmac(headers=("X-Sig",), required=(("X-Version", "1"),))

    def test_is_sent_and_has_to_say_exactly_this(self) -> None:
        signed = self.scheme.sign(make_request(), SECRET, now=NOW)

        self.assertEqual(signed.headers["X-Version"], "1")
        self.assertEqual(self.scheme.verify(signed, [SECRET]), 0)
        unversioned = make_request(headers={"X-Sig": signed.headers["X-Sig"]})
        self.assertEqual(self.refused(self.scheme, unversioned), "signed_otherwise")

    def test_is_looked_at_only_beside_a_signature(self) -> None:
        self.assertEqual(self.refused(self.scheme, make_request()), "signature_missing")


class SignatureInBodyTests(SchemeTestCase):
    """As Mailgun does: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"""

    scheme = Hmac(
        signature_path="signature.signature",
        template="{timestamp}{value:signature.token}",
        timestamp=Timestamp(path="signature.timestamp", tolerance_seconds=900),
        partial=True,
    )

    def body(self, token: str = "tok", at: str = AT, digest: str = "") -> bytes:
        digest = digest or hexed(SECRET.encode(), f"{at}{token}".encode())
        return json.dumps({"signature": {"timestamp": at, "token": token, "signature": digest}, "e": 1}).encode()

    def test_is_accepted(self) -> None:
        self.assertEqual(self.scheme.verify(make_request(self.body()), [SECRET]), 0)

    def test_is_accepted_from_a_form(self) -> None:
        scheme = replace(
            self.scheme,
            signature_path="signature",
            template="{timestamp}{value:token}",
            timestamp=Timestamp(path="timestamp"),
        )
        form = urlencode({"timestamp": AT, "token": "tok", "signature": hexed(SECRET.encode(), f"{AT}tok".encode())})

        self.assertEqual(scheme.verify(make_request(form.encode(), content_type=FORM), [SECRET]), 0)

    def test_says_that_the_body_is_not_covered(self) -> None:
        self.assertFalse(self.scheme.covers_body)
        self.assertEqual(self.scheme.proof_headers, frozenset())

    def test_names_the_exact_reason(self) -> None:
        late = make_request(self.body(), received_at=NOW + timedelta(seconds=901))
        for request, reason in (
            (make_request(b"{}"), "signature_missing"),
            (make_request(b"~"), "signature_missing"),
            (make_request(b"[1]"), "signature_missing"),
            (make_request(b'{"signature":{"signature":"ab"}}'), "timestamp_missing"),
            (make_request(self.body(at="soon")), "timestamp_unreadable"),
            (make_request(self.body(digest="ab")), "signature_undecodable"),
            (make_request(self.body(token="")), "signed_value_missing"),
            (make_request(self.body(digest="0" * 64)), "signature_mismatch"),
            (late, "timestamp_stale"),
        ):
            with self.subTest(reason=reason):
                self.assertEqual(self.refused(self.scheme, request), reason)

    def test_is_written_into_an_example(self) -> None:
        for body, content_type in ((b'{"signature":{"token":"t"},"e":1}', "application/json"),):
            signed = self.scheme.sign(make_request(body, content_type=content_type), SECRET, now=NOW)
            self.assertEqual(self.scheme.verify(signed, [SECRET]), 0)

    def test_has_to_be_admitted_to_be_partial(self) -> None:
        with self.assertRaisesRegex(ValueError, "body"):
            replace(self.scheme, partial=False)

    def test_stands_in_one_place(self) -> None:
        with self.assertRaises(ValueError):
            Hmac(headers=("X-Sig",), signature_path="signature")
        with self.assertRaises(ValueError):
            Hmac()
        for path in ("a..b", "", "a.", "a b", "a[0]"):
            with self.assertRaises(ValueError):
                Hmac(signature_path=path)
            with self.assertRaises(ValueError):
                Hmac(headers=("X-Sig",), template=f"{{body}}{{value:{path}}}")


class TimestampInBodyTests(SchemeTestCase):
    scheme = Hmac(headers=("X-Sig",), timestamp=Timestamp(path="meta.sent", unit="ms", tolerance_seconds=60))

    def test_is_brought_up_to_now_in_an_example(self) -> None:
        signed = self.scheme.sign(make_request(b'{"meta":{"sent":1,"a":"\xc3\xbc"}}'), SECRET, now=NOW)

        self.assertEqual(json.loads(signed.body), {"meta": {"sent": int(AT) * 1000, "a": "ü"}})
        self.assertEqual(self.scheme.verify(signed, [SECRET]), 0)

    def test_is_read_only_after_the_proof(self) -> None:
        for body in (b"~", b"[" * 100_000, b'{"meta":{"sent":"soon"}}'):
            self.assertEqual(
                self.refused(self.scheme, make_request(body, headers={"X-Sig": "0" * 64})), "signature_mismatch"
            )

    def test_may_be_less_far_ahead_than_behind(self) -> None:
        stamp = Timestamp(headers=("X-Time",), tolerance_seconds=600, future_seconds=5)
        scheme = Hmac(headers=("X-Sig",), template="{timestamp}{body}", timestamp=stamp)
        for ahead, refused in ((5, False), (6, True)):
            signed = scheme.sign(make_request(), SECRET, now=NOW + timedelta(seconds=ahead))
            if refused:
                self.assertEqual(self.refused(scheme, signed), "timestamp_in_future")
            else:
                self.assertEqual(scheme.verify(signed, [SECRET]), 0)


class BodyValueTests(SchemeTestCase):
    def test_is_a_text_or_a_whole_number(self) -> None:
        body = b'{"a":{"b":"text","n":7,"f":1.5,"t":true,"x":null,"l":[1]}}'
        found = {name: body_value(make_request(body), f"a.{name}") for name in "bnftxlz"}

        self.assertEqual(found, {"b": "text", "n": "7", "f": "", "t": "", "x": "", "l": "", "z": ""})

    def test_is_found_in_a_forms_json(self) -> None:
        form = make_request(urlencode({"json": '{"event":{"id":"e1"}}', "plain": "p"}).encode(), content_type=FORM)

        self.assertEqual(body_value(form, "json.event.id"), "e1")
        self.assertEqual(body_value(form, "plain"), "p")
        self.assertEqual(body_value(form, "plain.more"), "")
        written = with_body_value(with_body_value(form, "json.event.id", "e2"), "plain", 5)
        self.assertEqual((body_value(written, "json.event.id"), body_value(written, "plain")), ("e2", "5"))

    def test_leaves_a_body_as_it_is_that_has_it_already(self) -> None:
        request = make_request(b'{ "a" : 1 }')

        self.assertIs(with_body_value(request, "a", 1), request)
        with self.assertRaises(ValueError):
            with_body_value(make_request(b"[]"), "a", 1)
