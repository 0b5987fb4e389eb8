from __future__ import annotations

import json
import time
from typing import Any

from django.test import SimpleTestCase

from integrations.errors import MalformedPayload
from integrations.payloads import MAX_DEPTH, MAX_FORM_FIELDS, decode
from integrations.verification.templates import FORM


def decoded(body: bytes) -> Any:
    return decode("application/json", body)


class JsonTests(SimpleTestCase):
    def refused(self, body: bytes) -> str:
        with self.assertRaises(MalformedPayload) as caught:
            decoded(body)
        self.assertIsNone(caught.exception.__cause__)
        return caught.exception.reason

    def test_is_read_under_every_name_of_the_type(self) -> None:
        for content_type in ("application/json", "application/cloudevents+json", "text/json"):
            self.assertEqual(
                decode(content_type, b' {"a": [1, 2.5, null, true, "\xc3\xbc"]}'), {"a": [1, 2.5, None, True, "ü"]}
            )

    def test_may_begin_with_a_byte_order_mark(self) -> None:
        self.assertEqual(decoded(b"\xef\xbb\xbf[1]"), [1])

    def test_is_refused_if_it_is_none(self) -> None:
        for body in (
            b"{",
            b"{}x",
            b"{'a': 1}",
            b"nope",
            b"[1,]",
            b"\x00",
            b'"\n"',
            b"NaN",
            b"[Infinity]",
            b"-Infinity",
        ):
            with self.subTest(body=body):
                self.assertEqual(self.refused(body), "json_invalid")

    def test_has_to_be_utf8(self) -> None:
        for body in (b'"\xff"', b'"\xed\xa0\x80"', '{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32")):
            with self.subTest(body=body):
                self.assertIn(self.refused(body), {"not_utf8", "json_invalid"})

    def test_is_refused_where_it_is_nested_too_deeply(self) -> None:
        nested = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
        self.assertEqual(json.dumps(decoded(nested)).encode(), nested)
        for depth in (MAX_DEPTH + 1, 990, 100_000):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                body = opening * depth + (b"1" if opening != b"[" else b"") + closing * depth
                with self.subTest(depth=depth, opening=opening):
                    self.assertEqual(self.refused(body), "json_too_deep")

    def test_may_be_wide_and_long(self) -> None:
        wide = [{"a": [index]} for index in range(10_000)]

        self.assertEqual(decoded(json.dumps(wide).encode()), wide)

    def test_keeps_numbers_as_text_that_nothing_could_hold(self) -> None:
        self.assertEqual(decoded(b"[1e400, -1e400, 1.5e308]"), ["1e400", "-1e400", 1.5e308])
        digits = b"9" * 5000
        self.assertEqual(decoded(b"[%s, -%s]" % (digits, digits)), [digits.decode(), f"-{digits.decode()}"])
        self.assertEqual(decoded(b"9" * 300), int("9" * 300))

    def test_can_always_be_written_again(self) -> None:
        body = rb'{"a\ud800": ["\udfff", "\ud83d\ude42", "\u0000"], "n": 1e400}'

        value = decoded(body)

        self.assertEqual(value, {"a\ufffd": ["\ufffd", "\U0001f642", "\x00"], "n": "1e400"})
        self.assertEqual(json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()), value)

    def test_keeps_the_last_of_repeated_names(self) -> None:
        self.assertEqual(decoded(b'{"a": 1, "a": 2}'), {"a": 2})


class FormTests(SimpleTestCase):
    def test_is_a_mapping_with_lists_for_repeated_fields(self) -> None:
        self.assertEqual(decode(FORM, b"a=1&b=&a=2&c=%C3%BC+x&a=3"), {"a": ["1", "2", "3"], "b": "", "c": "ü x"})

    def test_is_refused_with_too_many_fields_at_little_cost(self) -> None:
        begun = time.perf_counter()
        with self.assertRaises(MalformedPayload) as caught:
            decode(FORM, b"a=1&" * 100_000)
        self.assertEqual(caught.exception.reason, "form_invalid")
        self.assertEqual(len(decode(FORM, b"&".join([b"a=1"] * MAX_FORM_FIELDS))["a"]), MAX_FORM_FIELDS)
        self.assertLess(time.perf_counter() - begun, 2)

    def test_has_to_be_utf8(self) -> None:
        with self.assertRaises(MalformedPayload) as caught:
            decode(FORM, b"a=\xff")
        self.assertEqual(caught.exception.reason, "not_utf8")

    def test_survives_wrong_escapes(self) -> None:
        self.assertEqual(
            decode(FORM, b"a=%FF&b=%zz&c=%00&%00=1"), {"a": "\ufffd", "b": "%zz", "c": "\x00", "\x00": "1"}
        )

    def test_is_what_its_json_field_says(self) -> None:
        self.assertEqual(decode(FORM, b"payload=%7B%22a%22%3A1%7D&x=1", json_field="payload"), {"a": 1})
        self.assertEqual(decode(FORM, b"command=%2Fgo", json_field="payload"), {"command": "/go"})
        for broken in (b"payload=", b"payload=%7B", b"payload=%FF", b"payload=" + b"[" * 100_000):
            with self.subTest(body=broken[:20]), self.assertRaises(MalformedPayload):
                decode(FORM, broken, json_field="payload")

    def test_with_the_json_field_twice_stays_a_form(self) -> None:
        self.assertEqual(decode(FORM, b"payload=1&payload=2", json_field="payload"), {"payload": ["1", "2"]})


class OpaqueBodyTests(SimpleTestCase):
    def test_has_no_payload(self) -> None:
        for content_type in ("", "text/plain", "application/xml", "multipart/form-data", "application/octet-stream"):
            self.assertIsNone(decode(content_type, b'{"a": 1}'))

    def test_is_also_an_empty_one(self) -> None:
        self.assertIsNone(decode("application/json", b""))
        self.assertIsNone(decode(FORM, b""))
