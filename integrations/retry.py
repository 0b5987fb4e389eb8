"""Whether there is another try, and how long to wait before it."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

_WAITS: dict[str, Any] = {
    "max_attempts": {"type": "integer", "minimum": 1, "maximum": 100},
    "initial_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
    "factor": {"type": "number", "minimum": 1, "maximum": 100},
    "max_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 604_800},
    "jitter": {"type": "boolean"},
}

RETRY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **_WAITS,
        "max_age_seconds": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 31_536_000},
        "errors": {
            "type": "object",
            "maxProperties": 50,
            "description": "an object of at most 50 rules",
            "propertyNames": {
                "pattern": r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*(?![\s\S])",
                "maxLength": 200,
                "description": "named by an exception class, such as ConnectionError or httpx.ReadTimeout",
            },
            "additionalProperties": {
                "type": ["object", "null"],  # null removes a rule, where the API merges
                "additionalProperties": False,
                "properties": {"retry": {"type": "boolean"}, **_WAITS},
            },
        },
    },
}

#: No wait is longer, whatever a policy or a handler says.
LONGEST_WAIT = timedelta(days=365)


@dataclass(frozen=True)
class RetryPolicy:
    """A route's retry policy; seconds.

    ``max_age_seconds`` (None: no limit) counts from when the delivery was made or last replayed: no retry starts later.
    ``errors`` has rules for exception classes by name, which go before the rest: `for_error`.
    """

    max_attempts: int = 6
    initial_seconds: float = 5
    factor: float = 3
    max_seconds: float = 3600
    jitter: bool = True
    max_age_seconds: float | None = None
    errors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RetryPolicy:
        """Return the policy of a route; what it does not say, or does not say as a number, is the default.

        Lenient, because it is also read where a worker cleans up after another one: one bad row must not stop that.
        """
        values: dict[str, Any] = _numbers(stored)
        errors = stored.get("errors")
        if isinstance(errors, Mapping):
            values["errors"] = {name: dict(rule) for name, rule in errors.items() if isinstance(rule, Mapping)}
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """Return the policy as it is stored."""
        return {**vars(self), "errors": {name: dict(rule) for name, rule in self.errors.items()}}

    @property
    def most_attempts(self) -> int:
        """How many attempts there are at most, whatever they fail with."""
        return max(self.max_attempts, *(self._with(rule).max_attempts for rule in [{}, *self.errors.values()]))

    def for_error(self, error: BaseException) -> RetryPolicy:
        """Return the policy for a failure with ``error``.

        That is the rule for its class, or for the nearest of its bases that has one, and what that does not say is as
        for any other error. A rule is for a class if its name is the class's own (``ConnectionError``), or that with
        the module before it (``requests.ConnectionError``; wherever the class may be imported from).
        """
        for kind in type(error).__mro__:
            rule = next((self.errors[name] for name in self._rules_for(kind)), None)
            if rule is not None:
                return self._with(rule)
        return self

    def is_too_old(self, since: datetime, moment: datetime) -> bool:
        """Return whether ``moment`` is later than a retry of a delivery made or replayed at ``since`` may start."""
        return self.max_age_seconds is not None and (moment - since).total_seconds() > self.max_age_seconds

    def _rules_for(self, kind: type[BaseException]) -> Iterator[str]:
        """Yield the names of rules for exactly this class, those with a module first."""
        yield from (name for name in self.errors if "." in name and _names(name, kind))
        if kind.__name__ in self.errors:
            yield kind.__name__

    def _with(self, rule: Mapping[str, Any]) -> RetryPolicy:
        if rule.get("retry") is False:
            return replace(self, max_attempts=1)
        return replace(self, **{name: value for name, value in _numbers(rule).items() if name != "max_age_seconds"})


def merged(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored policy with ``changes``; rules for errors merge one by one, and null removes a rule or a part."""
    errors = dict(stored.get("errors") or {})
    for name, rule in (changes.get("errors") or {}).items():
        whole = {**errors.pop(name, {}), **(rule or {})}
        if rule is not None:
            errors[name] = {part: value for part, value in whole.items() if value is not None}
    policy = {**stored, **changes}
    return {**policy, "errors": errors} if "errors" in policy else policy


def wait_before(attempt: int, policy: RetryPolicy, rng: random.Random) -> timedelta | None:
    """Return how long to wait after failed ``attempt`` (the first is 1); None means give up.

    Exponential with full jitter, so that deliveries which failed together do not return together.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if attempt >= policy.max_attempts:
        return None
    try:
        ceiling = min(policy.max_seconds, policy.initial_seconds * policy.factor ** (attempt - 1))
    except OverflowError:
        ceiling = policy.max_seconds
    ceiling = max(0.0, min(ceiling, LONGEST_WAIT.total_seconds()))
    return timedelta(seconds=rng.uniform(0, ceiling) if policy.jitter else ceiling)


def _numbers(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in stored.items()
        if name in RetryPolicy.__dataclass_fields__ and isinstance(value, int | float) and math.isfinite(value)
    }


def _names(dotted: str, kind: type[BaseException]) -> bool:
    """Return whether ``dotted`` is where ``kind`` is defined, or a module that has it by this name."""
    if dotted == f"{kind.__module__}.{kind.__qualname__}":
        return True
    module, _, name = dotted.rpartition(".")
    return vars(sys.modules[module]).get(name) is kind if module in sys.modules else False
