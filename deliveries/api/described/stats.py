"""``/stats/`` in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter

from deliveries.stats.windows import PATTERN
from integrations.api.schema import operation

F = TypeVar("F", bound=Callable[..., Any])

_COUNTS = {
    "accepted": 1200,
    "duplicate": 3,
    "refused": 7,
    "succeeded": 1188,
    "dead": 2,
    "discarded": 0,
    "failed": 31,
}
_LATENCY = {
    "ack": {"count": 1203, "p50": 2.14, "p95": 4.6, "p99": 9.83},
    "done": {"count": 1188, "p50": 21.5, "p95": 240.2, "p99": 61500.0},
    "handler": {"count": 1221, "p50": 12.1, "p95": 180.4, "p99": 950.7},
}
_SLOT = {"at": "2026-11-27T10:00:00Z", **_COUNTS}
STATS: dict[str, Any] = {
    "window": "24h",
    "from": "2026-11-26T10:00:00Z",
    "to": "2026-11-27T10:41:07.201533Z",
    "slot_seconds": 3600,
    "counts": _COUNTS,
    "refused_by_reason": {"signature_mismatch": 7},
    "latency_ms": _LATENCY,
    "queue": {"depth": 4, "is_at_least": False, "oldest_due_seconds": 0.082},
    "slots": [_SLOT],
    "endpoints": [{"endpoint": "orders", "counts": _COUNTS, "latency_ms": _LATENCY, "slots": [_SLOT]}],
}


def describe_stats(serializer: Any) -> Callable[[F], F]:
    """Return the decorator of the view whose answer ``serializer`` shows."""
    return operation(
        "get_stats",
        "Show what happened, in numbers",
        description="Counts by endpoint, status and span of time, percentiles of latencies, and what waits.",
        answers={200: ("What happened in the window.", serializer, STATS)},
        parameters=[
            OpenApiParameter(
                "window",
                {"type": "string", "pattern": f"^{PATTERN}$", "default": "24h"},
                description="Until now: `15m`, `24h`, `7d`, `4w`, at most `366d`.",
            ),
            OpenApiParameter("endpoint", {"type": "string", "maxLength": 255}, description="The endpoint's slug."),
        ],
    )
