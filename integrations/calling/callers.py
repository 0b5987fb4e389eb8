"""Which routes call a connection."""

from __future__ import annotations

from integrations.guards import named_connections
from integrations.models import Route


def routes_that_call(connection: str) -> list[Route]:
    """Return the routes in service whose config names ``connection``, by their endpoint and name."""
    live = Route.objects.live().filter(endpoint__retired_at=None).select_related("endpoint")
    rows = live.order_by("endpoint__slug", "name")
    return [route for route in rows if connection in named_connections(route.handler, route.config)]
