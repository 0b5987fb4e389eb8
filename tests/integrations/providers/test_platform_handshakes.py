from __future__ import annotations

import base64
import hmac
import json
from typing import Any

from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.errors import MalformedPayload, VerificationFailed
from integrations.providers import Answer, Handshake, providers
from integrations.providers.handshakes import Computed
from integrations.verification.templates import FORM
from tests.integrations.requests import make_request, payload

SECRET = "the consumer secret"
URL = "https://hub.example.com/hooks/x"


def handshake(provider: str, *keys: str) -> Handshake:
    found = providers[provider].handshake
    assert found is not None
    if keys:
        assert isinstance(found, Computed)
        return found.with_keys(keys)
    return found


def asking(method: str, query: str = "", headers: dict[str, str] | None = None) -> InboundRequest:
    return make_request(b"", method=method, url=f"{URL}?{query}" if query else URL, headers=headers)


class XChallengeTests(SimpleTestCase):
    def test_is_answered_with_its_hmac(self) -> None:
        answer = handshake("x_twitter", SECRET, "older").unsigned(asking("GET", "crc_token=MGRlOGM4-_"), {})

        digest = hmac.new(SECRET.encode(), b"MGRlOGM4-_", "sha256").digest()
        assert answer is not None
        self.assertEqual((answer.status, answer.content_type), (200, "application/json"))
        self.assertEqual(
            json.loads(answer.body), {"response_token": "sha256=" + base64.b64encode(digest).decode("ascii")}
        )

    def test_is_refused_where_it_could_be_an_event(self) -> None:
        for token in ("%7B%7D", '{"a":1}', "[]", "a%20b", "%22a%22", "a.b", "%C3%BC", "a%0A", "a" * 201):
            with self.subTest(token=token), self.assertRaises(VerificationFailed) as caught:
                handshake("x_twitter", SECRET).unsigned(asking("GET", f"crc_token={token}"), {})
            self.assertEqual(caught.exception.reason, "challenge_unreadable")

    def test_signs_nothing_that_passes_as_an_event(self) -> None:
        """The form ``a=b`` and the JSON ``42`` are tokens too, and anybody can ask for their HMAC."""
        scheme = providers["x_twitter"].scheme_for({})
        for token, content_type in (("a=b", FORM), ("42", "application/json"), ("any-text", "text/plain")):
            answer = handshake("x_twitter", SECRET).unsigned(asking("GET", f"crc_token={token}"), {})
            assert answer is not None
            headers = {"X-Twitter-Webhooks-Signature": json.loads(answer.body)["response_token"]}
            request = make_request(token.encode(), headers=headers, content_type=content_type)
            with self.subTest(token=token), self.assertRaises(VerificationFailed) as caught:
                scheme.verify(request, [SECRET])
            self.assertEqual(caught.exception.reason, "body_not_signed")

    def test_is_nothing_without_token_method_or_secret(self) -> None:
        self.assertIsNone(handshake("x_twitter", SECRET).unsigned(asking("GET", "crc_token="), {}))
        self.assertIsNone(handshake("x_twitter", SECRET).unsigned(asking("GET"), {}))
        self.assertIsNone(handshake("x_twitter", SECRET).unsigned(asking("POST", "crc_token=abc"), {}))
        self.assertIsNone(handshake("x_twitter").unsigned(asking("GET", "crc_token=abc"), {}))


class ZoomValidationTests(SimpleTestCase):
    def signed(self, body: Any, *keys: str) -> Answer | None:
        return handshake("zoom", *(keys or (SECRET,))).signed(make_request(), body, {})

    def test_is_answered_with_the_tokens_hmac(self) -> None:
        answer = self.signed(json.loads(payload("zoom/url_validation.json")))

        token = "qgg8vlvZRS6UYooatFL8Aw"
        encrypted = hmac.new(SECRET.encode(), token.encode(), "sha256").hexdigest()
        assert answer is not None
        self.assertEqual(json.loads(answer.body), {"plainToken": token, "encryptedToken": encrypted})

    def test_is_never_answered_unsigned(self) -> None:
        request = make_request(payload("zoom/url_validation.json"))

        self.assertIsNone(handshake("zoom", SECRET).unsigned(request, {}))
        self.assertEqual(handshake("zoom").methods, frozenset())

    def test_refuses_a_token_that_could_be_signed_content(self) -> None:
        for token in (None, "", 5, "v0:1700000000:{}", "a b", "a.b", "ü", "a\n", "a" * 101, ["a"], {}):
            body = {"event": "endpoint.url_validation", "payload": {"plainToken": token}}
            with self.subTest(token=token), self.assertRaises(MalformedPayload):
                self.signed(body)
        for inner in (None, [], "text"):
            with self.subTest(payload=inner), self.assertRaises(MalformedPayload):
                self.signed({"event": "endpoint.url_validation", "payload": inner})

    def test_is_told_from_events(self) -> None:
        for body in ({"event": "meeting.started", "payload": {"plainToken": "a"}}, [], None, {"event": ["x"]}):
            self.assertIsNone(self.signed(body))

    def test_hides_its_keys(self) -> None:
        self.assertNotIn(SECRET, repr(handshake("zoom", SECRET)))


