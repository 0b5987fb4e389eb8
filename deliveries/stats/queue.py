"""How much is due and waits for a worker, and since when: a bounded look at an index for each route."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, router

from deliveries.models import Delivery
from deliveries.models.claiming import count_running
from deliveries.models.states import CLAIMABLE
from integrations.models import EndpointState, Route

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: So many due deliveries of a route are counted; there may be more.
MOST = 1000
_CLAIMABLE = ", ".join(f"'{status}'" for status in CLAIMABLE)
#: As in the condition of the index `delivery_due`.
_IN_QUEUE = f"d.status IN ({_CLAIMABLE}) AND NOT d.blocked AND d.due_at <= %(now)s"


@dataclass(frozen=True)
class Queue:
    """``depth`` deliveries could run now, or more where ``is_at_least``; the oldest since ``oldest_due_at``."""

    depth: int = 0
    is_at_least: bool = False
    oldest_due_at: datetime | None = None

    def age(self, now: datetime) -> float:
        """Return for how many seconds the oldest has been due; 0.0 if there is none."""
        return max(0.0, (now - self.oldest_due_at).total_seconds()) if self.oldest_due_at else 0.0


def look(user: Person, *, now: datetime, endpoints: Collection[UUID] | None = None) -> Queue:
    """Return what waits on routes of endpoints that ``user`` may see; of ``endpoints`` only, if they are given.

    What is paused, or stands behind another of its ordering key, does not wait for a worker.
    """
    routes = Route.objects.visible_to(user).filter(paused=False).exclude(endpoint__state=EndpointState.PAUSED)
    if endpoints is not None:
        routes = routes.filter(endpoint__in=endpoints)
    ids = list(routes.values_list("pk", flat=True))
    return together(by_route(ids, now=now, most=MOST).values()) if ids else Queue()


def by_route(routes: Collection[UUID], *, now: datetime, most: int) -> dict[UUID, Queue]:
    """Return what is due on each of ``routes``, counted up to ``most`` in each lane (live, bulk replay)."""
    found = _found(now, most)
    nothing = Queue()
    return {
        pk: Queue(min(found[pk][0], 2 * most), found[pk][0] > most, found[pk][1]) if pk in found else nothing
        for pk in routes
    }


def ages_by_priority(now: datetime) -> dict[int, float]:
    """Return, by the priority of endpoints, for how many seconds the oldest delivery has been due.

    Bulk replays may wait, and routes that run as many as they may wait for themselves: neither says that there are too
    few workers.
    """
    connection = connections[router.db_for_read(Delivery)]
    stored = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_oldest(connection.vendor), {"now": stored})
        rows = cursor.fetchall()
    ages: dict[int, float] = {}
    for priority, oldest in rows:
        moment = _moment(oldest, connection)
        if moment is not None:
            ages[priority] = max(ages.get(priority, 0.0), (now - moment).total_seconds())
    return ages


def together(queues: Iterable[Queue]) -> Queue:
    """Return ``queues`` as one."""
    rows = list(queues)
    return Queue(
        depth=sum(row.depth for row in rows),
        is_at_least=any(row.is_at_least for row in rows),
        oldest_due_at=min((row.oldest_due_at for row in rows if row.oldest_due_at is not None), default=None),
    )


def _found(now: datetime, most: int) -> Mapping[UUID, tuple[int, datetime | None]]:
    """Return, by route, how many are due, up to one more than ``most`` in each lane, and the oldest moment."""
    connection = connections[router.db_for_read(Delivery)]
    stored = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_statement(), {"now": stored, "most": most + 1})
        rows = cursor.fetchall()
    found: dict[UUID, tuple[int, datetime | None]] = {}
    for route, count, oldest in rows:
        if not count:
            continue
        pk = route if isinstance(route, UUID) else UUID(str(route))
        before, moment = found.get(pk, (0, None))
        moments = [value for value in (moment, _moment(oldest, connection)) if value is not None]
        found[pk] = before + count, min(moments, default=None)
    return found


def _moment(value: Any, connection: Any) -> datetime | None:
    field = Delivery._meta.get_field("due_at")
    for convert in connection.ops.get_db_converters(field.get_col("deliveries_delivery")):
        value = convert(value, None, connection)
    moment: datetime | None = value
    return moment


@cache
def _statement() -> str:
    # In the order of the index, as `deliveries.models.claiming` has it, and for its reasons.
    due = f"""SELECT d.due_at FROM deliveries_delivery d
        WHERE d.bulk = l.bulk AND d.route_id = r.id AND {_IN_QUEUE} ORDER BY d.due_at"""  # noqa: S608 - our own words
    return f"""
    SELECT r.id, (SELECT COUNT(*) FROM ({due} LIMIT %(most)s) found), ({due} LIMIT 1)
    FROM integrations_route r CROSS JOIN (SELECT FALSE AS bulk UNION ALL SELECT TRUE) l
    """  # noqa: S608 - our own words


@cache
def _oldest(vendor: str) -> str:
    running = count_running(vendor, "r.id")
    return f"""
    SELECT p.priority, (SELECT d.due_at FROM deliveries_delivery d
        WHERE d.bulk = FALSE AND d.route_id = r.id AND {_IN_QUEUE} ORDER BY d.due_at LIMIT 1)
    FROM integrations_route r JOIN integrations_endpoint p ON p.id = r.endpoint_id
    WHERE NOT r.paused AND p.state <> 'paused' AND (r.concurrency IS NULL OR r.concurrency > ({running}))
    """  # noqa: S608 - our own words
