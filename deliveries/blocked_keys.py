"""Ordering keys that stand still: which they are, what is in their way, and the order to let one go on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, router, transaction
from django.utils import timezone

from deliveries import audit
from deliveries.models import Delivery, DeliveryStatus, ParkedKey, ordering
from deliveries.models.ordering import IS_IN_THE_WAY, OF_KEY, Key, as_uuid

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Keys on a page; more than these nobody looks at one by one.
MOST_SHOWN = 100
#: What waits behind deliveries in one of these is not going to run soon by itself.
_STANDING = (DeliveryStatus.DEAD, DeliveryStatus.WAITING, DeliveryStatus.HELD)


@dataclass(frozen=True)
class BlockedKey:
    """A key with ``waiting`` deliveries behind the one in the way, ``head``; ``parked`` if a policy holds them."""

    head: Delivery
    waiting: int
    parked: ParkedKey | None = None

    @property
    def needs_order(self) -> bool:
        """Whether it stands still until somebody gives an order."""
        return self.parked is not None or self.head.status == DeliveryStatus.DEAD


def blocked_keys(*, most: int = MOST_SHOWN) -> list[BlockedKey]:
    """Return up to ``most`` keys, those first that need an order, and of these the parked.

    Parked ones come with the dead letter that parked them, which may have been replayed meanwhile.
    """
    parked = list(
        ParkedKey.objects.select_related("route__endpoint", "delivery__route", "delivery__endpoint").order_by(
            "-parked_at"
        )[:most]
    )
    held = _held_behind([row.key for row in parked])
    keys = [BlockedKey(row.delivery, held.get(row.key, 0), row) for row in parked]
    known = {row.key for row in parked}
    found = _stopped(most=most)
    heads = Delivery.objects.select_related("route", "endpoint").in_bulk([head for head, _ in found])
    for pk, waiting in found:
        head = heads.get(pk)
        if head is not None and Key(head.route_id, head.ordering_key) not in known:
            keys.append(BlockedKey(head, waiting))
    return sorted(keys, key=lambda row: not row.needs_order)[:most]


def count_needing_order() -> int:
    """Return how many keys stand still until somebody gives an order, counted up to `MOST_SHOWN` of a kind."""
    return sum(row.needs_order for row in blocked_keys(most=MOST_SHOWN))


def heads(keys: Collection[Key]) -> dict[Key, Delivery]:
    """Return the delivery of each of ``keys`` that the others wait for: the one that runs, else the first."""
    using = router.db_for_read(Delivery)
    found: dict[Key, UUID] = {}
    for some in ordering.chunks(sorted(keys)):
        table, values = ordering.named(some, using=using)
        statement = f"""
            {table}
            SELECT k.route_id, k.ordering_key,
                (SELECT e.id FROM deliveries_delivery e WHERE {OF_KEY} AND {IS_IN_THE_WAY}
                 ORDER BY (CASE WHEN e.status = 'running' THEN 0 ELSE 1 END), e.ordinal LIMIT 1)
            FROM k JOIN integrations_route r ON r.id = k.route_id
        """
        with connections[using].cursor() as cursor:
            cursor.execute(statement, values)
            found |= {Key(as_uuid(route), text): as_uuid(head) for route, text, head in cursor.fetchall() if head}
    rows = Delivery.objects.in_bulk(list(found.values()))
    return {key: rows[pk] for key, pk in found.items() if pk in rows}


def let_go_on(parked: ParkedKey, *, by: User, now: datetime | None = None, via: str = "") -> int:
    """Let a parked key go on without its dead letter, which stays one; return how many deliveries were released."""
    with transaction.atomic():
        moved = ordering.let_go_on(parked, now=now or timezone.now())
        entry = f"Let the ordering key {parked.ordering_key!r} go on without delivery {parked.delivery_id}"
        message = f"{entry}; {moved} deliveries released."
        audit.record(audit.Action.ORDERED, parked.route, by=by, message=message, via=via)
    return moved


def _held_behind(keys: list[Key]) -> dict[Key, int]:
    using = router.db_for_read(Delivery)
    counts: dict[Key, int] = {}
    for some in ordering.chunks(sorted(keys)):
        table, values = ordering.named(some, using=using)
        statement = f"""
            {table}
            SELECT k.route_id, k.ordering_key, (SELECT COUNT(*) FROM deliveries_delivery e
                WHERE {OF_KEY} AND {IS_IN_THE_WAY} AND e.status = 'held')
            FROM k JOIN integrations_route r ON r.id = k.route_id
        """
        with connections[using].cursor() as cursor:
            cursor.execute(statement, values)
            counts |= {Key(as_uuid(route), text): waiting for route, text, waiting in cursor.fetchall()}
    return counts


def _stopped(*, most: int) -> list[tuple[UUID, int]]:
    """Return the deliveries behind which others wait while they do not run, dead letters first, and how many wait."""
    statuses = ", ".join(f"'{status}'" for status in _STANDING)
    statement = f"""
        SELECT h.id, k.waiting
        FROM (SELECT route_id, ordering_key, COUNT(*) AS waiting FROM deliveries_delivery WHERE blocked
              GROUP BY route_id, ordering_key) k
        JOIN integrations_route r ON r.id = k.route_id
        JOIN deliveries_delivery h ON h.id = (
            SELECT e.id FROM deliveries_delivery e WHERE {OF_KEY} AND {IS_IN_THE_WAY}
            ORDER BY (CASE WHEN e.status = 'running' THEN 0 ELSE 1 END), e.ordinal LIMIT 1)
        WHERE h.status IN ({statuses})
        ORDER BY (CASE WHEN h.status = 'dead' THEN 0 ELSE 1 END), h.ordinal
        LIMIT %s
    """
    with connections[router.db_for_read(Delivery)].cursor() as cursor:
        cursor.execute(statement, [most])
        rows: list[Any] = cursor.fetchall()
    return [(as_uuid(head), waiting) for head, waiting in rows]
