"""The security suite that every preset inherits: what a stranger may try, and must not get away with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

from django.test import SimpleTestCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import MalformedPayload, VerificationFailed
from integrations.providers import providers
from integrations.verification import Basic, Ed25519, Fields, Hmac, Scheme, Token
from integrations.verification.base import MAX_KEYS
from integrations.verification.bodies import with_body_value
from integrations.verification.reasons import EXPLANATIONS
from integrations.verification.signature import MAX_SIGNATURES, SignatureScheme
from integrations.verification.texts import encode_digest, wire_bytes, with_headers
from tests.integrations.providers.facts import ANY_FUTURE, Facts
from tests.integrations.providers.spellings import NASTY, RESPELLINGS
from tests.integrations.requests import NOW, make_request


class ProvenPresetSuite(SimpleTestCase):
    """The suite for presets that prove something; `facts` says of which."""

    facts: Facts
    __test__ = False

    def setUp(self) -> None:
        self.scheme: Scheme = self.facts.scheme()
        self.secret, self.signing_key = self.facts.secret, self.facts.secret
        self.other_secret, self.other_signing_key = self.facts.other_secret, self.facts.other_secret
        if not self.scheme.symmetric:
            (self.secret, self.signing_key), (self.other_secret, self.other_signing_key) = self.key_pairs()
        self.signed = self.scheme.sign(self.facts.request(), self.signing_key, now=NOW)

    # -- what is right is accepted ------------------------------------------------------------------------------------

    def test_accepts_what_the_provider_signs(self) -> None:
        self.assertEqual(self.scheme.verify(self.signed, [self.secret]), 0)

    def test_finds_id_and_type(self) -> None:
        preset = providers[self.facts.provider]
        payload = preset.decode(self.signed.content_type, self.signed.body)

        described = preset.describe(self.signed, payload, self.facts.settings)

        self.assertEqual((described.event_id, described.event_type), (self.facts.event_id, self.facts.event_type))

    def test_accepts_a_signed_example_of_its_own(self) -> None:
        preset = providers[self.facts.provider]
        sample = preset.example("", "evt_1", self.facts.settings)
        request = make_request(sample.body, headers=sample.headers, content_type=sample.content_type)

        signed = self.scheme.sign(request, self.signing_key, now=NOW)

        self.assertEqual(self.scheme.verify(signed, [self.secret]), 0)

    def test_accepts_either_of_two_live_secrets_while_they_rotate(self) -> None:
        by_the_new = self.scheme.sign(self.facts.request(), self.other_signing_key, now=NOW)

        self.assertEqual(self.scheme.verify(self.signed, [self.other_secret, self.secret]), 1)
        self.assertEqual(self.scheme.verify(by_the_new, [self.other_secret, self.secret]), 0)

    def test_signs_without_changing_the_body(self) -> None:
        self.assertEqual(self.signed.body, self.facts.request().body)

    # -- secrets ------------------------------------------------------------------------------------------------------

    def test_refuses_another_secret(self) -> None:
        self.refused(self.signed, [self.other_secret])

    def test_refuses_a_secret_that_has_ended(self) -> None:
        by_the_ended = self.scheme.sign(self.facts.request(), self.other_signing_key, now=NOW)

        self.refused(by_the_ended, [self.secret])

    def test_proves_nothing_without_a_usable_secret(self) -> None:
        for keys in ([], [""], ["   "], ["", "\t\n"], ["whsec_"], ["whpk_"]):
            is_text = (isinstance(self.scheme, Hmac | Token) or self.facts.proof_path) and not self.decodes_keys()
            if is_text and keys in (["whsec_"], ["whpk_"]):
                continue  # a text like any other
            with self.subTest(keys=keys):
                self.assertEqual(self.refused(self.signed, keys).reason, "no_live_secret")

    def test_refuses_an_empty_secret_when_it_is_saved(self) -> None:
        for key in ("", " ", "\t\n"):
            with self.subTest(key=key), self.assertRaises(ValueError):
                self.scheme.check_key(key)

    def test_takes_its_own_secret_when_it_is_saved(self) -> None:
        self.scheme.check_key(self.secret)

    def test_tries_only_so_many_secrets(self) -> None:
        others = [self.other_secret] * MAX_KEYS

        self.assertEqual(self.scheme.verify(self.signed, [*others[1:], self.secret]), MAX_KEYS - 1)
        self.refused(self.signed, [*others, self.secret])

    # -- the proof ----------------------------------------------------------------------------------------------------

    def test_refuses_a_missing_proof(self) -> None:
        reason = self.refused(self.without_proof()).reason

        self.assertIn(reason, {"signature_missing", "token_missing"})

    def test_refuses_a_truncated_proof(self) -> None:
        good = self.proof()
        for cut in (good[:-1], good[:-4], good[: len(good) // 2], good[:1], "", good[1:]):
            if getattr(self.scheme, "encoding", "") == "base64url" and cut == good.rstrip("="):
                continue  # senders leave that padding out
            with self.subTest(cut=len(cut)):
                self.refused(self.with_proof(cut))

    def test_refuses_nonsense_for_a_proof(self) -> None:
        for nonsense in NASTY:
            with self.subTest(nonsense=nonsense[:10]):
                self.refused(self.with_proof(nonsense))

    def test_refuses_nonsense_for_the_whole_header(self) -> None:
        for name in self.scheme.proof_headers:
            for nonsense in NASTY:
                with self.subTest(header=name, nonsense=nonsense[:10]):
                    self.refused(with_headers(self.without_proof(), {name: nonsense}))

    def test_refuses_a_good_proof_spelled_anew(self) -> None:
        good = self.proof()
        for how, respell in RESPELLINGS.items():
            with self.subTest(how=how):
                self.assertNotEqual(respell(good), good)
                self.refused(self.with_proof(respell(good)))

    def test_refuses_another_algorithm(self) -> None:
        for forged in self.by_other_algorithms():
            with self.subTest(proof=self.proof_of(forged)[:12]):
                self.refused(forged)

    def test_bounds_fifty_signatures(self) -> None:
        if not isinstance(self.scheme, SignatureScheme):
            self.refused(self.with_proof(",".join([self.proof()] * 50)))
            return
        self.assertEqual(self.refused(self.with_signatures(50)).reason, "too_many_signatures")
        self.assertEqual(self.scheme.verify(self.with_signatures(MAX_SIGNATURES - 1), [self.secret]), 0)

    # -- what the proof covers ----------------------------------------------------------------------------------------

    def test_covers_the_body_as_documented(self) -> None:
        body = self.signed.body
        for changed in (body[:-1] + b"~", body + b" ", b"", b"\xff\x00", body.replace(b"1", b"2", 1)):
            request = replace(self.signed, body=changed)
            with self.subTest(body=changed[-10:]):
                if self.facts.covers_body:
                    self.refused(request)
                else:
                    self.assertEqual(self.scheme.verify(request, [self.secret]), 0)

    def test_covers_the_url_as_documented(self) -> None:
        elsewhere = replace(self.signed, url=self.signed.url.replace("/hooks/shop", "/hooks/other"))

        if self.facts.covers_url:
            self.refused(elsewhere)
        else:
            self.assertEqual(self.scheme.verify(elsewhere, [self.secret]), 0)

    def test_judges_the_age_as_documented(self) -> None:
        if self.facts.tolerance_seconds is None:
            self.assertEqual(self.scheme.verify(self.arriving(timedelta(days=365)), [self.secret]), 0)
            return
        tolerance = timedelta(seconds=self.facts.tolerance_seconds)
        moment = timedelta(seconds=1)
        self.assertEqual(self.scheme.verify(self.arriving(tolerance), [self.secret]), 0)
        stale = self.refused(self.arriving(tolerance + moment))
        self.assertEqual((stale.reason, stale.detail["stale_by_seconds"]), ("timestamp_stale", 1))
        if self.facts.future_seconds == ANY_FUTURE:
            self.assertEqual(self.scheme.verify(self.arriving(timedelta(days=-365)), [self.secret]), 0)
            return

        ahead = tolerance if self.facts.future_seconds is None else timedelta(seconds=self.facts.future_seconds)
        self.assertEqual(self.scheme.verify(self.arriving(-ahead), [self.secret]), 0)
        early = self.refused(self.arriving(-ahead - moment))

        self.assertEqual((early.reason, early.detail["ahead_by_seconds"]), ("timestamp_in_future", 1))

    def test_refuses_unreadable_timestamps(self) -> None:
        if self.facts.tolerance_seconds is None:
            self.assertIsNone(getattr(self.scheme, "timestamp", None))
            return
        for text in (
            "",
            "now",
            "-1",
            "+1",
            "1_000",
            "١٧٠٠٠٠٠٠٠٠",
            "１７",
            "nan",
            "1e9",
            " 1",
            "0x10",
            "9" * 5000,
            "1.5",
        ):
            with self.subTest(text=text[:12]):
                self.assertIn(
                    self.refused(self.with_timestamp(text)).reason,
                    {"timestamp_missing", "timestamp_unreadable"},
                )

    def test_refuses_a_timestamp_made_younger(self) -> None:
        if self.facts.tolerance_seconds is None:
            self.assertIsNone(getattr(self.scheme, "timestamp", None))
            return
        assert isinstance(self.scheme, SignatureScheme)
        assert self.scheme.timestamp is not None
        later = NOW + timedelta(days=1)
        request = replace(self.with_timestamp(self.scheme.timestamp.write(later)), received_at=later)
        if self.scheme.timestamp.path:
            younger = with_body_value(self.signed, self.scheme.timestamp.path, self.scheme.timestamp.write(later))
            request = replace(younger, received_at=later)

        self.assertEqual(self.refused(request).reason, "signature_mismatch")

    # -- what is said of it -------------------------------------------------------------------------------------------

    def test_never_names_a_credential_in_the_reason(self) -> None:
        for request in (self.signed, self.without_proof(), self.with_proof(self.proof()[:-1])):
            error = self.refused(request, [self.other_secret])
            said = f"{error} {error.reason} {error.detail}"
            for credential in (self.secret, self.other_secret, self.proof()):
                self.assertNotIn(credential, said)

    def test_names_what_carries_the_proof_so_that_it_can_be_hidden(self) -> None:
        added = {name.lower() for name in self.signed.headers} - {name.lower() for name in self.facts.request().headers}
        carriers = {name for name in added if self.proof() in self.signed.headers[name]}
        self.assertLessEqual(carriers, self.scheme.proof_headers)
        if not carriers:
            self.assertEqual(self.scheme.proof_parameters, {self.signed.query_string.partition("=")[0]})

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200), st.data())
    def test_never_raises_anything_else(self, body: bytes, data: st.DataObject) -> None:
        preset = providers[self.facts.provider]
        names = sorted({*self.signed.headers, *self.scheme.proof_headers})
        garbage = st.binary(max_size=120).map(lambda raw: raw.decode("latin-1"))
        garbled = data.draw(st.dictionaries(st.sampled_from(names), garbage))
        query_string = data.draw(garbage)
        request = replace(
            self.signed,
            body=body,
            headers=case_insensitive({**self.signed.headers, **garbled}),
            query_string=query_string,
            url=f"https://hub.example.com/hooks/shop?{query_string}",
        )

        try:
            self.scheme.verify(request, [self.secret])
        except VerificationFailed as error:
            self.assertIn(error.reason, EXPLANATIONS)
        try:
            payload = preset.decode(request.content_type, body)
            preset.describe(request, payload, self.facts.settings)
            preset.answer_to(payload, self.facts.settings)
            if preset.handshake:
                preset.handshake.unsigned(request, self.facts.settings)
                preset.handshake.signed(request, payload, self.facts.settings)
        except (MalformedPayload, VerificationFailed) as error:
            self.assertIn(error.reason, EXPLANATIONS)

    # -- helpers ------------------------------------------------------------------------------------------------------

    @classmethod
    @cache  # RSA keys take their time
    def key_pairs(cls) -> tuple[tuple[str, str], tuple[str, str]]:
        scheme = cls.facts.scheme()
        return scheme.new_pair(), scheme.new_pair()

    def refused(self, request: InboundRequest, keys: list[str] | None = None) -> VerificationFailed:
        with self.assertRaises(VerificationFailed) as caught:
            self.scheme.verify(request, [self.secret] if keys is None else keys)
        self.assertEqual(caught.exception.status_code, 401)
        self.assertIn(caught.exception.reason, EXPLANATIONS)
        return caught.exception

    def decodes_keys(self) -> bool:
        return isinstance(self.scheme, Hmac) and self.scheme.key_form in {"base64", "hex", "whsec"}

    def arriving(self, after: timedelta) -> InboundRequest:
        return replace(self.signed, received_at=NOW + after)

    def header(self) -> str:
        return next(
            iter(self.scheme.headers if isinstance(self.scheme, SignatureScheme) else self.scheme.proof_headers)
        )

    def proof(self) -> str:
        return self.proof_of(self.signed)

    def proof_of(self, request: InboundRequest) -> str:
        """Return the proof itself, without what stands around it."""
        if self.scheme.proof_parameters and isinstance(self.scheme, Token):
            return request.query_string.rpartition("=")[2]
        text = request.headers[self.header()]
        if isinstance(self.scheme, SignatureScheme):
            return self.scheme.layout.parse(text).signatures[0]
        return text.partition(" ")[2] if isinstance(self.scheme, Basic) or text.startswith("Bearer ") else text

    def with_proof(self, proof: str) -> InboundRequest:
        """Return the signed request with another text in place of its proof."""
        if self.scheme.proof_parameters and isinstance(self.scheme, Token):
            escaped = quote(wire_bytes(proof))
            return replace(self.signed, query_string=self.signed.query_string.replace(self.proof(), escaped))
        name = self.header()
        return with_headers(self.signed, {name: self.signed.headers[name].replace(self.proof(), proof)})

    def without_proof(self) -> InboundRequest:
        headers = {
            name: text for name, text in self.signed.headers.items() if name.lower() not in self.scheme.proof_headers
        }
        query_string = "" if isinstance(self.scheme, Token) else self.signed.query_string
        return replace(self.signed, headers=case_insensitive(headers), query_string=query_string)

    def with_signatures(self, wrong: int) -> InboundRequest:
        """Return the signed request with ``wrong`` well-formed signatures before the right one."""
        name, good = self.header(), self.signed.headers[self.header()]
        bad = good.replace(self.proof(), self.proof_of(self.by_the_other()))
        if isinstance(self.scheme, SignatureScheme) and isinstance(self.scheme.layout, Fields):
            bad = f"{self.scheme.layout.signature}={self.proof_of(self.by_the_other())}"
            return with_headers(self.signed, {name: ",".join([good, *[bad] * wrong])})
        return with_headers(self.signed, {name: ",".join([*[bad] * wrong, good])})

    def by_the_other(self) -> InboundRequest:
        return self.scheme.sign(self.facts.request(), self.other_signing_key, now=NOW)

    def with_timestamp(self, text: str) -> InboundRequest:
        assert isinstance(self.scheme, SignatureScheme)
        assert self.scheme.timestamp is not None
        if self.scheme.timestamp.path:
            # Signed anew: of a body that is signed whole, nothing is read before the proof.
            request = with_body_value(self.facts.request(), self.scheme.timestamp.path, text)
            digest = self.scheme.make(self.scheme.contents(request, text)[0], self.signing_key, request)
            written = self.scheme.layout.format(encode_digest(digest, self.scheme.encoding), text)
            return with_headers(request, {self.scheme.headers[0]: written})
        if self.scheme.timestamp.headers:
            return with_headers(self.signed, {self.scheme.timestamp.headers[0]: text})
        written = self.scheme.layout.format(self.proof(), text)
        return with_headers(self.signed, {self.scheme.headers[0]: written})

    def by_other_algorithms(self) -> Iterator[InboundRequest]:
        """Yield the request with proofs that the same secret makes in another way."""
        if isinstance(self.scheme, Hmac):
            for algorithm in {"sha1", "sha256", "sha512"} - {self.scheme.algorithm}:
                other: Any = replace(self.scheme, algorithm=algorithm)
                yield other.sign(self.facts.request(), self.signing_key, now=NOW)
            if self.scheme.secret_first:
                as_hmac: Any = replace(self.scheme, secret_first=False)
                yield as_hmac.sign(self.facts.request(), self.signing_key, now=NOW)
                return
            plain = hashlib.new(self.scheme.algorithm, self.secret.encode() + self.signed.body).hexdigest()
            yield self.with_proof(plain)
        elif isinstance(self.scheme, Ed25519):
            # The public key, which everyone may know, taken for the secret of an HMAC.
            confused = Hmac(
                headers=self.scheme.headers,
                layout=self.scheme.layout,
                encoding=self.scheme.encoding,
                template=self.scheme.template,
                timestamp=self.scheme.timestamp,
                id_headers=self.scheme.id_headers,
                algorithm="sha512",  # 64 bytes, as an Ed25519 signature has
            )
            yield confused.sign(self.facts.request(), self.secret, now=NOW)
        else:
            for algorithm in ("sha256", "sha512"):
                yield self.with_proof(hashlib.new(algorithm, self.secret.encode()).hexdigest())


class OpenPresetSuite(SimpleTestCase):
    """The suite for presets that prove nothing: they must not look as if they did."""

    facts: Facts
    __test__ = False

    def test_takes_any_request(self) -> None:
        self.assertEqual(self.facts.scheme().verify(self.facts.request(), []), -1)

    def test_refuses_secrets_which_would_protect_nothing(self) -> None:
        with self.assertRaises(ValueError):
            self.facts.scheme().check_key("a secret")

    def test_says_that_it_needs_no_secret(self) -> None:
        self.assertFalse(self.facts.scheme().needs_key)
