"""What HMAC as data can say beyond today's presets, and its edges."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

from integrations.errors import VerificationFailed
from integrations.verification import Fields, Hmac, Plain, Timestamp, Versions
from integrations.verification.texts import with_headers
from tests.integrations.requests import NOW, make_request
from tests.integrations.verification.cases import SECRET, SchemeTestCase


class HmacTests(SchemeTestCase):
    def test_says_what_other_providers_need(self) -> None:
        """Rows of the providers' list that no preset covers yet, each as data alone."""
        schemes = {
            "Paddle": Hmac(
                headers=("Paddle-Signature",),
                layout=Fields(signature="h1", timestamp="ts", separator=";"),
                template="{timestamp}:{body}",
                timestamp=Timestamp(field="ts", tolerance_seconds=5),
            ),
            "Twitch": Hmac(
                headers=("Twitch-Eventsub-Message-Signature",),
                layout=Plain("sha256="),
                template="{id}{timestamp}{body}",
                id_headers=("Twitch-Eventsub-Message-Id",),
                timestamp=Timestamp(headers=("Twitch-Eventsub-Message-Timestamp",), unit="iso8601"),
            ),
            "Square": Hmac(headers=("x-square-hmacsha256-signature",), encoding="base64", template="{url}{body}"),
            "Airtable": Hmac(headers=("X-Airtable-Content-MAC",), layout=Plain("hmac-sha256="), key_form="base64"),
            "Onfleet": Hmac(headers=("X-Onfleet-Signature",), algorithm="sha512", key_form="hex"),
            "Sanity": Hmac(
                headers=("sanity-webhook-signature",),
                layout=Fields(signature="v1", timestamp="t"),
                encoding="base64url",
                template="{timestamp}.{body}",
                timestamp=Timestamp(field="t", unit="ms", tolerance_seconds=None),
            ),
            "HubSpot": Hmac(
                headers=("X-HubSpot-Signature-v3",),
                encoding="base64",
                template="{method}{url}{body}{timestamp}",
                timestamp=Timestamp(headers=("X-HubSpot-Request-Timestamp",), unit="ms", future=False),
            ),
            "PagerDuty": Hmac(headers=("X-PagerDuty-Signature",), layout=Fields(signature="v1")),
            "DocuSign": Hmac(headers=tuple(f"X-DocuSign-Signature-{n}" for n in range(1, 101)), encoding="base64"),
        }
        for name, scheme in schemes.items():
            with self.subTest(provider=name):
                key = "00ff17" if scheme.key_form == "hex" else "c2VjcmV0"
                signed = scheme.sign(make_request(b"{}"), key, now=NOW)
                self.assertEqual(scheme.verify(signed, [key]), 0)
                self.refused(scheme, replace(signed, body=b"[]"), key)

    def test_takes_a_signature_from_any_of_its_headers(self) -> None:
        scheme = Hmac(headers=("X-Sig-1", "X-Sig-2"))
        good = hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()
        wrong = hmac.new(b"other", b"{}", "sha256").hexdigest()

        self.assertEqual(scheme.verify(make_request(headers={"X-Sig-1": wrong, "x-sig-2": good}), [SECRET]), 0)

    def test_takes_headers_that_came_twice_and_were_joined(self) -> None:
        good = hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()
        wrong = hmac.new(b"other", b"{}", "sha256").hexdigest()
        for layout, template in (
            (Plain("sha256="), "sha256={},sha256={}"),
            (Plain("sha256="), "sha256={}, sha256={}"),
            (Plain("v1,"), "v1,{} v1,{}"),
            (Fields(signature="v1"), "v1={},v1={}"),
            (Fields(signature="h1", separator=";"), "h1={};h1=aa,h1={}"),
            (Versions("v1"), "v1,{},v1,{}"),
            (Versions("v1"), "v1,{}, v1,{}"),
        ):
            scheme = Hmac(headers=("X-Sig",), layout=layout)
            for first, second in ((good, wrong), (wrong, good)):
                text = template.format(first, second)
                with self.subTest(header=text[:12] + text[-3:]):
                    self.assertEqual(scheme.verify(make_request(headers={"X-Sig": text}), [SECRET]), 0)

    def test_refuses_a_good_signature_under_another_label(self) -> None:
        good = hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()
        for layout, text in (
            (Versions("v1"), f"v2,{good}"),
            (Versions("v1"), f"v1a,{good} v0,{good}"),
            (Versions("v1"), f"{good} v1"),
            (Fields(signature="v1"), f"v0={good},V1={good}"),
            (Plain("sha256="), f"sha1={good}"),
            (Plain("sha256="), good),
        ):
            request = make_request(headers={"X-Sig": text})
            with self.subTest(layout=layout, header=text[:6]):
                self.assertEqual(
                    self.refused(Hmac(headers=("X-Sig",), layout=layout), request), "signature_undecodable"
                )

    def test_refuses_a_digest_made_without_a_secret(self) -> None:
        forged = make_request(headers={"X-Sig": hmac.new(b"", b"{}", "sha256").hexdigest()})

        self.assertEqual(self.refused(Hmac(headers=("X-Sig",)), forged, "", " "), "no_live_secret")
        for key in ("", "whsec_", "v1,whsec_"):
            scheme = Hmac(headers=("X-Sig",), key_form="whsec")
            self.assertEqual(self.refused(scheme, forged, key), "no_live_secret")
        self.assertEqual(self.refused(Hmac(headers=("X-Sig",), key_form="hex"), forged, ""), "no_live_secret")

    def test_passes_over_secrets_that_it_cannot_use(self) -> None:
        scheme = Hmac(headers=("X-Sig",), key_form="whsec")
        signed = scheme.sign(make_request(), "whsec_c2VjcmV0", now=NOW)

        self.assertEqual(scheme.verify(signed, ["not base64!", "whsec_", "whsec_c2VjcmV0"]), 2)

    def test_uses_text_secrets_as_they_are(self) -> None:
        scheme = Hmac(headers=("X-Sig",))
        for secret in ("whsec_c2VjcmV0", "grün €", " inner  space "):
            expected = hmac.new(secret.encode(), b"{}", hashlib.sha256).hexdigest()
            self.assertEqual(scheme.sign(make_request(), secret, now=NOW).headers["X-Sig"], expected)

    def test_names_the_exact_reason(self) -> None:
        scheme = Hmac(
            headers=("X-Sig",),
            layout=Fields(signature="v1", timestamp="t"),
            template="{timestamp}.{id}.{header:X-Nonce}.{body}",
            id_headers=("X-Id",),
            timestamp=Timestamp(field="t"),
        )
        signed = scheme.sign(make_request(), SECRET, now=NOW)
        stamp = scheme.timestamp.write(NOW) if scheme.timestamp else ""
        without = {name: text for name, text in signed.headers.items() if name != "X-Nonce"}
        for request, reason in (
            (make_request(), "signature_missing"),
            (with_headers(signed, {"X-Sig": ""}), "signature_missing"),
            (with_headers(signed, {"X-Sig": f"t={stamp}"}), "signature_undecodable"),
            (with_headers(signed, {"X-Sig": f"t={stamp},v1=abc"}), "signature_undecodable"),
            (with_headers(signed, {"X-Sig": f"t={stamp},v1={'0' * 64}"}), "signature_mismatch"),
            (with_headers(signed, {"X-Sig": f"v1={'0' * 64}"}), "timestamp_missing"),
            (with_headers(signed, {"X-Sig": f"t=soon,v1={'0' * 64}"}), "timestamp_unreadable"),
            (with_headers(signed, {"X-Id": ""}), "signed_header_missing"),
            (make_request(headers=without), "signed_header_missing"),
            (replace(signed, received_at=NOW + timedelta(hours=1)), "timestamp_stale"),
            (replace(signed, received_at=NOW - timedelta(hours=1)), "timestamp_in_future"),
        ):
            with self.subTest(reason=reason):
                self.assertEqual(self.refused(scheme, request), reason)

    def test_says_what_it_expected(self) -> None:
        scheme = Hmac(headers=("X-Sig",), layout=Plain("sha256="), encoding="base64")
        with self.assertRaises(VerificationFailed) as caught:
            scheme.verify(make_request(headers={"X-Sig": "sha1=abc"}), [SECRET])

        self.assertEqual(caught.exception.detail["expected"], "sha256=<32 bytes as base64>")

    def test_calls_a_wrong_signature_wrong_before_it_looks_at_its_age(self) -> None:
        scheme = Hmac(headers=("X-Sig",), template="{timestamp}{body}", timestamp=Timestamp(headers=("X-Time",)))
        signed = scheme.sign(make_request(), SECRET, now=NOW - timedelta(days=3))

        self.assertEqual(self.refused(scheme, signed), "timestamp_stale")
        self.assertEqual(self.refused(scheme, signed, "another"), "signature_mismatch")

    def test_refuses_impossible_data_when_it_is_made(self) -> None:
        with self.assertRaises(ValueError):
            Hmac(headers=("X",), template="{timestamp}{body}")
        with self.assertRaises(ValueError):
            Hmac(headers=("X",), timestamp=Timestamp(headers=("X-Time",)))
        with self.assertRaises(ValueError):
            Hmac(headers=("X",), id_headers=("X-Id",))

    def test_covers_every_place_that_a_template_names(self) -> None:
        scheme = Hmac(headers=("X-Sig",), template="{method} {path} {url} {header:X-A} {body_sha256}\n")
        url = "https://hub.example.com/hooks/ü?a=b"
        signed = scheme.sign(make_request(b"{}", url=url, headers={"X-A": "ä"}), SECRET, now=NOW)
        digest = hashlib.sha256(b"{}").hexdigest()
        content = f"POST /hooks/ü {url} ä {digest}\n".encode("latin-1")

        self.assertEqual(signed.headers["X-Sig"], hmac.new(SECRET.encode(), content, "sha256").hexdigest())
        self.refused(scheme, replace(signed, method="PUT"))
        self.refused(scheme, with_headers(signed, {"X-A": "a"}))
