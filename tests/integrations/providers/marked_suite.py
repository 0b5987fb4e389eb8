"""The security suite for presets whose proof stands in a form, or in every item of a batch."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from integrations.contracts import InboundRequest
from integrations.providers import providers
from integrations.providers.braintree import KeyPairs
from integrations.routing import search
from integrations.verification.signature import SignatureScheme
from tests.integrations.providers.security_suite import ProvenPresetSuite


class MarkedProofSuite(ProvenPresetSuite):
    """The proof is what ``facts.proof_pattern`` finds in the body; of the body it covers what the facts say."""

    __test__ = False

    def proof_of(self, request: InboundRequest) -> str:
        found = re.search(self.facts.proof_pattern, request.body.decode())
        assert found is not None
        return found[1]

    def with_proof(self, proof: str) -> InboundRequest:
        text = self.signed.body.decode()
        return replace(self.signed, body=text.replace(self.proof(), self.facts.proof_escape(proof), 1).encode())

    def without_proof(self) -> InboundRequest:
        return replace(self.signed, body=re.sub(self.facts.proof_pattern, "", self.signed.body.decode()).encode())

    def with_signatures(self, wrong: int) -> InboundRequest:
        """Return the signed request with ``wrong`` well-formed signatures before the right one."""
        assert isinstance(self.scheme, SignatureScheme)
        layout = self.scheme.layout
        between = f"&{layout.public_key}|" if isinstance(layout, KeyPairs) else ","
        return self.with_proof(between.join([self.proof_of(self.by_the_other())] * wrong + [self.proof()]))

    def test_covers_the_body_as_documented(self) -> None:
        self.assertTrue(self.facts.covered)
        for changes, is_covered in ((self.facts.covered, True), (self.facts.not_covered, False)):
            for old, new in changes:
                changed = replace(self.signed, body=self.signed.body.decode().replace(old, new, 1).encode())
                with self.subTest(old=old, new=new):
                    self.assertNotEqual(changed.body, self.signed.body)
                    if is_covered:
                        self.refused(changed)
                    else:
                        self.assertEqual(self.scheme.verify(changed, [self.secret]), 0)

    def test_refuses_a_body_that_cannot_hold_the_proof(self) -> None:
        for body in (b"", b"[]", b"null", b"5", b'"text"', b"{", b"\xff\x00", b"{}", b"a=1&b=2", b"json=%7B"):
            with self.subTest(body=body):
                self.assertIn(
                    self.refused(replace(self.signed, body=body)).reason, {"signature_missing", "body_not_signed"}
                )

    def test_signs_without_changing_the_body(self) -> None:
        """Of the body, only the proof."""
        preset, plain = providers[self.facts.provider], self.facts.request()

        self.assertEqual(
            preset.decode(self.signed.content_type, self.without_proof().body),
            preset.decode(plain.content_type, plain.body),
        )

    def test_names_what_carries_the_proof_so_that_it_can_be_hidden(self) -> None:
        preset = providers[self.facts.provider]
        payload = preset.decode(self.signed.content_type, self.signed.body)
        self.assertTrue(preset.sensitive_fields)  # so that the body is stored encrypted
        if self.proof() in json.dumps(payload):
            found = [search(expression, payload) for expression in preset.sensitive_fields]
            self.assertIn(self.proof(), json.dumps(found))
