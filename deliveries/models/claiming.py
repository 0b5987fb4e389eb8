"""Taking due deliveries: which routes have some, how many each may take, and the statement that takes them.

In SQL, because a busy hub does nothing more often than this: on PostgreSQL one statement takes the rows, marks them and
opens their attempts. ORM rows would cost more than the handlers of most deliveries.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import connections, transaction

from deliveries.models.raw import raw_cursor
from deliveries.models.states import CLAIMABLE, IN_THE_WAY, Outcome
from integrations.models import Route

if TYPE_CHECKING:
    from deliveries.models.delivery import Delivery

#: Of the threads that others leave free a route takes no more than this part, so that a newcomer finds some.
ROUTE_PART = 0.75
#: The part of all threads that bulk replays may take.
BULK_PART = 0.25
#: Namespace of the advisory locks under which the running deliveries of a limited route are counted.
_LOCK_CLASS = 0x6C696D

_CLAIMABLE = ", ".join(f"'{status}'" for status in CLAIMABLE)
_IN_THE_WAY = ", ".join(f"'{status}'" for status in IN_THE_WAY)
#: As in the condition of the index `delivery_due`.
_IN_QUEUE = f"d.status IN ({_CLAIMABLE}) AND NOT d.blocked"
# Looked at again where it counts, whatever `blocked` says: nothing of the key runs, nothing earlier waits.
_IS_FIRST = f"""(d.ordering_key = '' OR NOT EXISTS (
    SELECT 1 FROM deliveries_delivery e WHERE e.route_id = d.route_id AND e.ordering_key = d.ordering_key
    AND e.ordering_key > '' AND e.status IN ({_IN_THE_WAY}) AND e.status <> 'dead'
    AND (e.ordinal < d.ordinal OR e.status = 'running')))"""

#: A larger body is loaded by the thread that looks at it, so that not all of a claim are in memory at once.
LARGE_BYTES = 64 * 1024
#: What running a delivery needs of it, and of its event; the rest is loaded when somebody asks.
_DELIVERY_FIELDS = (
    *("id", "event_id", "endpoint_id", "route_id", "status", "bulk", "attempt_count", "budget_start", "next_trigger"),
    *("requested_by", "worker", "ordering_key", "created_at", "replayed_at", "steps_start"),
    "forget_steps",
)
_EVENT_FIELDS = (
    *("id", "endpoint_id", "provider", "verdict", "event_id", "event_type", "received_at", "content_type", "headers"),
    *("query_string", "sealed", "raw_body", "body_is_encrypted", "body_bytes", "batch_id"),
    *("body_removed_at", "request_id", "traceparent"),
)
# Each has one; by an inner join PostgreSQL might begin with the events.
_WITH_EVENT = "LEFT JOIN deliveries_event e ON e.id = t.event_id"
_BODY_IF_SMALL = f"CASE WHEN e.body_bytes <= {LARGE_BYTES} THEN e.raw_body END"
_OPEN_ATTEMPTS = f"""
    INSERT INTO deliveries_attempt (delivery_id, number, trigger, requested_by, worker, started_at, outcome, error_type,
        error_message, traceback, log)
    SELECT id, attempt_count, next_trigger, requested_by, worker, {{now}}, '{Outcome.RUNNING}', '', '', '', '[]'
"""


@dataclass(frozen=True)
class DueRoute:
    """A route with deliveries that may be claimed now: ``due`` of them, counted up to what was asked for.

    ``running`` is how many run on all workers, where ``concurrency`` limits that.
    """

    route_id: UUID
    bulk: bool
    priority: int
    due: int
    concurrency: int | None = None
    running: int = 0

    @property
    def has_room(self) -> bool:
        """Whether its limit lets another one run."""
        return self.concurrency is None or self.running < self.concurrency


@dataclass(frozen=True)
class Share:
    """How many deliveries to take of a route."""

    route_id: UUID
    bulk: bool
    limit: int
    concurrency: int | None = None


def due_routes(now: datetime, *, most: int, using: str) -> list[DueRoute]:
    """Return the routes that have due deliveries, with up to ``most`` of them counted each.

    Costs a look at an index for each route, however many deliveries there are. Those of paused endpoints and routes are
    not due: what waits is `held` then; a retry or a replay that comes up meanwhile is not, and must not start either.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_due_routes(connection.vendor), {"now": _stored(connection, now), "most": most})
        return [
            DueRoute(_uuid(row[0]), bool(row[1]), row[2], row[3], concurrency=row[4], running=row[5])
            for row in cursor.fetchall()
            if row[3]
        ]


