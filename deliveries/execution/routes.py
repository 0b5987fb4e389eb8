"""The routes of claimed deliveries, from memory: not a query for every claim."""

from __future__ import annotations

import time
from collections.abc import Iterable
from uuid import UUID

from deliveries.models import Delivery
from integrations.models import Route

#: So long after an operator has changed a route, deliveries may still run as it was.
FRESH_SECONDS = 0.5


class Routes:
    """The routes that were asked for lately, each with its endpoint."""

    def __init__(self) -> None:
        self._routes: dict[UUID, Route] = {}
        self._forget_at = float("-inf")

    def attach(self, deliveries: Iterable[Delivery]) -> None:
        """Give each of ``deliveries`` its route and endpoint. Raises Django's database errors."""
        if time.monotonic() >= self._forget_at:
            self._routes.clear()
            self._forget_at = time.monotonic() + FRESH_SECONDS
        missing = {delivery.route_id for delivery in deliveries} - self._routes.keys()
        if missing:
            self._routes.update(Route.objects.select_related("endpoint").in_bulk(missing))
        for delivery in deliveries:
            delivery.route = self._routes[delivery.route_id]
            delivery.endpoint = delivery.route.endpoint
            if Delivery.event.is_cached(delivery):
                delivery.event.endpoint = delivery.endpoint
