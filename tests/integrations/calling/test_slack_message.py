"""`slack.message` by a connection, to a server on loopback that answers as Slack documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.test import SimpleTestCase

from integrations.errors import GiveUp, RetryLater
from integrations.handlers import handlers
from integrations.handlers.slack import preview
from integrations.validation import validate_handler_config
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.handlers.contexts import Kept, context_of, event_of

CONFIG = {"connection": "slack", "channel": "C1", "text": "*{{ payload.name }}* paid & <https://a.example|left>"}


class SlackMessageTests(CallingTestCase):
    def send(self) -> None:
        case, connection = self, self.system.connection("slack")

        class Named:
            def client(self, name: str, context: Any) -> Any:
                case.assertEqual(name, "slack")
                return case.client_of(connection)

            def async_client(self, name: str, context: Any) -> Any:
                raise AssertionError("not asked for")

        validate_handler_config("slack.message", CONFIG)
        context = replace(context_of(CONFIG, Kept()), connections=Named())
        handlers["slack.message"].run(event_of({"name": 'Ann "A" <!channel>'}), context)

    def test_is_posted_with_the_bots_token_and_takes_only_ok_for_an_answer(self) -> None:
        self.system.answers(200, b'{"ok": true, "ts": "1.2"}')
        self.send()

        (sent,) = self.system.requests
        self.assertEqual((sent.method, sent.path), ("POST", "/chat.postMessage"))
        self.assertEqual(sent.headers["Authorization"], "Bearer swordfish-token")
        text = '*Ann "A" &lt;!channel&gt;* paid & <https://a.example|left>'
        self.assertEqual(sent.json, {"channel": "C1", "text": text})

    def test_gives_up_on_what_slack_refuses(self) -> None:
        self.system.answers(200, b'{"ok": false, "error": "channel_not_found"}')
        with self.assertRaisesMessage(GiveUp, "channel_not_found"):
            self.send()

    def test_waits_when_slack_is_unwell(self) -> None:
        self.system.answers(200, b'{"ok": false, "error": "internal_error"}')
        with self.assertRaisesMessage(RetryLater, "internal_error"):
            self.send()


class SlackPreviewTests(SimpleTestCase):
    def test_gives_up_on_an_empty_channel_or_a_text_that_is_too_long(self) -> None:
        for config, said in (({"channel": "{{ payload.x }}"}, "channel"), ({"text": "{{ payload.long }}"}, "40,000")):
            with self.subTest(said), self.assertRaisesMessage(GiveUp, said):
                preview(event_of({"long": "x" * 40_001}), {**CONFIG, **config})
