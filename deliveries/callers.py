"""What calls a connection: it cannot be retired as long as anything does."""

from __future__ import annotations

from deliveries.models import Backfill
from integrations.calling.callers import routes_that_call
from integrations.models import Connection


def backfills_by(connection: Connection) -> list[Backfill]:
    """Return the backfills of endpoints in service that ask by ``connection``, by their endpoints."""
    rows = Backfill.objects.filter(connection=connection, endpoint__retired_at=None)
    return list(rows.select_related("endpoint").order_by("endpoint__slug"))


def callers_of(connection: Connection) -> list[str]:
    """Return what calls ``connection``, for people."""
    routes = [f"the route {route.endpoint.slug} / {route.name}" for route in routes_that_call(connection.name)]
    return [*routes, *(f"the backfill of {row.endpoint.slug}" for row in backfills_by(connection))]
