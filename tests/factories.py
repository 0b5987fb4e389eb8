"""Rows for tests: small, valid, with only what the test cares about named."""

from __future__ import annotations

import hashlib
import itertools
from datetime import datetime
from typing import Any

from django.utils import timezone

from deliveries.models import Delivery, Event
from integrations.models import Endpoint, Route, Secret

_numbers = itertools.count(1)


def make_endpoint(*, slug: str = "", provider: str = "generic_none", secret: str = "", **values: Any) -> Endpoint:
    endpoint = Endpoint.objects.create(slug=slug or f"endpoint-{next(_numbers)}", provider=provider, **values)
    if secret:
        Secret.objects.create(endpoint=endpoint, value=secret, label="test")
    return endpoint


def make_route(endpoint: Endpoint, *, handler: str = "log", **values: Any) -> Route:
    return Route.objects.create(endpoint=endpoint, **{"name": f"route {next(_numbers)}", "handler": handler, **values})


def make_event(endpoint: Endpoint, *, body: bytes = b"{}", **values: Any) -> Event:
    number = next(_numbers)
    return Event.objects.create(
        **{
            "endpoint": endpoint,
            "provider": endpoint.provider,
            "verdict": "verified",
            "event_id": f"evt_{number}",
            "event_type": "test",
            "dedupe_key": f"id:evt_{number}",
            "body_sha256": hashlib.sha256(body).digest(),
            "received_at": timezone.now(),
            "raw_body": body,
            "body_bytes": len(body),
            "content_type": "application/json",
            **values,
        }
    )


def make_delivery(route: Route, *, event: Event | None = None, now: datetime | None = None, **values: Any) -> Delivery:
    now = now or timezone.now()
    event = event or make_event(route.endpoint)
    return Delivery.objects.create(
        **{"event": event, "endpoint": route.endpoint, "route": route, "due_at": now, "created_at": now, **values}
    )
