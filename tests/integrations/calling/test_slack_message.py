"""`slack.message` by a connection, to a server on loopback that answers as Slack documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.connectors.answers import AnswerNotSuccessful
from integrations.errors import ConnectionMissing, GiveUp, RetryLater
from integrations.handlers import handlers
from integrations.handlers.slack import preview
from integrations.models import Connection
from integrations.validation import validate_handler_config
from tests.integrations.calling.running import run_over
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


class SlackWebhookTests(CallingTestCase):
    SECRET = "services/T000/B000/xyzzyXYZZY"

    def send(self, **config: Any) -> None:
        if not Connection.objects.exists():
            values = {"kind": "slack_webhook", "auth": "address"}
            url = f"{self.system.url}/{self.SECRET}"
            self.system.connection("slack", credentials={"url": url}, **values).full_clean()
        text = {"connection": "slack", "text": "{{ payload.name }} paid"}
        run_over(self, "slack.message", {**text, **config}, event=event_of({"name": "Ann"}))

    def test_is_posted_to_the_secret_address_which_nothing_that_is_kept_repeats(self) -> None:
        self.system.answers(200, b"ok " + self.SECRET.encode())
        self.send()

        (sent,) = self.system.requests
        self.assertEqual((sent.method, sent.path, sent.json), ("POST", f"/{self.SECRET}", {"text": "Ann paid"}))
        self.assertNotIn("xyzzy", str(self.kept))

    def test_gives_up_on_what_slack_refuses(self) -> None:
        for status, body, said in ((404, b"no_service", "no_service"), (403, b"<b>Not you</b>", "refuses it: 403")):
            with self.subTest(status), self.assertRaisesMessage(GiveUp, said):
                self.system.answers(status, body)
                self.send()

    def test_fails_when_slack_is_unwell(self) -> None:
        self.system.answers(500, b"rollup_error")
        with self.assertRaisesMessage(AnswerNotSuccessful, "answered 500") as caught:
            self.send()
        self.assertNotIn("xyzzy", str(caught.exception))

    def test_has_its_channel_and_a_bot_has_none(self) -> None:
        with self.assertRaisesMessage(GiveUp, "channel: the connection is a webhook"):
            self.send(channel="C1")
        Connection.objects.update(kind="http", auth="bearer", credentials={"token": "t"})
        with self.assertRaisesMessage(GiveUp, "channel: it is missing"):
            self.send()
        self.assertEqual(self.system.requests, [])

    def test_is_one_address_of_the_connections_own_host(self) -> None:
        for values, said in (
            ({"credentials": {"url": "https://elsewhere.example/services/T/B/x"}}, "url has to be"),
            ({"credentials": {"url": "no address"}}, "url has to be"),
            ({"credentials": {}}, "url is missing"),
            ({"auth": "none", "credentials": {}}, "Slack incoming webhook takes address"),
        ):
            row = Connection(
                **{"name": "s", "kind": "slack_webhook", "base_url": "https://h.example", "auth": "address", **values}
            )
            with self.subTest(values), self.assertRaisesMessage(ValidationError, said) as caught:
                row.full_clean()
            self.assertNotIn("elsewhere", str(caught.exception))
        client = self.client_of(
            Connection.objects.create(
                name="s",
                kind="slack_webhook",
                base_url=self.system.url,
                auth="address",
                credentials={"url": "http://x"},
            )
        )
        with self.assertRaisesMessage(ConnectionMissing, "one address, and no paths"):
            client.get("elsewhere")


class SlackPreviewTests(SimpleTestCase):
    def test_gives_up_on_an_empty_channel_or_a_text_that_is_too_long(self) -> None:
        for config, said in (({"channel": "{{ payload.x }}"}, "channel"), ({"text": "{{ payload.long }}"}, "40,000")):
            with self.subTest(said), self.assertRaisesMessage(GiveUp, said):
                preview(event_of({"long": "x" * 40_001}), {**CONFIG, **config})
