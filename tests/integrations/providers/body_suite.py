"""The security suite for presets whose proof is a value in a JSON body."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from integrations.contracts import InboundRequest
from integrations.providers import providers
from integrations.routing import search
from integrations.verification import Hmac
from tests.integrations.providers.security_suite import ProvenPresetSuite
from tests.integrations.requests import NOW


class ProofInBodySuite(ProvenPresetSuite):
    """As the facts say, the proof is at ``proof_path`` in the body, and covers no more than some values of it."""

    __test__ = False

    def proof_of(self, request: InboundRequest) -> str:
        value = json.loads(request.body)
        for name in self.facts.proof_path:
            value = value[name]
        return str(value)

    def with_proof(self, proof: str) -> InboundRequest:
        return self.changed(self.facts.proof_path, proof)

    def without_proof(self) -> InboundRequest:
        return self.changed(self.facts.proof_path, None)

    def with_signatures(self, wrong: int) -> InboundRequest:
        """Return the signed request with ``wrong`` well-formed signatures before the right one."""
        return self.with_proof(",".join([self.proof_of(self.by_the_other())] * wrong + [self.proof()]))

    def with_timestamp(self, text: str) -> InboundRequest:
        return self.changed(self.facts.timestamp_path, text)

    def changed(self, path: tuple[str | int, ...], value: Any) -> InboundRequest:
        """Return the signed request with ``value`` at ``path`` in its body; None takes away what is there."""
        payload = json.loads(self.signed.body)
        target = payload
        for name in path[:-1]:
            target = target[name]
        if value is None:
            del target[path[-1]]
        else:
            target[path[-1]] = value
        return replace(self.signed, body=json.dumps(payload).encode())

    def test_covers_the_body_as_documented(self) -> None:
        self.assertFalse(self.facts.covers_body)
        payload = {**json.loads(self.signed.body), "added": "by a stranger"}
        request = replace(self.signed, body=json.dumps(payload).encode())

        self.assertEqual(self.scheme.verify(request, [self.secret]), 0)

    def test_refuses_a_body_that_cannot_hold_the_proof(self) -> None:
        for body in (b"", b"[]", b"null", b"5", b'"text"', b"{", b"\xff\x00", b'{"value":{}}', b'{"signature":[]}'):
            with self.subTest(body=body):
                self.assertIn(
                    self.refused(replace(self.signed, body=body)).reason,
                    {"signature_missing", "token_missing", "timestamp_missing"},
                )

    def test_signs_without_changing_the_body(self) -> None:
        """Of the body, only what the proof is made of."""
        signed, plain = json.loads(self.signed.body), json.loads(self.facts.request().body)
        top = self.facts.proof_path[0]

        self.assertEqual({**signed, top: None}, {**plain, top: None})

    def test_names_what_carries_the_proof_so_that_it_can_be_hidden(self) -> None:
        payload = json.loads(self.signed.body)
        found = [search(expression, payload) for expression in providers[self.facts.provider].sensitive_fields]

        self.assertIn(json.dumps(self.proof()), json.dumps(found))

    def test_refuses_a_timestamp_made_younger(self) -> None:
        if self.facts.tolerance_seconds is None:
            self.assertIsNone(getattr(self.scheme, "timestamp", None))
            return
        assert isinstance(self.scheme, Hmac)
        assert self.scheme.timestamp is not None
        later = NOW + timedelta(days=1)
        request = replace(self.with_timestamp(self.scheme.timestamp.write(later)), received_at=later)

        self.assertEqual(self.refused(request).reason, "signature_mismatch")

    def test_proves_every_item_and_not_only_the_first(self) -> None:
        payload = json.loads(self.signed.body)
        if not isinstance(self.facts.proof_path[1], int):
            self.assertNotIn("value", payload)  # one event, one proof
            return
        for wrong in ("another", "", None, 5, ["a"]):
            items = copy.deepcopy(payload["value"])
            items[-1]["clientState"] = wrong
            request = replace(self.signed, body=json.dumps({"value": items}).encode())
            with self.subTest(wrong=wrong):
                self.assertIn(self.refused(request).reason, {"token_missing", "token_mismatch"})
