"""The security suite for signed tokens: the same questions, asked of a header, claims and a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from integrations.contracts import InboundRequest
from integrations.verification.jwt import Jwt, SharedJwt
from integrations.verification.texts import with_headers
from tests.integrations.providers.security_suite import ProvenPresetSuite
from tests.integrations.requests import NOW


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(segment: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


class JwtPresetSuite(ProvenPresetSuite):
    scheme: Jwt
    __test__ = False

    def test_proves_nothing_without_a_usable_secret(self) -> None:
        for keys in ([], [""], ["   "], ["", "\t\n"]):
            with self.subTest(keys=keys):
                self.assertEqual(self.refused(self.signed, keys).reason, "no_live_secret")

    def test_refuses_unreadable_timestamps(self) -> None:
        for name in ("exp", "nbf", "iat"):
            for value in ("", "now", "1795341600", True, [], {}, 1e12, -1e12, 10**400):
                if name == "iat" and self.facts.tolerance_seconds is None and value in ([], ""):
                    continue
                with self.subTest(claim=name, value=str(value)[:12]):
                    self.assertIn(
                        self.refused(self.with_claims(**{name: value})).reason,
                        {"timestamp_unreadable", "claim_missing"},
                    )

    def test_refuses_a_timestamp_made_younger(self) -> None:
        later = NOW + timedelta(days=1)
        header, claims, signature = self.proof().split(".")
        moved = {name: int(later.timestamp()) + 60 for name in ("iat", "exp")}
        forged = encoded({**decoded(claims), **moved})
        request = replace(self.with_proof(f"{header}.{forged}.{signature}"), received_at=later)

        self.assertEqual(self.refused(request).reason, "signature_mismatch")

    def test_refuses_a_token_that_names_no_algorithm(self) -> None:
        _, claims, signature = self.proof().split(".")
        for name in ("none", "None", "NONE", "nOnE", "", None, 0, [], {"alg": "HS256"}):
            for last in (signature, encoded(b"\x00")):
                with self.subTest(alg=name):
                    forged = f"{encoded({'alg': name, 'typ': 'JWT'})}.{claims}.{last}"
                    self.assertIn(
                        self.refused(self.with_proof(forged)).reason, {"algorithm_unknown", "signature_undecodable"}
                    )
            self.refused(self.with_proof(f"{encoded({'alg': name})}.{claims}."))

    def test_refuses_critical_extensions_and_keys_that_the_token_brings_along(self) -> None:
        _, claims, signature = self.proof().split(".")
        algorithm = self.scheme.algorithms[0]
        for header in (
            {"alg": algorithm, "crit": ["exp"], "exp": 1},
            {"alg": algorithm, "crit": ["b64"], "b64": False},
            {"alg": algorithm, "jwk": {"kty": "oct", "k": "AAAA"}},
            {"alg": algorithm, "jku": "https://attacker.example/keys", "kid": "../../../dev/null"},
        ):
            with self.subTest(header=header):
                self.refused(self.with_proof(f"{encoded(header)}.{claims}.{signature}"))

    def test_refuses_a_token_without_a_required_claim(self) -> None:
        for name in self.scheme.required:
            for value in (None, ""):
                with self.subTest(claim=name):
                    self.assertIn(
                        self.refused(self.with_claims(**{name: value})).reason,
                        {"claim_missing", "timestamp_unreadable"},
                    )

    def test_refuses_another_issuer(self) -> None:
        if not self.scheme.issuers:
            self.assertNotIn("iss", decoded(self.proof().split(".")[1]))
            return
        for issuer in ("attacker", "", None, [self.scheme.issuers[0]]):
            with self.subTest(issuer=issuer):
                self.assertEqual(self.refused(self.with_claims(iss=issuer)).reason, "claim_mismatch")

    def test_refuses_a_body_hash_of_another_kind(self) -> None:
        if not self.scheme.body_claim:
            self.assertFalse(self.scheme.covers_body)
            return
        right = decoded(self.proof().split(".")[1])[self.scheme.body_claim]
        for wrong in (None, "", 0, [right], right[:-2], right.swapcase() + "=", right + "\n"):
            with self.subTest(hash=wrong):
                error = self.refused(self.with_claims(**{self.scheme.body_claim: wrong}))
                self.assertEqual(error.reason, "body_hash_mismatch")

    def with_claims(self, **changes: Any) -> InboundRequest:
        """Return the request with a token that the right key signed and that says something else."""
        scheme = self.scheme
        base = type(scheme)

        class Changed(base):  # type: ignore[misc, valid-type]
            def claims_for(self, request: InboundRequest, now: Any) -> dict[str, Any]:
                return {**super().claims_for(request, now), **changes}

        values = {name: getattr(scheme, name) for name in scheme.__dataclass_fields__}
        signed: InboundRequest = Changed(**values).sign(self.facts.request(), self.signing_key, now=NOW)
        return signed

    def by_other_algorithms(self) -> Iterator[InboundRequest]:
        """Yield tokens of the same secret under other algorithms, and, of a public key, as an HMAC's secret."""
        if isinstance(self.scheme, SharedJwt):
            for algorithm in sorted({"HS256", "HS384", "HS512"} - set(self.scheme.algorithms)):
                yield replace(self.scheme, algorithms=(algorithm,)).sign(
                    self.facts.request(), self.signing_key, now=NOW
                )
            return
        _, claims, _ = self.proof().split(".")
        for algorithm in ("HS256", self.scheme.algorithms[0]):
            content = f"{encoded({'alg': algorithm, 'kid': 'hub-test-events'})}.{claims}"
            for secret in (self.secret, self.secret.partition("\n")[2]):
                digest = hmac.new(secret.encode(), content.encode(), hashlib.sha256).digest()
                yield with_headers(
                    self.signed,
                    {self.scheme.header: f"{self.scheme.word} {content}.{encoded(digest)}".strip()},
                )