class TwitchChallengeTests(SimpleTestCase):
    def signed(self, body: Any, kind: str = "webhook_callback_verification") -> Answer | None:
        return handshake("twitch").signed(make_request(headers={"Twitch-Eventsub-Message-Type": kind}), body, {})

    def test_is_echoed_as_bare_text(self) -> None:
        self.assertEqual(
            self.signed(json.loads(payload("twitch/challenge.json"))),
            Answer(body=b"pogchamp-kappa-360noscope-vohiyo", headers={"X-Content-Type-Options": "nosniff"}),
        )

    def test_is_told_from_notifications_and_revocations(self) -> None:
        for kind in ("notification", "revocation", ""):
            self.assertIsNone(self.signed({"challenge": "abc"}, kind))

    def test_refuses_a_challenge_that_is_no_plain_text(self) -> None:
        for body in ({}, [], None, {"challenge": ""}, {"challenge": 5}, {"challenge": "<a b>"}, {"challenge": "ü"}):
            with self.subTest(body=body), self.assertRaises(MalformedPayload):
                self.signed(body)

    def test_is_never_answered_unsigned(self) -> None:
        self.assertIsNone(handshake("twitch").unsigned(make_request(payload("twitch/challenge.json")), {}))


class OktaChallengeTests(SimpleTestCase):
    def unsigned(self, challenge: str, method: str = "GET") -> Answer | None:
        return handshake("okta").unsigned(asking(method, headers={"X-Okta-Verification-Challenge": challenge}), {})

    def test_goes_from_the_header_into_json(self) -> None:
        answer = self.unsigned("a-challenge-TEXT_1")

        assert answer is not None
        self.assertEqual(json.loads(answer.body), {"verification": "a-challenge-TEXT_1"})
        self.assertEqual(answer.content_type, "application/json")

    def test_is_refused_where_it_is_no_plain_text(self) -> None:
        for challenge in ("a b", "ü", "a\x00", "a" * 257):
            with self.subTest(challenge=challenge), self.assertRaises(VerificationFailed):
                self.unsigned(challenge)

    def test_is_a_get_with_a_challenge(self) -> None:
        self.assertIsNone(self.unsigned(""))
        self.assertIsNone(self.unsigned("abc", "POST"))
        self.assertIsNone(handshake("okta").signed(make_request(), {"data": {}}, {}))


class BareHandshakeTests(SimpleTestCase):
    def test_is_an_empty_answer_to_head_alone(self) -> None:
        for provider in ("trello", "intercom"):
            with self.subTest(provider=provider):
                self.assertEqual(handshake(provider).unsigned(asking("HEAD"), {}), Answer())
                self.assertIsNone(handshake(provider).unsigned(asking("GET"), {}))
                self.assertIsNone(handshake(provider).unsigned(make_request(), {}))
                self.assertIsNone(handshake(provider).signed(make_request(), {}, {}))
                self.assertEqual(handshake(provider).methods, frozenset({"HEAD"}))

    def test_is_an_empty_list_of_events_from_line(self) -> None:
        signed = handshake("line").signed

        self.assertEqual(signed(make_request(), {"destination": "x", "events": []}, {}), Answer())
        bodies: list[Any] = [{"events": [{}]}, {"events": {}}, {"events": None}, {}, [], None]
        for body in bodies:
            self.assertIsNone(signed(make_request(), body, {}))
        self.assertIsNone(handshake("line").unsigned(make_request(b'{"events":[]}'), {}))
