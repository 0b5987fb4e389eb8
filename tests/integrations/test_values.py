"""Values made from an event: what a template can say, and what it can never reach."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.schemas import check_schema
from integrations.values import TemplateInvalid, ValueFailed, check_template, language, rendered, scope_of
from tests.integrations.handlers.test_http_forward import EVENT

PAYLOAD: dict[str, Any] = {
    "name": "Ann <ann@example.com>",
    "total": 12.5,
    "paid": True,
    "note": None,
    "items": [{"sku": "a1"}, {"sku": "b2"}],
    "lines": ["x", "y"],
    "rates": {"eu": 1, "us": 2},
    "at": "2026-05-01T12:30:00Z",
}


def made(text: str, *, html: bool = False, payload: Any = PAYLOAD) -> str:
    return rendered(text, {"payload": payload}, field="subject", html=html)


class TemplateTests(SimpleTestCase):
    def test_puts_out_json_values_as_json_writes_them_and_nothing_for_what_is_not_there(self) -> None:
        self.assertEqual(
            made(
                "{{ payload.total }} {{ payload.paid }} [{{ payload.note }}] [{{ payload.lost.far }}] "
                "{{ payload.rates }}"
            ),
            '12.5 true [] [] {"eu": 1, "us": 2}',
        )

    def test_leads_through_objects_and_lists_and_repeats(self) -> None:
        self.assertEqual(made("{{ payload.items.1.sku }}"), "b2")
        self.assertEqual(
            made("{% for item in payload.items %}{{ forloop.counter }}{{ item.sku }} {% endfor %}"), "1a1 2b2 "
        )
        self.assertEqual(made("{% for k, v in payload.rates.items %}{{ k }}={{ v }};{% endfor %}"), "eu=1;us=2;")
        self.assertEqual(made("{% if payload.total > 10 and payload.paid %}big{% else %}small{% endif %}"), "big")

    def test_has_the_filters_that_json_needs(self) -> None:
        for text, expected in (
            ('{{ payload.lines|join:"-" }}', "x-y"),
            ('{{ payload.at|date:"j M Y" }}', "1 May 2026"),
            ("{{ payload.name|lower|truncatechars:5 }}", "ann …"),
            ('{{ payload.note|default:"none" }}', "none"),
            ("{{ payload.total|floatformat:2 }}", "12.50"),
            ("{{ payload.lines|json }}", '["x", "y"]'),
            ("{{ payload.lines|length }}", "2"),
        ):
            with self.subTest(text):
                self.assertEqual(made(text), expected)

    def test_escapes_where_it_makes_html_and_only_there(self) -> None:
        self.assertEqual(made("<p>{{ payload.name }}", html=True), "<p>Ann &lt;ann@example.com&gt;")
        self.assertEqual(made("<p>{{ payload.name }}"), "<p>Ann <ann@example.com>")
        self.assertEqual(made('{{ payload.lines|join:"<br>" }}', html=True), "x&lt;br&gt;y")

    def test_reaches_no_method_and_no_attribute_of_what_it_is_given(self) -> None:
        payload = {"a": {"b": 1}, "l": [1, 2], "s": "text"}
        text = (
            "{{ payload.a.clear }}{{ payload.l.pop }}{{ payload.a.popitem }}{{ payload.s.upper }}{{ payload.l.sort }}"
        )
        self.assertEqual(made(text, payload=payload), "")
        self.assertEqual(payload, {"a": {"b": 1}, "l": [1, 2], "s": "text"})

    def test_sees_of_an_event_what_identifies_it_and_no_header(self) -> None:
        scope = scope_of(EVENT)
        self.assertEqual(
            rendered("{{ event.type }} {{ event.id }}", scope, field="f"), f"{EVENT.event_type} {EVENT.id}"
        )
        self.assertNotIn("t0ken", str(scope))

    def test_refuses_every_tag_and_filter_that_reads_something_else(self) -> None:
        for text in (
            '{% include "admin/base.html" %}',
            '{% extends "admin/base.html" %}',
            "{% load static %}",
            "{% debug %}",
            '{% now "Y" %}',
            '{% url "admin:index" %}',
            "{% csrf_token %}",
            "{% lorem 1000000 %}",
            "{% autoescape off %}{% endautoescape %}",
            "{% block a %}{% endblock %}",
            "{{ payload|safe }}",
            "{{ payload|pprint }}",
            "{{ payload|add:payload }}",
            '{{ payload|stringformat:"1000000000d" }}',
            "{{ payload|center:1000000000 }}",
            "{{ payload.__class__ }}",
            "{{ payload._secret }}",
        ):
            with self.subTest(text), self.assertRaises(TemplateInvalid):
                check_template(text)

    def test_says_at_which_line_and_column_it_goes_wrong(self) -> None:
        for text, line, column in (("a\nb {% foo %}", 2, 3), ("{% if payload.a %}x", 1, 1), ("a {{ b c }}", 1, 3)):
            with self.subTest(text), self.assertRaises(TemplateInvalid) as caught:
                check_template(text)
            self.assertEqual((caught.exception.line, caught.exception.column), (line, column))

    def test_names_the_field_that_it_was_for(self) -> None:
        with self.assertRaisesMessage(ValueFailed, "subject: it makes more than"):
            made("{{ payload.text }}{{ payload.text }}", payload={"text": "x" * 200_000})


class BoundsTests(SimpleTestCase):
    def stopped(self, text: str, payload: Any) -> None:
        began = time.monotonic()
        with self.assertRaises(ValueFailed):
            made(text, payload=payload)
        self.assertLess(time.monotonic() - began, language.MAX_SECONDS + 1)

    def test_end_loops_within_loops_also_where_they_put_nothing_out(self) -> None:
        loops = "{% for a in payload %}{% for b in payload %}{% endfor %}{% endfor %}"
        self.stopped(loops, [0] * 5000)

    def test_end_output_that_grows(self) -> None:
        self.stopped("{% for a in payload %}{{ payload }}{% endfor %}", list(range(2000)))
        self.stopped("{{ payload|join:payload.0 }}", ["x" * 900] * 5000)
        self.stopped("{{ payload.0|floatformat:1000000 }}", [1.5])

    def test_end_work_that_is_hidden_in_conditions(self) -> None:
        condition = " or ".join(["payload|json == 1"] * 500)
        with patch.object(language, "MAX_SECONDS", 0.05):
            self.stopped(f"{{% if {condition} %}}{{% endif %}}{{{{ payload.0 }}}}", [["x" * 50] * 2000])

    def test_refuse_a_template_that_is_too_long(self) -> None:
        with self.assertRaisesMessage(TemplateInvalid, "longer than"):
            check_template("x" * (language.MAX_TEMPLATE_CHARACTERS + 1))


class FormatTests(SimpleTestCase):
    def test_of_a_schema_says_where_a_template_of_a_config_goes_wrong(self) -> None:
        schema = {"properties": {"to": {"items": {"type": "string", "format": "template"}}}}
        with self.assertRaisesMessage(ValidationError, "to/1: is no template: line 1, column 4: Invalid block tag"):
            check_schema({"to": ["fine", "to {% now %}"]}, schema)
        check_schema({"to": ["{{ payload.email }}"]}, schema)
