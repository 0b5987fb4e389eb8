"""How the hub stands at this moment: bounded looks at indexes and at small tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.conf import settings
from django.db import connections, router
from django.db.models import Count, Max, Sum
from prometheus_client.core import Metric

from deliveries import self_check
from deliveries.metrics.counters import Labels
from deliveries.metrics.described import MOST, family, info
from deliveries.models import Delivery, Worker
from deliveries.overload.standing import overload
from deliveries.stats import queue, standing
from deliveries.stats.counting import counting
from integrations.models import Connection, ConnectionHealth, Route

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person


def families(user: Person | None, *, now: datetime) -> Iterator[Metric]:
    """Yield the gauges; those by route of the endpoints that ``user`` may see, None may see all."""
    routes = Route.objects.all() if user is None else Route.objects.visible_to(user)
    named = {pk: (slug, name) for pk, slug, name in routes.values_list("pk", "endpoint__slug", "name")}
    yield from _queues(named, now)
    yield _dead_letters(named)
    yield from _connections(user)
    yield from _workers(now)
    yield from _database()
    if (seen := self_check.look(now)) is not None:
        yield _single("hub_self_check_age_seconds", seen.age_seconds)
    yield _single("hub_statistics_lag_seconds", counting.lag())
    yield from _load()
    yield info("hub_build", {"version": settings.HUB_VERSION})


def _load() -> Iterator[Metric]:
    found = overload.now
    yield _single("hub_refused_below_priority", found.bar)
    yield _single("hub_accept_only", float(found.pauses_workers))
    if found.wait_seconds is not None:
        yield _single("hub_request_wait_seconds", found.wait_seconds)
    if found.facts.free_bytes is not None:
        yield _single("hub_disk_free_bytes", found.facts.free_bytes)


def _single(name: str, value: float) -> Metric:
    found: Any = family(name)
    found.add_metric([], value)
    return cast(Metric, found)


def _queues(named: Mapping[UUID, Labels], now: datetime) -> Iterator[Metric]:
    depths: Counter[Labels] = Counter()
    ages: dict[Labels, float] = {}
    for pk, found in queue.by_route(named, now=now, most=MOST).items():
        depths[named[pk]] += found.depth
        ages[named[pk]] = max(ages.get(named[pk], 0.0), found.age(now))
    depth, age = family("hub_queue_depth"), family("hub_queue_age_seconds")
    for labels in sorted(ages):
        depth.add_metric(labels, depths[labels])
        age.add_metric(labels, ages[labels])
    yield depth
    yield age


def _dead_letters(named: Mapping[UUID, Labels]) -> Metric:
    letters: Any = family("hub_dead_letters")
    found: Counter[Labels] = Counter(dict.fromkeys(named.values(), 0))
    for pk, count in standing.dead_letters(most=MOST).items():
        if pk in named:
            found[named[pk]] += count
    for labels in sorted(found):
        letters.add_metric(labels, found[labels])
    return cast(Metric, letters)


def _connections(user: Person | None) -> Iterator[Metric]:
    rows = Connection.objects.live() if user is None else Connection.objects.live().visible_to(user)
    is_open, failures = family("hub_connection_open"), family("hub_connection_failures")
    for row in rows.select_related("health").only("name", "health__open_until", "health__failures").order_by("name"):
        health: ConnectionHealth | None = getattr(row, "health", None)
        is_open.add_metric([row.name], 1 if health and health.open_until is not None else 0)
        failures.add_metric([row.name], health.failures if health else 0)
    yield is_open
    yield failures


def _workers(now: datetime) -> Iterator[Metric]:
    alive = Worker.objects.alive(now)
    sums = alive.aggregate(workers=Count("pk"), threads=Sum("threads"), running=Sum("running"))
    heard = Worker.objects.aggregate(last=Max("beat_at"))["last"]
    yield _single("hub_workers", sums["workers"])
    yield _single("hub_worker_threads", sums["threads"] or 0)
    yield _single("hub_worker_threads_busy", sums["running"] or 0)
    silence = family("hub_worker_silence_seconds")
    if heard is not None:
        silence.add_metric([], max(0.0, (now - heard).total_seconds()))
    yield silence


def _database() -> Iterator[Metric]:
    connection = connections[router.db_for_read(Delivery)]
    if connection.vendor != "postgresql":
        return
    by_state = family("hub_database_connections")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(state, 'other'), COUNT(*) FROM pg_stat_activity "
            "WHERE datname = current_database() GROUP BY 1"
        )
        for state, count in sorted(cursor.fetchall()):
            by_state.add_metric([state], count)
        cursor.execute("SELECT current_setting('max_connections')::int")
        limit = cursor.fetchone()[0]
    yield by_state
    yield _single("hub_database_connections_limit", limit)
