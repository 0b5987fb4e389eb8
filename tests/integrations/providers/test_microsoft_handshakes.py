from __future__ import annotations

from typing import Any

from django.test import SimpleTestCase

from integrations.errors import MalformedPayload, VerificationFailed
from integrations.providers import Answer, Handshake, providers
from tests.integrations.requests import make_request, payload


def handshake(provider: str) -> Handshake:
    found = providers[provider].handshake
    assert found is not None
    return found


class MicrosoftGraphValidationTests(SimpleTestCase):
    def asked(self, query: str) -> Answer | None:
        url = f"https://hub.example.com/hooks/graph?{query}"
        return handshake("microsoft_graph").unsigned(make_request(b"", url=url, content_type="text/plain"), {})

    def test_echoes_the_decoded_token_as_text_that_no_browser_renders(self) -> None:
        answer = self.asked("validationToken=Validation%3a+Testing+client+application+reachability+Request-Id%3a+522a")

        self.assertEqual(
            answer,
            Answer(
                body=b"Validation: Testing client application reachability Request-Id: 522a",
                headers={"X-Content-Type-Options": "nosniff"},
            ),
        )

    def test_refuses_a_token_that_is_no_plain_text(self) -> None:
        for token in ("", "%3Cb%3E", "%00", "%C3%BC", "a" * 1025, "a%0d%0ab"):
            with self.subTest(token=token[:10]), self.assertRaises(VerificationFailed) as caught:
                self.asked(f"validationToken={token}")
            self.assertEqual(caught.exception.reason, "challenge_unreadable")

    def test_is_no_other_request(self) -> None:
        for query in ("", "validationtoken=x", "other=validationToken"):
            self.assertIsNone(self.asked(query))
        self.assertEqual(handshake("microsoft_graph").methods, frozenset())
        self.assertIsNone(handshake("microsoft_graph").signed(make_request(), {"value": []}, {}))


class AzureEventGridValidationTests(SimpleTestCase):
    def signed(self, body: Any) -> Answer | None:
        return handshake("azure_event_grid").signed(make_request(), body, {})

    def validation(self, code: Any) -> list[dict[str, Any]]:
        kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
        return [{"id": "2d1781af", "eventType": kind, "data": {"validationCode": code, "validationUrl": "https://x"}}]

    def test_returns_the_code_of_an_event_that_shows_the_token(self) -> None:
        answer = self.signed(self.validation("512d38b6-c7b8-40c8-89fe-f46f9e9622b6"))

        body = b'{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}'
        self.assertEqual(answer, Answer(body=body, content_type="application/json"))

    def test_returns_nothing_to_one_without_proof(self) -> None:
        self.assertIsNone(handshake("azure_event_grid").unsigned(make_request(payload("generic/order.json")), {}))

    def test_refuses_a_code_that_is_no_plain_text(self) -> None:
        for code in (None, 5, "", "a b", "ü", "a" * 257, ["a"]):
            with self.subTest(code=code), self.assertRaises(MalformedPayload):
                self.signed(self.validation(code))
        with self.assertRaises(MalformedPayload):
            self.signed([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent"}])

    def test_is_told_from_events(self) -> None:
        bodies: tuple[Any, ...] = ([], [5], {}, None, [{"eventType": "Microsoft.Storage.BlobCreated"}])
        for body in bodies:
            self.assertIsNone(self.signed(body))


class CloudEventsPermissionTests(SimpleTestCase):
    def asked(self, method: str = "OPTIONS", **headers: str) -> Answer | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return handshake("azure_event_grid").unsigned(make_request(b"", method=method, headers=named), {})

    def test_is_given_to_the_host_that_asks(self) -> None:
        answer = self.asked(WebHook_Request_Origin="eventgrid.azure.net")

        assert answer is not None
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(dict(answer.headers)["WebHook-Allowed-Origin"], "eventgrid.azure.net")
        self.assertNotIn("WebHook-Allowed-Rate", answer.headers)

    def test_names_a_rate_to_who_asks_for_one(self) -> None:
        answer = self.asked(WebHook_Request_Origin="eventgrid.azure.net", WebHook_Request_Rate="120")

        assert answer is not None
        self.assertEqual(answer.headers["WebHook-Allowed-Rate"], "*")

    def test_is_not_given_to_what_is_no_host(self) -> None:
        for origin in ("a\r\nSet-Cookie: x", "*", "<b>", "https://evil.example/", "a" * 254, "ü.example", ".", "a b"):
            with self.subTest(origin=origin[:12]), self.assertRaises(VerificationFailed):
                self.asked(WebHook_Request_Origin=origin)

    def test_is_asked_for_with_the_header(self) -> None:
        self.assertIsNone(self.asked())
        self.assertIsNone(self.asked("POST", WebHook_Request_Origin="eventgrid.azure.net"))
