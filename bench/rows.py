"""Rows for the hub to work on, by the same calls that the receiving path makes."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import Delivery, Event
from deliveries.receiving.queueing import Wanted, make_deliveries
from integrations.models import Endpoint, Route

_numbers = itertools.count(1)
_BODY = b'{"number": 1}'
_BATCH = 2000


def make_route(handler: str, **values: Any) -> Route:
    """Return a route of an endpoint of its own."""
    name = f"bench-{next(_numbers)}"
    endpoint = Endpoint.objects.create(slug=name, provider="generic_none")
    return Route.objects.create(endpoint=endpoint, name=name, handler=handler, **values)


def queue(route: Route, count: int) -> float:
    """Commit ``count`` deliveries at once; return when that was, in seconds since the epoch."""
    now = timezone.now()
    with transaction.atomic():
        for start in range(0, count, _BATCH):
            events = [_event(route.endpoint, now) for _ in range(min(_BATCH, count - start))]
            Event.objects.bulk_create(events)
            make_deliveries([Wanted(event, route, {}) for event in events], route.endpoint, now=now)
    return time.time()


def add_waiting(route: Route, count: int) -> None:
    """Add ``count`` deliveries that wait for a retry tomorrow, as copies of one by the database itself."""
    tomorrow = timezone.now() + timedelta(days=1)
    _add_copies(route, count, status="waiting", due_at=tomorrow)


def add_done(route: Route, count: int) -> None:
    """Add ``count`` events with deliveries that succeeded, as copies of one by the database itself."""
    _add_copies(route, count, status="succeeded", finished_at=timezone.now())


def _add_copies(route: Route, count: int, **changed: Any) -> None:
    Route.objects.filter(pk=route.pk).update(paused=True)  # or a worker takes the first before it is copied
    route.refresh_from_db()
    queue(route, 1)
    Delivery.objects.filter(route=route).update(**changed)
    delivery = Delivery.objects.filter(route=route).get()
    with transaction.atomic():
        _copy(Event, delivery.event_id, count, {"dedupe_key": "CAST(n AS text)", "event_id": "CAST(n AS text)"})
        copies = "SELECT id FROM deliveries_event WHERE endpoint_id = %s AND id <> %s"
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO deliveries_delivery ({_columns(Delivery)}) "  # noqa: S608 - names of our own columns
                f"SELECT {_columns(Delivery, {'id': _new_id(), 'event_id': 'c.id'}, prefix='d.')} "
                f"FROM deliveries_delivery d, ({copies}) c WHERE d.id = %s",
                [_key(route.endpoint_id), _key(delivery.event_id), _key(delivery.pk)],
            )
    Route.objects.filter(pk=route.pk).update(paused=False)


def _copy(model: type[Event], pk: uuid.UUID, count: int, changed: dict[str, str]) -> None:
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"  # noqa: S608 - a number
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({_columns(model)}) {numbers} "  # noqa: S608 - as above
            f"SELECT {_columns(model, {'id': _new_id(), **changed}, prefix='e.')} "
            f"FROM numbers, {model._meta.db_table} e WHERE e.id = %s",
            [_key(pk)],
        )


def _columns(model: Any, changed: dict[str, str] | None = None, *, prefix: str = "") -> str:
    names = [field.column for field in model._meta.concrete_fields]
    return ", ".join((changed or {}).get(name, f"{prefix}{name}") for name in names)


def _new_id() -> str:
    return "gen_random_uuid()" if connection.vendor == "postgresql" else "lower(hex(randomblob(16)))"


def _key(value: uuid.UUID) -> Any:
    return Event._meta.pk.get_db_prep_value(value, connection)


def _event(endpoint: Endpoint, now: datetime) -> Event:
    name = f"evt_{next(_numbers)}_{uuid.uuid4().hex}"
    return Event(
        endpoint=endpoint,
        provider=endpoint.provider,
        verdict="unverified",
        event_id=name,
        event_type="bench",
        dedupe_key=f"id:{name}",
        body_sha256=hashlib.sha256(_BODY).digest(),
        received_at=now,
        raw_body=_BODY,
        body_bytes=len(_BODY),
        content_type="application/json",
    )
