"""What stands still at each route: dead letters, and what is held. Bounded looks at indexes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, router

from deliveries.models import Delivery, DeliveryStatus

#: A look at the index `delivery_dead` for each route.
_DEAD = f"""
    SELECT r.id, (SELECT COUNT(*) FROM (
        SELECT 1 FROM deliveries_delivery d
        WHERE d.route_id = r.id AND d.status = '{DeliveryStatus.DEAD}' LIMIT %(most)s
    ) found)
    FROM integrations_route r
"""  # noqa: S608 - our own words

#: A look at the end of the index `delivery_held` for each route: an endpoint's newest, of which some are the route's.
_NEWEST_HELD = f"""
    SELECT d.route_id, d.created_at FROM deliveries_delivery d
    WHERE d.endpoint_id = r.endpoint_id AND d.status = '{DeliveryStatus.HELD}' ORDER BY d.id DESC LIMIT %(most)s
"""  # noqa: S608 - our own words
_HELD = f"""
    SELECT r.id,
        (SELECT COUNT(*) FROM ({_NEWEST_HELD}) h WHERE h.route_id = r.id),
        (SELECT COUNT(*) FROM ({_NEWEST_HELD}) h WHERE h.route_id = r.id AND h.created_at >= %(since)s)
    FROM integrations_route r JOIN integrations_endpoint e ON e.id = r.endpoint_id
    WHERE r.paused OR e.state = 'paused'
"""  # noqa: S608 - our own words


@dataclass(frozen=True)
class Held:
    """``count`` deliveries are held, ``recent`` of them made since a moment."""

    count: int
    recent: int


def dead_letters(*, most: int) -> dict[UUID, int]:
    """Return how many dead letters each route has, counted up to ``most``; those without any are not in it."""
    return {route: count for route, count in _rows(_DEAD, {"most": most}) if count}


def held(routes: Collection[UUID], *, since: datetime, most: int) -> dict[UUID, Held]:
    """Return what is held on those of ``routes`` that are paused, or whose endpoint is.

    Counted are those among the ``most`` newest of the endpoint.
    """
    stored = connections[router.db_for_read(Delivery)].ops.adapt_datetimefield_value(since)
    found = _rows(_HELD, {"most": most, "since": stored})
    return {route: Held(count, recent) for route, count, recent in found if count and route in routes}


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connections[router.db_for_read(Delivery)].cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [(route if isinstance(route, UUID) else UUID(str(route)), *counts) for route, *counts in rows]
