"""What the hub itself has recorded, and rows of the past: ``python -m bench.receive.books N`` makes N stored events."""

from __future__ import annotations

import sys
from typing import Any

import django

from bench.receive.cases import HANDLER
from bench.receive.load import SECRET


def open_endpoint(slug: str, routes: int, held: bool) -> dict[str, Any]:
    """Make a GitHub endpoint with routes that take everything; ``held`` pauses it."""
    from integrations.models import Endpoint, Route, Secret

    endpoint = Endpoint.objects.create(slug=slug, provider="github", state="paused" if held else "active")
    Secret.objects.create(endpoint=endpoint, value=SECRET, label="bench")
    for number in range(routes):
        Route.objects.create(endpoint=endpoint, name=f"route {number}", handler=HANDLER)
    return {}


def counts(slug: str) -> dict[str, Any]:
    """Return how many events and deliveries of the endpoint there are, and how many of these are in which state."""
    from django.db.models import Count

    from deliveries.models import Attempt, Delivery, Event

    states = Delivery.objects.filter(endpoint__slug=slug).values_list("status").annotate(Count("pk"))
    return {
        "events": Event.objects.filter(endpoint__slug=slug).count(),
        "attempts": Attempt.objects.filter(delivery__endpoint__slug=slug).exclude(finished_at=None).count(),
        "states": dict(states.order_by("status")),
    }


def lags(slug: str) -> dict[str, Any]:
    """Return how long after receipt handlers started, in ms, and when the last one ended (seconds since the epoch)."""
    from deliveries.models import Attempt

    found = Attempt.objects.filter(delivery__endpoint__slug=slug, number=1)
    times = found.values_list("delivery__event__received_at", "started_at", "finished_at")
    rows = [(1000 * (start - came).total_seconds(), end.timestamp()) for came, start, end in times if end]
    if not rows:
        return {}
    late = sorted(lag for lag, _ in rows)
    return {
        "lag_p50_ms": late[len(late) // 2],
        "lag_p99_ms": late[min(len(late) - 1, len(late) * 99 // 100)],
        "last_end": max(end for _, end in rows),
    }


def refused(slug: str) -> dict[str, Any]:
    """Return how many refusals the hub has counted."""
    from django.db.models import Sum

    from deliveries.models import RefusalTotal

    return {"refused": RefusalTotal.objects.filter(endpoint__slug=slug).aggregate(sum=Sum("count"))["sum"] or 0}


def grow(events: int) -> None:
    """Make ``events`` events that were handled long ago, with SQL."""
    from django.db import connection

    if connection.vendor == "postgresql":
        from bench.receive.growing import fill

        fill(events)
        return
    from bench import rows

    rows.add_done(rows.make_route(HANDLER), events)


if __name__ == "__main__":
    django.setup()
    grow(int(sys.argv[1]))
