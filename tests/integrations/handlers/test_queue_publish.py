"""What `queue.publish` sends, whatever the broker."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations import tracing
from integrations.connectors.queues import Message
from integrations.errors import GiveUp
from integrations.handlers import handlers
from integrations.handlers.queue import message_of
from integrations.validation import validate_handler_config
from tests.integrations.handlers.contexts import event_of


def made(payload: Any, **config: Any) -> Message:
    changes = {"id": "evt_1", "endpoint": "shop", "event_type": "order.paid", "content_type": "application/json"}
    event = event_of(payload, headers={"Authorization": "secret"}, body=b'{ "as": "it came" }', **changes)
    return message_of(event, config, delivery="dlv_1", message_id="msg_1")


class AMessage(SimpleTestCase):
    def test_is_the_body_as_it_came(self) -> None:
        self.assertEqual(made({}).body, b'{ "as": "it came" }')

    def test_is_made_of_what_the_paths_find(self) -> None:
        found = made({"order": {"id": 7, "name": "é"}}, body={"id": "order.id", "n": "order.name", "x": "none"})

        self.assertEqual(found.body, '{"id":7,"n":"é","x":null}'.encode())

    def test_says_where_it_comes_from_and_carries_no_header_of_the_request(self) -> None:
        wanted = {
            "hub-event-id": "evt_1",
            "hub-event-type": "order.paid",
            "hub-endpoint": "shop",
            "content-type": "application/json",
            "hub-delivery-id": "dlv_1",
            "hub-message-id": "msg_1",
        }
        self.assertEqual(made({}).headers, wanted)

    def test_belongs_to_the_trace_of_its_attempt(self) -> None:
        with mock.patch.object(tracing, "traceparent", return_value="00-abc-def-01"):
            self.assertEqual(made({}).headers["traceparent"], "00-abc-def-01")
            self.assertNotIn("traceparent", message_of(event_of({}), {}).headers)

    def test_has_the_key_that_the_path_finds_or_the_events_id(self) -> None:
        self.assertEqual(made({"id": 0}, key="id").key, "0")
        self.assertEqual(made({"id": 7}).key, "evt_1")

    def test_is_not_sent_without_the_key_that_was_asked_for(self) -> None:
        for value in (None, "", True, [], {"secret": 1}, "secret" * 200):
            with self.subTest(value=value), self.assertRaises(GiveUp) as raised:
                made({"id": value}, key="id")
            self.assertNotIn("secret", str(raised.exception))

    def test_is_shown_before_it_is_sent(self) -> None:
        preview = handlers["queue.publish"].preview
        assert preview is not None
        config = {"connection": "events", "queue": "orders", "body": {"id": "id"}, "key": "id"}

        shown = preview(event_of({"id": 7}), config)

        self.assertEqual((shown["queue"], shown["key"], shown["body"]), ("orders", "7", {"id": 7}))
        self.assertNotIn("hub-message-id", shown["headers"])

    def test_has_a_config_that_is_checked(self) -> None:
        for config, said in (
            ({"connection": "events"}, "queue is missing"),
            ({"connection": "events", "queue": "q", "key": "a["}, "key: "),
            ({"connection": "events", "queue": "q", "body": {"a": "b["}}, "body/a: "),
            ({"connection": "events", "queue": "q", "keep": 0}, "keep: "),
            ({"connection": "events", "queue": "q", "url": "redis://h"}, "there is no url here"),
        ):
            with self.subTest(config), self.assertRaisesMessage(ValidationError, said):
                validate_handler_config("queue.publish", config)
