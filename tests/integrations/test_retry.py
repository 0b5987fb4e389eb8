from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from django.test import SimpleTestCase

from integrations.handlers import route_defaults
from integrations.retry import LONGEST_WAIT, RetryPolicy, wait_before

EXACT = RetryPolicy(max_attempts=6, initial_seconds=5, factor=3, max_seconds=100, jitter=False)


def seconds(attempt: int, policy: RetryPolicy) -> float | None:
    wait = wait_before(attempt, policy, random.Random(7))
    return None if wait is None else wait.total_seconds()


class RetryScheduleTests(SimpleTestCase):
    def test_grows_by_the_factor_up_to_the_longest(self) -> None:
        self.assertEqual([seconds(number, EXACT) for number in range(1, 7)], [5, 15, 45, 100, 100, None])

    def test_spreads_over_the_whole_time_with_jitter(self) -> None:
        policy = RetryPolicy(initial_seconds=60, jitter=True)
        rng = random.Random(7)

        waits = [wait_before(1, policy, rng) for _ in range(200)]

        self.assertTrue(all(wait is not None and timedelta(0) <= wait <= timedelta(seconds=60) for wait in waits))
        self.assertGreater(max(waits) - min(waits), timedelta(seconds=50))

    def test_stays_finite_for_the_largest_numbers(self) -> None:
        policy = RetryPolicy(max_attempts=10_000, factor=100, max_seconds=3600, jitter=False)

        self.assertEqual(seconds(9_999, policy), 3600)
        self.assertEqual(seconds(9_999, replace(policy, max_seconds=1e300)), LONGEST_WAIT.total_seconds())

    def test_reads_a_stored_policy_leniently(self) -> None:
        self.assertEqual(RetryPolicy.from_json({"max_attempts": 2}), RetryPolicy(max_attempts=2))
        nonsense = {"max_attempts": "2", "unknown": 1, "factor": None, "max_seconds": float("nan")}
        self.assertEqual(RetryPolicy.from_json(nonsense), RetryPolicy())

    def test_survives_storing_and_reading(self) -> None:
        self.assertEqual(RetryPolicy.from_json(EXACT.as_json()), EXACT)


class RouteDefaultTests(SimpleTestCase):
    def test_are_what_the_handler_was_registered_with(self) -> None:
        defaults = route_defaults("test.note")

        self.assertEqual(defaults["timeout_seconds"], 12)
        self.assertEqual(defaults["retry"], {**RetryPolicy().as_json(), "max_attempts": 4})

    def test_leave_the_rest_to_the_hub(self) -> None:
        self.assertEqual((route_defaults("log"), route_defaults("no.such")), ({}, {}))
