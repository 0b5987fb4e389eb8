"""The security suite for signatures under a certificate, in a header or in a field of the body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from integrations.contracts import InboundRequest
from integrations.verification.certificates import CertificateScheme
from integrations.verification.texts import with_headers
from tests.integrations.providers.security_suite import ProvenPresetSuite
from tests.integrations.providers.spellings import NASTY
from tests.integrations.requests import NOW


class CertificatePresetSuite(ProvenPresetSuite):
    scheme: CertificateScheme
    __test__ = False

    def test_proves_nothing_without_a_usable_secret(self) -> None:
        for keys in ([], [""], ["   "], ["", "\t\n"], [self.secret.partition("\n")[2]]):
            with self.subTest(keys=keys):
                self.assertEqual(self.refused(self.signed, keys).reason, "no_live_secret")

    def test_looks_for_no_certificate_at_an_address_that_is_not_the_providers(self) -> None:
        identity = self.secret.partition("\n")[0]

        class Forbidden:
            def get(self, url: str, *, again: bool = False) -> bytes:
                raise AssertionError(f"{url} was fetched")

        scheme: Any = replace(self.scheme, source=Forbidden())  # type: ignore[arg-type]
        for address in (
            "http://sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com.attacker.example/a.pem",
            "https://attacker.example/sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com@attacker.example/a.pem",
            "https://sns.us-east-1.amazonaws.com:8443/a.pem",
            "https://sns.us-east-1.amazonaws.com/a.pem?x=1",
            "https://sns.us-east-1.amazonaws.com/a.pem\n",
            "https://sns.us-east-1.amazonaws.com/../a.pem",
            "https://mybucket.s3.amazonaws.com/a.pem",
            "https://api.paypal.com.attacker.example/v1/notifications/certs/CERT-1",
            "https://attackerpaypal.com/v1/notifications/certs/CERT-1",
            "http://api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/../../../CERT-1",
            "https://127.0.0.1/v1/notifications/certs/CERT-1",
            "file:///etc/passwd",
        ):
            with self.subTest(address=address), self.assertRaises(Exception) as caught:
                scheme.verify(self.with_address(address), [identity])
            self.assertEqual(getattr(caught.exception, "reason", ""), "key_address_refused")

    def with_address(self, address: str) -> InboundRequest:
        return with_headers(self.signed, {"PAYPAL-Cert-Url": address})


class TopicPresetSuite(CertificatePresetSuite):
    """SNS: the proof is a field of the body, which is signed by its fields and not by its bytes."""

    __test__ = False

    def test_signs_without_changing_the_body(self) -> None:
        before, after = json.loads(self.facts.request().body), json.loads(self.signed.body)

        for name in ("Type", "MessageId", "Message", "Subject"):
            self.assertEqual(after[name], before[name])

    def test_covers_the_body_as_documented(self) -> None:
        for name in ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"):
            for value in ("changed", "", None, [], "Notification\nx"):
                with self.subTest(field=name, value=value):
                    self.refused(self.changed(**{name: value}))
        for body in (b"", b"{}", b"[]", b"\xff\x00", self.signed.body[:-1], b'"text"'):
            with self.subTest(body=body[-10:]):
                self.refused(replace(self.signed, body=body))

    def test_refuses_a_field_that_comes_twice(self) -> None:
        twice = self.signed.body.rstrip().removesuffix(b"}") + b', "Message": "Hello world!"}'

        self.refused(replace(self.signed, body=twice))

    def test_refuses_nonsense_for_the_whole_header(self) -> None:
        for nonsense in NASTY:
            with self.subTest(nonsense=nonsense[:10]):
                self.refused(replace(self.signed, body=nonsense.encode("utf-8", "surrogatepass")))

    def test_refuses_a_signature_version_that_it_does_not_know(self) -> None:
        for version in ("", "0", "3", "1 ", 1, 2, None):
            with self.subTest(version=version):
                self.assertEqual(self.refused(self.changed(SignatureVersion=version)).reason, "algorithm_unknown")

    def test_names_what_carries_the_proof_so_that_it_can_be_hidden(self) -> None:
        self.assertEqual(self.signed.headers, self.facts.request().headers)
        self.assertEqual(self.scheme.proof_headers, frozenset())

    def changed(self, **changes: Any) -> InboundRequest:
        message = {**json.loads(self.signed.body), **changes}
        return replace(self.signed, body=json.dumps(message).encode())

    def proof_of(self, request: InboundRequest) -> str:
        return str(json.loads(request.body)["Signature"])

    def with_proof(self, proof: str) -> InboundRequest:
        return self.changed(Signature=proof)

    def without_proof(self) -> InboundRequest:
        message = json.loads(self.signed.body)
        del message["Signature"]
        return replace(self.signed, body=json.dumps(message).encode())

    def with_address(self, address: str) -> InboundRequest:
        return self.changed(SigningCertURL=address)

    def by_other_algorithms(self) -> Iterator[InboundRequest]:
        yield self.changed(SignatureVersion="1")
        yield self.with_proof(self.proof_of(self.scheme.sign(self.facts.request(), self.other_signing_key, now=NOW)))
