"""`hub.emit`: an event made of an event."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.errors import GiveUp
from integrations.handlers import handlers
from integrations.validation import validate_handler_config
from tests.integrations.handlers.contexts import Kept, context_of, event_of

ORDER = {"order": {"id": 7, "status": "paid"}, "note": "x"}


class HubEmitTests(SimpleTestCase):
    def emitted(self, config: dict[str, str], payload: object = ORDER) -> tuple[str, object, str]:
        validate_handler_config("hub.emit", config)
        journal = Kept()
        handlers["hub.emit"].run(event_of(payload), context_of(config, journal))
        (only,) = journal.emitted
        return only

    def test_makes_type_and_payload_by_values(self) -> None:
        config = {"endpoint": "orders", "event_type": "order.{{ payload.order.status }}", "payload": "{id: order.id}"}

        self.assertEqual(self.emitted(config), ("order.paid", {"id": 7}, "orders"))

    def test_keeps_the_payload_and_the_endpoint_where_none_is_said(self) -> None:
        self.assertEqual(self.emitted({"event_type": "again"}), ("again", ORDER, ""))

    def test_gives_up_where_the_type_comes_out_empty_or_too_long(self) -> None:
        for payload in ({}, {"kind": "x" * 256}):
            with self.subTest(payload), self.assertRaisesMessage(GiveUp, "event_type: it makes"):
                self.emitted({"event_type": "{{ payload.kind }}"}, payload)

    def test_previews_what_it_would_make_and_makes_nothing(self) -> None:
        preview = handlers["hub.emit"].preview
        assert preview is not None

        self.assertEqual(
            preview(event_of(ORDER), {"event_type": "x", "payload": "order.id"}),
            {"endpoint": "github", "event_type": "x", "payload": 7},
        )

    def test_refuses_a_config_whose_values_are_wrong_and_says_where(self) -> None:
        for config, said in (
            ({"event_type": "a {% foo %}"}, "event_type: is no template: line 1, column 3"),
            ({"event_type": "a", "payload": "a["}, "payload: is no JMESPath"),
            ({}, "event_type is missing"),
        ):
            with self.subTest(config), self.assertRaisesMessage(ValidationError, said):
                validate_handler_config("hub.emit", config)
