"""Deliveries with ordering keys, made as receiving makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from deliveries.models import Delivery, DeliveryStatus, Outcome
from deliveries.models.closing import AttemptResult
from deliveries.receiving.queueing import Wanted, make_deliveries
from integrations.models import Route
from tests.factories import make_endpoint, make_event, make_route

LEASE = timedelta(seconds=15)


def ordered_route(*, failure: str = "block", **values: Any) -> Route:
    """Return a route that orders by the payload's ``key``."""
    return make_route(make_endpoint(), **{"ordering_key": "key", "ordering_failure": failure, **values})


def receive(route: Route, *payloads: Mapping[str, Any], now: datetime | None = None) -> list[Delivery]:
    """Make a delivery of each payload, all in one transaction."""
    with transaction.atomic():
        wanted = [
            Wanted(make_event(route.endpoint, body=json.dumps(payload).encode()), route, payload)
            for payload in payloads
        ]
        return make_deliveries(wanted, route.endpoint, now=now or timezone.now())


def line(route: Route, count: int, *, key: str = "a", now: datetime | None = None) -> list[Delivery]:
    """Make ``count`` deliveries of one key, each received by itself."""
    return [receive(route, {"key": key, "number": number}, now=now)[0] for number in range(count)]


def claim(now: datetime | None = None, *, worker: str = "one:1") -> list[Delivery]:
    """Claim whatever may be claimed."""
    return Delivery.objects.claim(limit=100, now=now or timezone.now(), lease=LEASE, worker=worker)


def close(row: Delivery, status: str = "succeeded", now: datetime | None = None) -> bool:
    """End the attempt of a claimed delivery; one that waits is due at once."""
    now = now or timezone.now()
    outcome = Outcome.SUCCEEDED if status == "succeeded" else Outcome.FAILED
    due_at = now if status == "waiting" else None
    result = AttemptResult(outcome, error_type="" if status == "succeeded" else "Broken")
    return Delivery.objects.close(
        row.pk, row.attempt_count, result, status=DeliveryStatus(status), now=now, due_at=due_at
    )


def rows(*deliveries: Delivery) -> Any:
    """Return the rows of ``deliveries``, to give orders about."""
    return Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])


def replay(*deliveries: Delivery) -> int:
    """Replay ``deliveries``."""
    moved: int = rows(*deliveries).replay(now=timezone.now(), requested_by="ada")
    return moved


def statuses(deliveries: Sequence[Delivery]) -> list[str]:
    """Return where ``deliveries`` stand by now."""
    found = dict(rows(*deliveries).values_list("pk", "status"))
    return [found[delivery.pk] for delivery in deliveries]


def run_all(most: int = 100) -> list[Any]:
    """Claim and succeed, one round after the other, until nothing may be claimed; return the ids in that order."""
    done: list[Any] = []
    for _ in range(most):
        claimed = claim()
        if not claimed:
            return done
        done += [row.pk for row in claimed]
        for row in claimed:
            assert close(row)
    raise AssertionError("there is no end")