def shares(
    due: Sequence[DueRoute],
    *,
    free: int,
    threads: int | None = None,
    running: Mapping[tuple[UUID, bool], int] | None = None,
) -> list[Share]:
    """Divide ``free`` threads among the routes in ``due``: the urgent first, equals evenly, bulk replays last.

    With ``threads``, how many the worker has in all, a route leaves some of them to others, and bulk replays take no
    more than their part; ``running`` is what this worker runs of (route, bulk) by now.
    """
    split = _Split(free, threads, running or {})
    ranked = sorted(due, key=_rank)
    for _, equals in groupby(ranked, key=_rank):
        split.deal(list(equals))
    return [
        Share(item.route_id, item.bulk, split.taken[item.route_id, item.bulk], item.concurrency)
        for item in ranked
        if split.taken[item.route_id, item.bulk]
    ]


class _Split:
    def __init__(self, free: int, threads: int | None, running: Mapping[tuple[UUID, bool], int]) -> None:
        self.taken: defaultdict[tuple[UUID, bool], int] = defaultdict(int)
        self._free = free
        self._threads = threads
        self._of_route: defaultdict[UUID, int] = defaultdict(int)
        self._bulk = 0
        for (route_id, bulk), count in running.items():
            self._of_route[route_id] += count
            self._bulk += count if bulk else 0
        self._all = sum(running.values())
        self._new_of_route: defaultdict[UUID, int] = defaultdict(int)

    def deal(self, equals: list[DueRoute]) -> None:
        """Give one thread to each in turn, until there is none left or nobody may take more."""
        while equals:
            equals = [item for item in equals if self._may_take(item)]
            for item in equals:
                if self._free and self._may_take(item):
                    self._take(item)

    def _may_take(self, item: DueRoute) -> bool:
        if not self._free or self.taken[item.route_id, item.bulk] >= item.due:
            return False
        if item.concurrency is not None and item.running + self._new_of_route[item.route_id] >= item.concurrency:
            return False
        if self._threads is None:
            return True
        if item.bulk and self._bulk >= max(1, int(self._threads * BULK_PART)):
            return False
        others = self._all - self._of_route[item.route_id]
        return self._of_route[item.route_id] < max(1, int((self._threads - others) * ROUTE_PART))

    def _take(self, item: DueRoute) -> None:
        self.taken[item.route_id, item.bulk] += 1
        self._of_route[item.route_id] += 1
        self._new_of_route[item.route_id] += 1
        self._bulk += item.bulk
        self._all += 1
        self._free -= 1


def take(wanted: Sequence[Share], *, now: datetime, until: datetime, worker: str, using: str) -> list[Delivery]:
    """Take what ``wanted`` says for ``worker`` until ``until`` and open an attempt for each, all or nothing.

    A worker that another one got ahead of takes fewer.
    """
    taken = _take(wanted, now=now, until=until, worker=worker, using=using)
    place = {(share.route_id, share.bulk): number for number, share in enumerate(wanted)}
    return sorted(taken, key=lambda row: place[row.route_id, row.bulk])


def _take(wanted: Sequence[Share], *, now: datetime, until: datetime, worker: str, using: str) -> list[Delivery]:
    limited = any(share.concurrency is not None for share in wanted)
    connection = connections[using]
    if connection.vendor != "postgresql":
        with transaction.atomic(using=using):
            allowed = _within_limits(wanted, using=using) if limited else wanted
            return _take_step_by_step(allowed, now, until, worker, using)
    if not limited:
        return _take_at_once(wanted, now, until, worker, using)
    with transaction.atomic(using=using):
        return _take_at_once(_within_limits(wanted, using=using), now, until, worker, using)


