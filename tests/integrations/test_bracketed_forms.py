from __future__ import annotations

from urllib.parse import quote

from django.test import SimpleTestCase

from integrations.errors import MalformedPayload
from integrations.payloads import MAX_DEPTH, bracketed_form
from integrations.verification.templates import FORM


class BracketedFormTests(SimpleTestCase):
    def decoded(self, form: str) -> object:
        return bracketed_form(FORM, quote(form, safe="=&").encode())

    def test_is_read_as_objects(self) -> None:
        self.assertEqual(
            self.decoded("type=subscribe&data[id]=1&data[merges][EMAIL]=a@b&data[merges][F NAME]=ü"),
            {"type": "subscribe", "data": {"id": "1", "merges": {"EMAIL": "a@b", "F NAME": "ü"}}},
        )

    def test_keeps_what_is_no_bracketed_name(self) -> None:
        for name in ("a[b", "a]b", "[a]", "a[b]c", "a[[b]]", "[]"):
            with self.subTest(name=name):
                self.assertEqual(self.decoded(f"{name}=1"), {name: "1"})
        self.assertEqual(self.decoded("a[]=1&a[]=2"), {"a": {"": ["1", "2"]}})

    def test_keeps_what_came_first_of_names_that_do_not_go_together(self) -> None:
        self.assertEqual(self.decoded("a=1&a[b]=2&a[b][c]=3"), {"a": "1"})
        self.assertEqual(self.decoded("a[b]=2&a=1"), {"a": {"b": "2"}})

    def test_has_a_bound(self) -> None:
        with self.assertRaises(MalformedPayload):
            self.decoded("a" + "[b]" * MAX_DEPTH + "=1")

    def test_leaves_other_types_alone(self) -> None:
        self.assertEqual(bracketed_form("application/json", b'{"a[b]": 1}'), {"a[b]": 1})
        self.assertIsNone(bracketed_form(FORM, b"") or None)
