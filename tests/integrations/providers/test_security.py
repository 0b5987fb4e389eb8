"""Every registered preset goes through the security suite; one that nobody wrote facts for fails."""

from __future__ import annotations

from django.test import SimpleTestCase

from integrations.providers import providers
from integrations.verification.certificates import CertificateScheme, TopicSignature
from integrations.verification.jwt import Jwt
from tests.integrations.providers.body_suite import ProofInBodySuite
from tests.integrations.providers.certificate_suite import CertificatePresetSuite, TopicPresetSuite
from tests.integrations.providers.facts import ALL, Facts
from tests.integrations.providers.jwt_suite import JwtPresetSuite
from tests.integrations.providers.marked_suite import MarkedProofSuite
from tests.integrations.providers.security_suite import OpenPresetSuite, ProvenPresetSuite


def _suite_for(facts: Facts) -> type[ProvenPresetSuite]:
    scheme = facts.scheme()
    if isinstance(scheme, Jwt):
        return JwtPresetSuite
    if isinstance(scheme, CertificateScheme):
        return TopicPresetSuite if isinstance(scheme, TopicSignature) else CertificatePresetSuite
    if facts.proof_pattern:
        return MarkedProofSuite
    return ProofInBodySuite if facts.proof_path else ProvenPresetSuite


def _suite_of(facts: Facts) -> type[SimpleTestCase]:
    suite = OpenPresetSuite if facts.open else _suite_for(facts)
    return type(f"{facts.name}PresetTests", (suite,), {"facts": facts, "__test__": True, "__module__": __name__})


globals().update({suite.__name__: suite for suite in map(_suite_of, ALL)})


class EveryPresetTests(SimpleTestCase):
    def test_has_facts_for_the_security_suite(self) -> None:
        self.assertEqual({facts.provider for facts in ALL}, set(providers))

    def test_is_open_only_where_the_admin_warns(self) -> None:
        open_presets = {key for key in providers if not providers[key].scheme_for({}).needs_key}

        self.assertEqual(open_presets, {"generic_none", "internal"})

    def test_has_one_suite_for_each_set_of_facts(self) -> None:
        self.assertEqual(len({facts.name for facts in ALL}), len(ALL))

    def test_refuses_settings_that_it_does_not_know(self) -> None:
        for key in providers:
            with self.subTest(provider=key):
                self.assertIs(providers[key].settings_schema["additionalProperties"], False)

    def test_explains_its_settings_to_the_operator(self) -> None:
        for key in providers:
            for name, schema in providers[key].settings_schema["properties"].items():
                with self.subTest(provider=key, setting=name):
                    self.assertTrue(schema["title"])
                    self.assertTrue(schema["description"])

    def test_says_where_its_secret_is_found(self) -> None:
        for key in providers:
            if providers[key].scheme_for({}).needs_key:
                with self.subTest(provider=key):
                    self.assertTrue(providers[key].secret_help)
