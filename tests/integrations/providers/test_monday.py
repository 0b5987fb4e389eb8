from __future__ import annotations

from django.test import SimpleTestCase

from integrations.errors import MalformedPayload
from integrations.providers import providers
from tests.integrations.requests import make_request

HANDSHAKE = providers["monday"].handshake


class MondaysChallengeTests(SimpleTestCase):
    def test_is_answered_with_itself(self) -> None:
        assert HANDSHAKE
        body = b'{"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}'
        for answer in (
            HANDSHAKE.unsigned(make_request(body), {}),
            HANDSHAKE.signed(make_request(body), {"challenge": body[15:-2].decode()}, {}),
        ):
            assert answer
            self.assertEqual(answer.content_type, "application/json")
            self.assertEqual(answer.body, body.replace(b": ", b":"))

    def test_without_a_token_is_nothing_else(self) -> None:
        assert HANDSHAKE
        for body in (
            b"",
            b"{}",
            b"[]",
            b'{"challenge": 5}',
            b'{"challenge": ""}',
            b'{"challenge": "<script>"}',
            b'{"challenge": "' + b"x" * 257 + b'"}',
            b'{"challenge": "x", "event": {}}',
            b'{"challenge": "x"}' + b" " * 400,
            b"\xff",
        ):
            with self.subTest(body=body[:20]):
                self.assertIsNone(HANDSHAKE.unsigned(make_request(body), {}))

    def test_with_a_token_has_to_be_proven(self) -> None:
        assert HANDSHAKE
        request = make_request(b'{"challenge": "x"}', headers={"Authorization": "forged"})

        self.assertIsNone(HANDSHAKE.unsigned(request, {}))

    def test_that_cannot_be_echoed_is_malformed(self) -> None:
        assert HANDSHAKE
        with self.assertRaises(MalformedPayload):
            HANDSHAKE.signed(make_request(), {"challenge": "<script>"}, {})
        self.assertIsNone(HANDSHAKE.signed(make_request(), {"challenge": "x", "event": {}}, {}))
