"""Durations in buckets, ten for each factor of ten, so that counts of many processes and hours can be added up.

A percentile is somewhere in its bucket, whose ends are a factor of 1.26 apart: what is said of it is at most 26 % too
long or 21 % too short. Below 0.1 ms there is one bucket.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

_SMALLEST_SECONDS = 1e-4
_PER_DECADE = 10
#: Of 115 days and more.
LAST = 110


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; one that is negative, as clocks are set back, is in the first."""
    if seconds <= _SMALLEST_SECONDS:
        return 0
    # Rounded, or a duration on a bound would be above it by the error of the logarithm.
    return min(LAST, math.ceil(round(_PER_DECADE * math.log10(seconds / _SMALLEST_SECONDS), 9)))


def upper(bucket: int) -> float:
    """Return the longest duration of ``bucket``, in seconds."""
    longest: float = _SMALLEST_SECONDS * 10.0 ** (bucket / _PER_DECADE)
    return longest


def over(counts: Mapping[int, int], seconds: float) -> int:
    """Return how many of those in ``counts`` (by bucket) surely took longer than ``seconds``."""
    return sum(count for bucket, count in counts.items() if bucket > 0 and upper(bucket - 1) >= seconds)


def percentile(counts: Mapping[int, int], percent: float) -> float | None:
    """Return the duration in seconds that ``percent`` of those in ``counts`` (by bucket) do not exceed; None of none.

    Within its bucket durations are taken as evenly spread over its length as a factor.
    """
    total = sum(counts.values())
    rank, below = total * percent / 100, 0
    for bucket in sorted(counts):
        count = counts[bucket]
        if count and below + count >= rank:
            part = (rank - below) / count
            return upper(0) * part if bucket == 0 else upper(bucket - 1) * (upper(bucket) / upper(bucket - 1)) ** part
        below += count
    return None
