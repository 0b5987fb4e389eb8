from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from django.test import SimpleTestCase, TransactionTestCase

from deliveries.execution.journal import STEP_BYTES, AttemptJournal, plain
from deliveries.models import StepResult
from tests.deliveries.execution.drains import delivery_to


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


class StepTests(TransactionTestCase):
    def setUp(self) -> None:
        self.journal = AttemptJournal(delivery_to("test.note").pk)

    def test_keeps_none_as_a_result(self) -> None:
        runs: list[None] = []

        for _ in range(2):
            self.assertIsNone(self.journal.once("step", lambda: runs.append(None)))

        self.assertEqual(len(runs), 1)

    def test_refuses_what_is_not_json(self) -> None:
        for value in ({1, 2}, object(), float("nan"), b"bytes"):
            with self.subTest(value), self.assertRaises(TypeError):
                self.journal.once("step", lambda value=value: value)
        self.assertEqual(StepResult.objects.count(), 0)

    def test_refuses_what_is_too_large_and_keys_that_do_not_fit(self) -> None:
        with self.assertRaises(ValueError):
            self.journal.once("step", lambda: "x" * STEP_BYTES)
        for key in ("", "k" * 201):
            with self.assertRaises(ValueError):
                self.journal.once(key, lambda: 1)

    def test_keeps_nothing_of_a_step_that_fails(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            self.journal.once("step", lambda: 1 / 0)

        self.assertEqual(self.journal.once("step", lambda: 2), 2)

    def test_keeps_the_first_of_two_results(self) -> None:
        other = AttemptJournal(self.journal._delivery_id)

        # The other worker runs the same step, and finishes it first.
        value = self.journal.once("step", lambda: other.once("step", lambda: "first") and "second")

        self.assertEqual(value, "first")

    def test_works_inside_an_event_loop(self) -> None:
        async def handler() -> list[int]:
            async def step() -> int:
                return 1

            return [await self.journal.aonce("a", step), self.journal.once("b", lambda: 2)]

        self.assertEqual(asyncio.run(handler()), [1, 2])
        self.assertEqual(asyncio.run(handler()), [1, 2])