def _within_limits(wanted: Sequence[Share], *, using: str) -> list[Share]:
    """Return ``wanted`` with what the limits allow by now; nobody else counts these routes in this transaction."""
    connection = connections[using]
    allowed = []
    taken: Counter[UUID] = Counter()  # live and bulk deliveries of a route count together
    with connection.cursor() as cursor:
        for share in wanted:
            if share.concurrency is None:
                allowed.append(share)
                continue
            if connection.vendor == "postgresql":
                lock = zlib.crc32(share.route_id.bytes) - 2**31
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, lock])
                if not cursor.fetchone()[0]:
                    continue  # another worker is about to fill it
            route = Route._meta.pk.get_db_prep_value(share.route_id, connection)
            cursor.execute(count_running(connection.vendor, "%s"), [route])
            left = min(share.limit, share.concurrency - cursor.fetchone()[0] - taken[share.route_id])
            if left > 0:
                taken[share.route_id] += left
                allowed.append(replace(share, limit=left))
    return allowed


def _take_at_once(wanted: Sequence[Share], now: datetime, until: datetime, worker: str, using: str) -> list[Delivery]:
    if not wanted:
        return []
    # Said once more as a number: it is from this that PostgreSQL knows how few rows it is about.
    total = sum(share.limit for share in wanted)
    named = [{"route_id": str(share.route_id), "bulk": share.bulk, "most": share.limit} for share in wanted]
    with raw_cursor(using) as cursor:
        cursor.execute(
            _take_statement(),
            {"wanted": json.dumps(named), "total": total, "now": now, "until": until, "worker": worker},
        )
        return list(_rows(cursor.fetchall(), using))


def _take_step_by_step(
    wanted: Sequence[Share], now: datetime, until: datetime, worker: str, using: str
) -> list[Delivery]:
    connection = connections[using]
    moment = _stored(connection, now)
    ids: list[Any] = []
    with connection.cursor() as cursor:
        for share in wanted:
            route = Route._meta.pk.get_db_prep_value(share.route_id, connection)
            cursor.execute(_DUE_OF_ROUTE, [share.bulk, route, moment, share.limit])
            ids += [row[0] for row in cursor.fetchall()]
        if not ids:
            return []
        marks = ", ".join(["%s"] * len(ids))
        cursor.execute(
            "UPDATE deliveries_delivery SET status = 'running', attempt_count = attempt_count + 1, lease_until = %s, "
            f"worker = %s WHERE id IN ({marks})",
            [_stored(connection, until), worker, *ids],
        )
        cursor.execute(
            f"{_OPEN_ATTEMPTS.format(now='%s')} FROM deliveries_delivery WHERE id IN ({marks})", [moment, *ids]
        )
        cursor.execute(
            f"SELECT {_columns()} FROM deliveries_delivery t {_WITH_EVENT} WHERE t.id IN ({marks}) ORDER BY t.due_at",
            ids,
        )
        return list(_rows(cursor.fetchall(), using))


def _rows(found: Sequence[tuple[Any, ...]], using: str) -> Iterator[Delivery]:
    models = apps.get_model("deliveries", "Delivery"), apps.get_model("deliveries", "Event")
    connection, event_of = connections[using], models[0]._meta.get_field("event")
    of_delivery, of_event = ([field.attname for field in fields] for fields in _fields())
    split = len(of_delivery)
    size, body = (split + of_event.index(name) for name in ("body_bytes", "raw_body"))
    without_body = [name for name in of_event if name != "raw_body"]
    converters = _converters(connection.vendor)
    for row in found:
        values = list(row)
        for place, steps in converters:
            for step in steps:
                values[place] = step(values[place], None, connection)
        delivery = models[0].from_db(using, of_delivery, values[:split])
        names = of_event
        if values[size] > LARGE_BYTES:
            names = without_body
            del values[body]
        # As by `delivery.event =`, without its look whether another one was there before.
        event_of.set_cached_value(delivery, models[1].from_db(using, names, values[split:]))
        yield delivery


