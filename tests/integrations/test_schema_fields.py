"""A config as inputs that are made of its schema."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import SimpleTestCase

from integrations.admin.schema_fields import SchemaField, by_property
from integrations.handlers import handlers

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "note": {"type": "string", "maxLength": 5000},
        "url": {"type": "string", "maxLength": 20},
        "method": {"enum": ["POST", "PUT"], "default": "POST"},
        "loud": {"type": "boolean"},
        "tries": {"type": "integer"},
        "headers": {"type": "array", "items": {"type": "string"}},
        "params": {"type": "object", "additionalProperties": {"type": "string"}},
        "proof": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}},
        "steps": {"type": "array", "items": {"type": "object"}},
    },
}
FULL: dict[str, Any] = {
    "note": "two\nlines\n",
    "url": "https://a.example/",
    "method": "PUT",
    "loud": False,
    "tries": 3,
    "headers": ["X-A", "X-B"],
    "params": {"q": "order.id", "at": "a:b"},
    "proof": {"key": "k"},
    "steps": [{"a": [1]}],
}


class SchemaFieldTests(SimpleTestCase):
    def sent(self, value: dict[str, Any]) -> Any:
        field = SchemaField(SCHEMA)
        data = QueryDict(mutable=True)
        for name, text in field.as_data("config", value).items():
            data[name] = text.replace("\n", "\r\n")  # as browsers send it
        return field.widget.value_from_datadict(data, {}, "config")

    def test_gives_back_each_kind_of_value_as_it_was(self) -> None:
        self.assertEqual(SchemaField(SCHEMA).clean(self.sent(FULL)), FULL)
        self.assertTrue(SchemaField(SCHEMA).holds(FULL))

    def test_does_not_hold_what_its_inputs_would_lose(self) -> None:
        for lost in ({"more": 1}, {"headers": ["a\nb"]}, {"params": {"a:b": "c"}}, {"tries": "3"}, {"proof": {"z": 1}}):
            with self.subTest(lost):
                self.assertFalse(SchemaField(SCHEMA).holds({"url": "u", **lost}))
        hidden = {"properties": {"key": {"type": "string", "writeOnly": True}}}
        self.assertFalse(SchemaField(hidden).holds({}))

    def test_says_what_is_wrong_at_which_property(self) -> None:
        field = SchemaField(SCHEMA)
        wrong = {**self.sent(FULL), "url": "x" * 21, "tries": "many", "params": "no colon", "proof": {"key": ""}}

        with self.assertRaises(ValidationError) as caught:
            field.clean(wrong)

        found, rest = by_property(caught.exception.messages, field)
        self.assertEqual(rest, [])
        self.assertEqual(sorted(found), ["params", "proof", "tries", "url"])
        self.assertEqual(found["proof"], ["key: This field is required."])

    def test_tells_the_models_own_words_apart_by_property(self) -> None:
        found, rest = by_property(
            ["url, method is missing", "headers/0: has to be a text", "has to be an object"], SchemaField(SCHEMA)
        )

        self.assertEqual(sorted(found), ["headers", "method", "url"])
        self.assertEqual(found["headers"], ["0: has to be a text"])
        self.assertEqual(rest, ["has to be an object"])

    def test_shows_errors_and_what_was_typed_where_they_belong(self) -> None:
        field = SchemaField(SCHEMA)
        field.widget.errors = {"steps": ["This is not JSON."], "proof": ["key: is too short"]}
        typed = {**self.sent(FULL), "steps": "[1,", "loud": "no"}

        html = field.widget.render("config", field.bound_data(typed, None))

        self.assertIn('aria-describedby="id_config-steps-help id_config-steps-errors" aria-invalid="true"', html)
        self.assertInHTML('<ul class="hub-errors" id="id_config-proof-key-errors"><li>is too short</li></ul>', html)
        self.assertInHTML('<option value="no" selected>no</option>', html)
        self.assertIn("[1,</textarea>", html)

    def test_offers_names_and_keeps_one_that_is_offered_no_more(self) -> None:
        schema = {"properties": {"connection": {"type": "string", "format": "connection"}}}
        field = SchemaField(schema, offered={"connection": ["crm", "erp"]})

        html = field.widget.render("config", {"connection": "gone"})

        self.assertIn('<option value="crm">', html)
        self.assertInHTML('<option value="gone" selected>gone</option>', html)

    def test_makes_inputs_for_every_handler_that_names_its_properties(self) -> None:
        for key in handlers:
            if schema := handlers[key].config_schema.get("properties"):
                with self.subTest(key):
                    field = SchemaField(handlers[key].config_schema)
                    self.assertEqual(set(field.parts), set(schema))
                    self.assertIn("config-", field.widget.render("config", {}))
