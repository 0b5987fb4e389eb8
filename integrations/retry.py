"""How long to wait before another try."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

#: No wait is longer, whatever a policy or a handler says.
LONGEST_WAIT = timedelta(days=365)


@dataclass(frozen=True)
class RetryPolicy:
    """A route's retry policy; seconds."""

    max_attempts: int = 6
    initial_seconds: float = 5
    factor: float = 3
    max_seconds: float = 3600
    jitter: bool = True

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RetryPolicy:
        """Return the policy of a route; what it does not say, or does not say as a number, is the default.

        Lenient, because it is also read where a worker cleans up after another one: one bad row must not stop that.
        """
        numbers: dict[str, Any] = {
            name: value for name, value in stored.items() if isinstance(value, int | float) and math.isfinite(value)
        }
        return cls(**{name: numbers[name] for name in cls.__dataclass_fields__ if name in numbers})

    def as_json(self) -> dict[str, Any]:
        """Return the policy as it is stored."""
        return dict(vars(self))


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
