from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.test import SimpleTestCase

from deliveries.execution.bounded import plain
from deliveries.execution.journal import EMISSION_BYTES, MOST_EMISSIONS, AttemptJournal
from integrations.identifiers import uuid7


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class PlainTests(SimpleTestCase):
    """Whatever a handler logs becomes JSON that every database can store."""

    def test_keeps_what_json_has(self) -> None:
        value = {"a": [1, 2.5, True, None, "x"], "b": {"c": []}}

        self.assertEqual(plain(value, 100), value)

    def test_makes_texts_of_the_rest(self) -> None:
        self.assertEqual(plain(datetime(2026, 3, 1, tzinfo=UTC), 100), "2026-03-01 00:00:00+00:00")
        self.assertEqual(plain({1: {2}, None: (3,)}, 100), {"1": [2], "None": [3]})
        self.assertEqual(plain(float("nan"), 100), "nan")
        self.assertEqual(plain(2**70, 100), str(2**70))

    def test_survives_values_that_have_no_text(self) -> None:
        self.assertEqual(plain(Unprintable(), 100), "<Unprintable whose text fails: RuntimeError>")
        self.assertIn("text fails", plain(10**5000, 100))

    def test_cuts_what_is_long_deep_or_wide(self) -> None:
        deep: Any = []
        for _ in range(2000):
            deep = [deep]

        self.assertEqual(plain("x" * 500, 100), "x" * 99 + "…")
        self.assertLess(len(json.dumps(plain(deep, 100))), 500)
        self.assertEqual(len(plain(list(range(1000)), 100)), 100)

    def test_spells_out_what_databases_refuse(self) -> None:
        self.assertEqual(plain("a\x00b\ud800", 100), "a\\x00b\\ud800")


class EmittingTests(SimpleTestCase):
    """What a handler emits is checked and copied at once; it is stored later."""

    def setUp(self) -> None:
        self.journal = AttemptJournal(uuid7(), 1)

    def test_keeps_the_payload_as_it_is_now(self) -> None:
        payload = {"total": 1, "text": "\x00é"}
        self.journal.emit("order.paid", payload, "")
        payload["total"] = 2

        [emission] = self.journal.emissions
        self.assertEqual(json.loads(emission.body), {"total": 1, "text": "\x00é"})

    def test_refuses_what_is_not_json(self) -> None:
        for payload in ({1, 2}, b"bytes", float("inf"), "half of a pair \ud800"):
            with self.subTest(ascii(payload)), self.assertRaises(TypeError):
                self.journal.emit("order.paid", payload, "")

    def test_refuses_a_type_that_no_event_has(self) -> None:
        for text in ("", "x" * 256, "nul \x00"):
            with self.subTest(text), self.assertRaises(ValueError):
                self.journal.emit(text, {}, "")

    def test_bounds_how_many_an_attempt_emits(self) -> None:
        for number in range(MOST_EMISSIONS):
            self.journal.emit("order.paid", number, "")

        with self.assertRaises(ValueError):
            self.journal.emit("order.paid", "one more", "")
        self.assertEqual(len(self.journal.emissions), MOST_EMISSIONS)

    def test_bounds_how_large_they_are_together(self) -> None:
        self.journal.emit("order.paid", "x" * (EMISSION_BYTES - 10), "")

        with self.assertRaises(ValueError):
            self.journal.emit("order.paid", "x" * 10, "")
        self.journal.emit("order.paid", "small", "")
        self.assertEqual(len(self.journal.emissions), 2)
