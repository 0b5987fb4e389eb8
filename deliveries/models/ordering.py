"""Ordering keys: deliveries of one route with one key run strictly one after the other, in order of receipt.

`Delivery.ordinal` is the order, and `Delivery.blocked` keeps all but the first of a key out of the queue, so that a
claim looks at none of the thousands that may stand behind one. Whoever adds a delivery to a key, or takes one out of
the way, does so while he holds the key's lock (`lock_keys`), and settles the key in the same transaction.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import connections, models, transaction
from django.db.models.expressions import RawSQL

from deliveries.models.states import CLAIMABLE, FINISHED, IN_THE_WAY, UNFINISHED, DeliveryStatus
from integrations.models import EndpointState, OrderingFailure, Route

if TYPE_CHECKING:
    from deliveries.models.transitions import DeliveryQuerySet

#: Keys share locks: PostgreSQL keeps a bounded number of them, and a batch may hold thousands of keys.
_LOCKS_PER_ROUTE = 16
_NAMED_AT_ONCE = 400
#: Keys that one sweep looks at.
_SWEPT_AT_ONCE = 500

_IN_THE_WAY = ", ".join(f"'{status}'" for status in IN_THE_WAY)
#: The condition of the index `delivery_in_the_way`, to the letter: SQLite does not see it in bound parameters.
_INDEXED = f"{{0}}.ordering_key > '' AND {{0}}.status IN ({_IN_THE_WAY})"
#: Whether the row ``e`` is of the key ``k``.
OF_KEY = "e.route_id = k.route_id AND e.ordering_key = k.ordering_key"
#: Whether the delivery ``e`` of route ``r`` is in the way of later ones.
IS_IN_THE_WAY = f"{_INDEXED.format('e')} AND (e.status <> 'dead' OR r.ordering_failure = 'block')"


class Key(NamedTuple):
    """An ordering key of a route."""

    route_id: UUID
    ordering_key: str


@dataclass(frozen=True)
class Place:
    """Where a new delivery of a key goes; in a ``parked`` key it is held."""

    ordinal: int
    blocked: bool
    parked: bool


class ParkedKey(models.Model):
    """A key whose later deliveries are held since ``delivery`` gave up; gone once the key goes on."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="parked_keys")
    ordering_key = models.CharField(max_length=200)
    delivery = models.ForeignKey("deliveries.Delivery", on_delete=models.CASCADE, related_name="+")
    parked_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["route", "ordering_key"], name="parked_key_once")]

    def __str__(self) -> str:
        return self.ordering_key

    @property
    def key(self) -> Key:
        """The key itself."""
        return Key(self.route_id, self.ordering_key)


