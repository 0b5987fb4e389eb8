"""When an outside system wants to be called again, as its answer says.

``Retry-After`` (RFC 9110, section 10.2.3: seconds or a date), ``RateLimit`` in the forms of the IETF's drafts, and the
``X-RateLimit-*`` headers that GitHub, Slack, HubSpot and others send.
https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: No wait that an answer asks for is longer than this.
LONGEST_WAIT = timedelta(days=1)
#: A reset larger than this is a moment, in seconds since 1970, and not a span.
_A_MOMENT = 1_000_000_000
_FOR_NOW = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Budget:
    """How many calls are left, and after how long there are more."""

    remaining: int
    reset: timedelta


def is_for_now(status: int) -> bool:
    """Return whether another try may be answered otherwise: 408, 425, 429, 5xx."""
    return status in _FOR_NOW or status >= 500


def retry_after(status: int, headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """Return the wait that an answer `is_for_now` asks for, at most `LONGEST_WAIT`; None if it asks for none."""
    if not is_for_now(status):
        return None
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}", value):
        wait = timedelta(seconds=min(int(value), LONGEST_WAIT.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        wait = moment.replace(tzinfo=moment.tzinfo or UTC) - now
    return min(wait, LONGEST_WAIT) if wait > timedelta(0) else None


def budget(headers: Mapping[str, str], *, now: datetime) -> Budget | None:
    """Return what an answer's headers say of the calls that are left; None if they say nothing that can be read."""
    remaining, reset = _policy(headers.get("RateLimit", ""))
    if remaining is None:
        remaining = _number(headers, "RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
    if reset is None:
        reset = _number(headers, "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset")
    if remaining is None or reset is None:
        return None
    seconds = reset - now.timestamp() if reset > _A_MOMENT else reset
    return Budget(int(remaining), timedelta(seconds=min(max(0.0, seconds), LONGEST_WAIT.total_seconds())))


def _policy(field: str) -> tuple[float | None, float | None]:
    """Return what is left and when it is renewed: of several policies (``"a";r=50;t=30, "b";r=0;t=5``) the tightest."""
    policies = [(_parameter(item, "r"), _parameter(item, "t")) for item in field.split(",")]
    told = [(left, -reset) for left, reset in policies if left is not None and reset is not None]
    if told:
        left, reset = min(told)
        return left, -reset
    return _parameter(field, "remaining"), _parameter(field, "reset")


def _parameter(field: str, *names: str) -> float | None:
    found = re.search(rf"(?:^|[;,\s])(?:{'|'.join(names)})\s*=\s*([0-9]{{1,12}})(?![0-9])", field)
    return float(found[1]) if found else None


def _number(headers: Mapping[str, str], *names: str) -> float | None:
    for name in names:
        found = re.match(r"\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(?:[,;]|$)", headers.get(name, ""))
        if found:
            return float(found[1])
    return None
