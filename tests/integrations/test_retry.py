from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
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


class BadRequest(Exception):
    """The base of two."""


class NotFound(BadRequest):
    """One with a rule of its own in some policies."""


class Gone(NotFound):
    """The other."""


class ErrorRuleTests(SimpleTestCase):
    def policy(self, **errors: Any) -> RetryPolicy:
        return RetryPolicy.from_json({"max_attempts": 4, "initial_seconds": 7, "errors": errors})

    def test_go_before_what_the_policy_says(self) -> None:
        policy = self.policy(BadRequest={"max_attempts": 10, "factor": 1, "jitter": False})

        found = policy.for_error(BadRequest())

        self.assertEqual((found.max_attempts, found.factor, found.jitter, found.initial_seconds), (10, 1, False, 7))
        self.assertEqual(policy.for_error(ValueError()), policy)

    def test_can_end_all_tries(self) -> None:
        policy = self.policy(BadRequest={"retry": False})

        self.assertIsNone(wait_before(1, policy.for_error(BadRequest()), random.Random(7)))

    def test_hold_for_subclasses_unless_a_nearer_one_has_its_own(self) -> None:
        policy = self.policy(BadRequest={"retry": False}, NotFound={"max_attempts": 2}, Exception={"max_attempts": 9})

        attempts = [policy.for_error(error).max_attempts for error in (BadRequest(), NotFound(), Gone(), ValueError())]

        self.assertEqual(attempts, [1, 2, 2, 9])

    def test_can_let_a_subclass_be_tried_again(self) -> None:
        policy = self.policy(BadRequest={"retry": False}, NotFound={"retry": True})

        self.assertEqual(policy.for_error(NotFound()).max_attempts, 4)

    def test_name_a_class_by_where_it_is_defined_or_imported_from(self) -> None:
        names = (
            f"{__name__}.Gone",
            "builtins.ConnectionResetError",
            "httpx.ReadTimeout",
            "httpx._exceptions.ReadTimeout",
        )
        errors: list[Exception] = [Gone(), ConnectionResetError(), httpx.ReadTimeout(""), httpx.ReadTimeout("")]
        for name, error in zip(names, errors, strict=True):
            with self.subTest(name):
                self.assertEqual(self.policy(**{name: {"max_attempts": 2}}).for_error(error).max_attempts, 2)

    def test_leave_classes_of_the_same_name_from_elsewhere_alone(self) -> None:
        for name in ("elsewhere.Gone", "builtins.Gone", "random.Gone", "Gone.Gone"):
            with self.subTest(name):
                self.assertEqual(self.policy(**{name: {"max_attempts": 2}}).for_error(Gone()).max_attempts, 4)

    def test_prefer_the_name_that_says_more(self) -> None:
        policy = self.policy(**{"Gone": {"max_attempts": 2}, f"{__name__}.Gone": {"max_attempts": 3}})

        self.assertEqual(policy.for_error(Gone()).max_attempts, 3)

    def test_are_read_leniently(self) -> None:
        stored = {"errors": {"A": None, "B": 3, "ValueError": {"max_attempts": "x", "factor": None, "unknown": 1}}}

        self.assertEqual(RetryPolicy.from_json(stored).for_error(ValueError()).max_attempts, 6)
        self.assertEqual(RetryPolicy.from_json({"errors": ["no"]}), RetryPolicy())

    def test_count_among_the_most_attempts(self) -> None:
        self.assertEqual(self.policy(A={"max_attempts": 3}, B={"max_attempts": 30}, C={}).most_attempts, 30)
        self.assertEqual(self.policy(A={"retry": False}).most_attempts, 4)

    def test_survive_storing_and_reading(self) -> None:
        policy = self.policy(BadRequest={"max_attempts": 10})

        self.assertEqual(RetryPolicy.from_json(policy.as_json()), policy)


class AgeTests(SimpleTestCase):
    def test_ends_exactly_after_the_longest(self) -> None:
        made = datetime(2026, 3, 1, tzinfo=UTC)
        policy = RetryPolicy(max_age_seconds=60)

        self.assertFalse(policy.is_too_old(made, made + timedelta(seconds=60)))
        self.assertTrue(policy.is_too_old(made, made + timedelta(seconds=60.001)))

    def test_has_no_end_by_default(self) -> None:
        made = datetime(2026, 3, 1, tzinfo=UTC)

        self.assertFalse(RetryPolicy().is_too_old(made, made + timedelta(days=10_000)))


class RouteDefaultTests(SimpleTestCase):
    def test_are_what_the_handler_was_registered_with(self) -> None:
        defaults = route_defaults("test.note")

        self.assertEqual(defaults["timeout_seconds"], 12)
        self.assertEqual(defaults["retry"], {**RetryPolicy().as_json(), "max_attempts": 4})

    def test_leave_the_rest_to_the_hub(self) -> None:
        self.assertEqual((route_defaults("log"), route_defaults("no.such")), ({}, {}))