def lock_keys(keys: Iterable[Key], *, using: str) -> None:
    """Wait for the locks of ``keys`` and hold them to the end of the transaction, which on SQLite is the lock.

    To be done before any row of the keys is locked: others hold the lock while they wait for rows.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # Always in the same order: nobody waits in a circle.
        for lock in sorted({_lock_of(key) for key in keys}):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", lock)


def lock_keys_of(deliveries: DeliveryQuerySet) -> None:
    """Do what `lock_keys` does for the keys of ``deliveries``."""
    found = deliveries.exclude(ordering_key="").order_by().values_list("route_id", "ordering_key").distinct()
    lock_keys((Key(*row) for row in found), using=deliveries.db)


def places(keys: Collection[Key], *, using: str) -> dict[Key, Place]:
    """Lock ``keys`` and return where the next delivery of each goes."""
    lock_keys(keys, using=using)
    now = time.time_ns() // 1000
    found: dict[Key, Place] = {}
    for some in chunks(sorted(keys)):
        for route_id, ordering_key, last, blocked, parked in _standing(some, using=using):
            ordinal = now if last is None else max(now, last + 1)
            found[Key(as_uuid(route_id), ordering_key)] = Place(ordinal, bool(blocked), bool(parked))
    return found


def settle(keys: Iterable[Key], *, using: str, reorder: bool = False) -> None:
    """Let the first delivery of each key into the queue; the caller holds the locks.

    ``reorder`` also puts those back that stand behind one which an order has put before them, and waits for one that
    runs.
    """
    for key in set(keys):
        standing = _in_the_way(key, using=using)
        first = standing.order_by("ordinal").values_list("pk", flat=True).first()
        if reorder:
            free = standing.filter(blocked=False, status__in=(*CLAIMABLE, DeliveryStatus.HELD))
            if standing.filter(status=DeliveryStatus.RUNNING).exists():
                free.update(blocked=True)
                continue
            (free if first is None else free.exclude(pk=first)).update(blocked=True)
        if first is not None:
            _deliveries(using).filter(pk=first, blocked=True).update(blocked=False)


def went(key: Key, delivery_id: UUID, *, status: DeliveryStatus, now: datetime, using: str) -> None:
    """Let ``key`` go on, or park it, now that its delivery has come to ``status``; the caller holds the lock.

    One that will run again may find that an older one, replayed meanwhile, is to go first.
    """
    if status == DeliveryStatus.DEAD:
        if _policy(key, using=using) == OrderingFailure.PARK:
            park(key, delivery_id, now=now, using=using)
    elif status in FINISHED and _parked(key, using=using).filter(delivery_id=delivery_id).exists():
        unpark([key], now=now, using=using)
    settle([key], using=using, reorder=status not in FINISHED)


def park(key: Key, delivery_id: UUID, *, now: datetime, using: str) -> None:
    """Hold what waits behind the dead ``delivery_id``, and what is still to come; the caller holds the lock."""
    _parked(key, using=using).get_or_create(
        route_id=key.route_id, ordering_key=key.ordering_key, defaults={"delivery_id": delivery_id, "parked_at": now}
    )
    _of(key, using=using).filter(status__in=CLAIMABLE).update(status=DeliveryStatus.HELD)


def unpark(keys: Iterable[Key], *, now: datetime, using: str) -> int:
    """Let the deliveries of parked keys go on; return how many. The caller holds the locks, and settles the keys."""
    moved = 0
    for key in keys:
        if _parked(key, using=using).delete()[0]:
            held = _of(key, using=using).filter(route__paused=False)
            moved += held.exclude(endpoint__state=EndpointState.PAUSED).resume(now=now)
    return moved


def let_go_on(parked: ParkedKey, *, now: datetime) -> int:
    """Carry out an operator's order to let a parked key go on without its dead letter; return how many were held."""
    using = parked._state.db or "default"
    with transaction.atomic(using=using):
        lock_keys([parked.key], using=using)
        moved = unpark([parked.key], now=now, using=using)
        settle([parked.key], using=using, reorder=True)
    return moved


def mend_stranded(*, now: datetime, using: str) -> int:
    """Let the keys go on that stand still against their route's policy; return how many there were.

    The hub's own moves strand none; a changed policy, or rows that somebody removed by hand, do.
    """
    keys = {*_stranded(using=using), *_parked_against_policy(using=using)}
    for key in sorted(keys):
        with transaction.atomic(using=using):
            lock_keys([key], using=using)
            if _policy(key, using=using) != OrderingFailure.PARK:
                unpark([key], now=now, using=using)
            elif dead := _left_in_the_way(key, using=using):
                park(key, dead, now=now, using=using)
            settle([key], using=using, reorder=True)
    return len(keys)


def named(keys: Sequence[Key], *, using: str) -> tuple[str, list[Any]]:
    """Return the start of a statement that names ``keys`` as the table ``k``, and its parameters."""
    connection = connections[using]
    as_stored = Route._meta.pk.get_db_prep_value
    values = [value for key in keys for value in (as_stored(key.route_id, connection), key.ordering_key)]
    return f"WITH k(route_id, ordering_key) AS (VALUES {', '.join(['(%s, %s)'] * len(keys))})", values


