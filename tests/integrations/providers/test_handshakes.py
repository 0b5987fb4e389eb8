from __future__ import annotations

import json
import os
from typing import Any
from unittest import mock

from django.test import SimpleTestCase

from integrations.errors import MalformedPayload, RequestRejected, VerificationFailed
from integrations.providers import Answer, Handshake, providers
from tests.integrations.requests import make_request, payload


def handshake(provider: str) -> Handshake:
    found = providers[provider].handshake
    assert found is not None
    return found


class SlackUrlVerificationTests(SimpleTestCase):
    def signed(self, body: Any) -> Answer | None:
        return handshake("slack").signed(make_request(), body, {})

    def test_echoes_the_challenge_as_text(self) -> None:
        answer = self.signed(json.loads(payload("slack/url_verification.json")))

        self.assertEqual(
            answer,
            Answer(
                status=200,
                body=b"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
                headers={"X-Content-Type-Options": "nosniff"},
            ),
        )

    def test_is_not_taken_for_an_event(self) -> None:
        for body in (json.loads(payload("slack/app_mention.json")), [], None, "url_verification", {"type": ["x"]}):
            self.assertIsNone(self.signed(body))

    def test_refuses_a_challenge_that_is_no_plain_text(self) -> None:
        for challenge in (None, "", 5, ["a"], "a b", "ü", "\ud800", "a" * 257, "a\n"):
            with self.subTest(challenge=challenge), self.assertRaises(MalformedPayload):
                self.signed({"type": "url_verification", "challenge": challenge})

    def test_is_never_answered_unsigned(self) -> None:
        request = make_request(payload("slack/url_verification.json"))

        self.assertIsNone(handshake("slack").unsigned(request, {}))
        self.assertEqual(handshake("slack").methods, frozenset())


class MetaVerificationTests(SimpleTestCase):
    url = "https://hub.example.com/hooks/wa?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=grün+tok%26en"
    settings = {"verify_token": "grün tok&en"}

    def unsigned(self, url: str, settings: dict[str, str], method: str = "GET") -> Answer | None:
        # A query string's bytes reach WSGI as latin-1.
        return handshake("meta").unsigned(
            make_request(b"", method=method, url=url.encode().decode("latin-1")), settings
        )

    def refused(self, url: str, settings: dict[str, str]) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            self.unsigned(url, settings)
        self.assertNotIn("grün", f"{caught.exception} {caught.exception.detail}")
        return caught.exception.reason

    def test_echoes_the_challenge_as_text_that_no_browser_renders(self) -> None:
        self.assertEqual(
            self.unsigned(self.url, self.settings),
            Answer(status=200, body=b"1158201444", headers={"X-Content-Type-Options": "nosniff"}),
        )

    def test_refuses_another_token(self) -> None:
        for token in ("", "grun", "gr%C3%BCn+tok%26en2", "%FF"):
            url = f"{self.url.rpartition('=')[0]}={token}"
            with self.subTest(token=token):
                self.assertEqual(self.refused(url, self.settings), "verify_token_mismatch")

    def test_refuses_all_while_no_token_is_set(self) -> None:
        for settings in ({}, {"verify_token": ""}, {"verify_token": " "}, {"verify_token": "env:HUB_SECRET_GONE"}):
            empty = f"{self.url.rpartition('=')[0]}={settings.get('verify_token', '')}"
            with self.subTest(settings=settings):
                self.assertEqual(self.refused(empty, settings), "verify_token_not_set")

    def test_refuses_a_challenge_that_is_no_plain_text(self) -> None:
        for challenge in ("", "<a%20b>", "%00", "%C3%BC", "a" * 257):
            with self.subTest(challenge=challenge):
                url = self.url.replace("1158201444", challenge)
                self.assertEqual(self.refused(url, self.settings), "challenge_unreadable")

    def test_leaves_other_requests_alone(self) -> None:
        self.assertIsNone(self.unsigned("https://hub.example.com/hooks/wa", self.settings))
        self.assertIsNone(self.unsigned(self.url.replace("subscribe", "unsubscribe"), self.settings))
        self.assertIsNone(self.unsigned(self.url, self.settings, method="POST"))
        self.assertIsNone(handshake("meta").signed(make_request(), {"object": "page"}, self.settings))

    def test_takes_the_token_that_a_reference_leads_to(self) -> None:
        settings = {"verify_token": "env:HUB_SECRET_VERIFY"}
        with mock.patch.dict(os.environ, {"HUB_SECRET_VERIFY": "grün tok&en"}):
            answer = self.unsigned(self.url, settings)

        self.assertEqual(answer.body if answer else None, b"1158201444")

    def test_hides_the_verify_token_in_stored_query_strings(self) -> None:
        self.assertIn("hub.verify_token", providers["meta"].scheme_for(self.settings).proof_parameters)


class DiscordPingTests(SimpleTestCase):
    def signed(self, body: Any, **settings: str) -> Answer | None:
        return handshake("discord").signed(make_request(), body, settings)

    def test_is_answered_in_kind_for_interactions(self) -> None:
        for settings in ({}, {"mode": "interactions"}):
            answer = self.signed({"type": 1, "id": "1"}, **settings)
            self.assertEqual(answer, Answer(status=200, body=b'{"type":1}', content_type="application/json"))

    def test_is_answered_with_nothing_for_events(self) -> None:
        answer = self.signed({"version": 1, "application_id": "1", "type": 0}, mode="events")

        self.assertEqual(answer, Answer(status=204, body=b""))

    def test_is_told_from_events_of_the_other_mode(self) -> None:
        self.assertIsNone(self.signed({"type": 0}))
        self.assertIsNone(self.signed({"type": 1}, mode="events"))

    def test_is_a_number_and_nothing_that_python_takes_for_one(self) -> None:
        for body in ({"type": True}, {"type": 1.0}, {"type": "1"}, {}, [1], None):
            self.assertIsNone(self.signed(body))
        self.assertIsNone(self.signed({"type": False}, mode="events"))


class HandshakeTests(SimpleTestCase):
    def test_answers_only_where_a_preset_has_one(self) -> None:
        for key in ("github", "gitlab", "stripe", "shopify", "twilio", "standard_webhooks", "generic_hmac"):
            self.assertIsNone(providers[key].handshake, key)

    def test_opens_no_method_but_the_one_it_answers(self) -> None:
        methods = {key: handshake(key).methods for key in ("slack", "meta", "discord")}

        self.assertEqual(methods, {"slack": frozenset(), "meta": frozenset({"GET"}), "discord": frozenset()})

    def test_refuses_in_a_way_that_every_caller_handles(self) -> None:
        self.assertTrue(issubclass(VerificationFailed, RequestRejected))
