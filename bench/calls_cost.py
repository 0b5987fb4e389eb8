"""What keeping an attempt's calls encrypted costs: ``python -m bench.calls_cost``.

Processor time of one thread, which a busy machine does not spoil, the best of several turns: one call with a body of so
many bytes is made text and encrypted, as when an attempt is closed, and made text alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from uuid import uuid4

ROUNDS, TURNS = 400, 9


def main() -> None:
    """Print a line for each length of body."""
    import django

    django.setup()
    from deliveries.execution.journal import AttemptJournal

    for length in (0, 1024, 8192):
        journal = AttemptJournal(uuid4(), 1)
        journal.sent(call(length))
        kept = list(journal._calls)
        plain, encrypted = best(lambda kept=kept: json.dumps(kept)), best(lambda journal=journal: journal.calls)  # type: ignore[misc]
        print(f"a call with {length:,} bytes of body: {plain:.1f} us as text, {encrypted:.1f} us encrypted,", end=" ")
        print(f"{len(json.dumps(kept)):,} and {len(journal.calls):,} bytes")


def call(length: int) -> dict[str, object]:
    """Return a call as `integrations` notes it."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "hub",
        "Idempotency-Key": str(uuid4()),
        "Accept": "*/*",
    }
    body = {"body": "x" * length, "body_bytes": length, "body_is_whole": True}
    named = {"connection": "shop", "method": "POST", "url": "https://api.example.com/v1/contacts"}
    return {**named, "headers": headers, **body, "status": 200, "error": ""}


def best(work: Callable[[], object]) -> float:
    """Return the least processor time of one ``work``, in microseconds."""
    found: list[float] = []
    for _ in range(TURNS):
        began = time.thread_time()
        for _ in range(ROUNDS):
            work()
        found.append(time.thread_time() - began)
    return min(found) / ROUNDS * 1e6


if __name__ == "__main__":
    main()