def _standing(keys: list[Key], *, using: str) -> list[tuple[Any, ...]]:
    table, values = named(keys, using=using)
    statement = f"""
        {table}
        SELECT k.route_id, k.ordering_key,
            (SELECT MAX(e.ordinal) FROM deliveries_delivery e WHERE {OF_KEY} AND {_INDEXED.format("e")}),
            EXISTS (SELECT 1 FROM deliveries_delivery e WHERE {OF_KEY} AND {IS_IN_THE_WAY}),
            EXISTS (SELECT 1 FROM deliveries_parkedkey e WHERE {OF_KEY})
        FROM k JOIN integrations_route r ON r.id = k.route_id
    """
    with connections[using].cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _stranded(*, using: str) -> list[Key]:
    statement = f"""
        SELECT b.route_id, b.ordering_key
        FROM (SELECT route_id, ordering_key, MIN(ordinal) AS ordinal FROM deliveries_delivery
              WHERE blocked GROUP BY route_id, ordering_key) b
        JOIN integrations_route r ON r.id = b.route_id
        WHERE NOT EXISTS (SELECT 1 FROM deliveries_delivery e
                          WHERE e.route_id = b.route_id AND e.ordering_key = b.ordering_key
                          AND (e.ordinal < b.ordinal OR e.status = 'running') AND {IS_IN_THE_WAY})
        LIMIT {_SWEPT_AT_ONCE}
    """
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
        return [Key(as_uuid(route_id), ordering_key) for route_id, ordering_key in cursor.fetchall()]


def _parked_against_policy(*, using: str) -> list[Key]:
    found = ParkedKey.objects.using(using).exclude(route__ordering_failure=OrderingFailure.PARK)
    return [Key(*row) for row in found.values_list("route_id", "ordering_key")[:_SWEPT_AT_ONCE]]


def _left_in_the_way(key: Key, *, using: str) -> UUID | None:
    """Return the dead letter that the key stood behind before its route's policy became to park; None if none is."""
    found = _of(key, using=using).order_by("ordinal").values_list("pk", "status").first()
    return found[0] if found and found[1] == DeliveryStatus.DEAD and not _parked(key, using=using).exists() else None


def _of(key: Key, *, using: str) -> DeliveryQuerySet:
    """Return those of ``key`` that are not over, or dead."""
    indexed = RawSQL(  # noqa: S611 - a constant
        _INDEXED.format("deliveries_delivery"), (), output_field=models.BooleanField()
    )
    return _deliveries(using).filter(indexed, route_id=key.route_id, ordering_key=key.ordering_key)


def _in_the_way(key: Key, *, using: str) -> DeliveryQuerySet:
    statuses = IN_THE_WAY if _policy(key, using=using) == OrderingFailure.BLOCK else UNFINISHED
    return _of(key, using=using).filter(status__in=statuses)


def _policy(key: Key, *, using: str) -> str | None:
    return Route.objects.using(using).filter(pk=key.route_id).values_list("ordering_failure", flat=True).first()


def _parked(key: Key, *, using: str) -> models.QuerySet[ParkedKey]:
    return ParkedKey.objects.using(using).filter(route_id=key.route_id, ordering_key=key.ordering_key)


def _deliveries(using: str) -> DeliveryQuerySet:
    rows: DeliveryQuerySet = apps.get_model("deliveries", "Delivery").objects.using(using)
    return rows


def _lock_of(key: Key) -> tuple[int, int]:
    # Two signed 32-bit numbers.
    route = zlib.crc32(key.route_id.bytes) - 2**31
    return route, zlib.crc32(key.ordering_key.encode()) % _LOCKS_PER_ROUTE


def as_uuid(value: Any) -> UUID:
    """Return what a raw cursor gives for a UUID column as one; on SQLite it is a text."""
    return value if isinstance(value, UUID) else UUID(str(value))


def chunks(keys: list[Key]) -> Iterator[list[Key]]:
    """Yield ``keys`` in lists that one statement can name."""
    for start in range(0, len(keys), _NAMED_AT_ONCE):
        yield keys[start : start + _NAMED_AT_ONCE]