@cache
def _converters(vendor: str) -> list[tuple[int, list[Any]]]:
    """Return what turns the value of a column into that of the attribute, for those columns where something does."""
    connection = next(item for item in connections.all() if item.vendor == vendor)
    found = []
    for place, field in enumerate([*_fields()[0], *_fields()[1]]):
        column = field.get_col(field.model._meta.db_table)
        steps = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
        if steps:
            found.append((place, steps))
    return found


@cache
def _fields() -> tuple[list[Any], list[Any]]:
    """Return the fields of a delivery and of its event that are read, in the order in which the models have them."""
    delivery = apps.get_model("deliveries", "Delivery")._meta.concrete_fields
    event = apps.get_model("deliveries", "Event")._meta.concrete_fields
    return (
        [field for field in delivery if field.attname in _DELIVERY_FIELDS],
        [field for field in event if field.attname in _EVENT_FIELDS],
    )


@cache
def _columns() -> str:
    named = zip(("t", "e"), _fields(), strict=True)
    names = [f"{table}.{field.column}" for table, fields in named for field in fields]
    return ", ".join(_BODY_IF_SMALL if name == "e.raw_body" else name for name in names)


@cache
def _take_statement() -> str:
    return f"""
        WITH wanted AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset(%(wanted)s::jsonb) AS w(route_id uuid, bulk bool, most int)
        ), picked AS MATERIALIZED (
            SELECT p.id FROM wanted w CROSS JOIN LATERAL (
                SELECT d.id FROM deliveries_delivery d
                WHERE d.bulk = w.bulk AND d.route_id = w.route_id AND {_IN_QUEUE} AND d.due_at <= %(now)s
                AND {_IS_FIRST}
                ORDER BY d.due_at LIMIT w.most FOR UPDATE SKIP LOCKED
            ) p LIMIT %(total)s
        ), taken AS (
            UPDATE deliveries_delivery d
            SET status = 'running', attempt_count = d.attempt_count + 1, lease_until = %(until)s, worker = %(worker)s
            FROM picked WHERE d.id = picked.id RETURNING d.*
        ), opened AS (
            {_OPEN_ATTEMPTS.format(now="%(now)s")} FROM taken
        )
        SELECT {_columns()} FROM taken t {_WITH_EVENT} ORDER BY t.due_at
    """


def count_running(vendor: str, route: str) -> str:
    """Return the statement that counts what runs of ``route``, on all workers."""
    # By itself SQLite would look through all that the route ever had: it prefers an index with an equals sign.
    index = "INDEXED BY delivery_leased" if vendor == "sqlite" else ""
    return f"SELECT COUNT(*) FROM deliveries_delivery d {index} WHERE d.route_id = {route} AND d.status = 'running'"


@cache
def _due_routes(vendor: str) -> str:
    # A scalar with a limit, no EXISTS: PostgreSQL would turn that into a join over the whole table when it thinks that
    # few rows are due. In the order of the index, or it looks through the route's whole past when it thinks many are.
    return f"""
    SELECT r.id, l.bulk, r.priority + p.priority,
        (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries_delivery d
            WHERE d.bulk = l.bulk AND d.route_id = r.id AND {_IN_QUEUE} AND d.due_at <= %(now)s
            ORDER BY d.due_at LIMIT %(most)s) found),
        r.concurrency,
        CASE WHEN r.concurrency IS NULL THEN 0 ELSE ({count_running(vendor, "r.id")}) END
    FROM integrations_route r
    JOIN integrations_endpoint p ON p.id = r.endpoint_id
    CROSS JOIN (SELECT FALSE AS bulk UNION ALL SELECT TRUE) l
    WHERE NOT r.paused AND p.state <> 'paused'
"""


_DUE_OF_ROUTE = f"""
    SELECT d.id FROM deliveries_delivery d
    WHERE d.bulk = %s AND d.route_id = %s AND {_IN_QUEUE} AND d.due_at <= %s AND {_IS_FIRST}
    ORDER BY d.due_at LIMIT %s
"""


def _rank(item: DueRoute) -> tuple[bool, int]:
    return item.bulk, -item.priority


def _stored(connection: Any, moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
