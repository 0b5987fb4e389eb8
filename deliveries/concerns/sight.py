"""What somebody can see of the hub at one moment; each fact is asked for once, by whoever needs it first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from deliveries.concerns.traffic import Traffic, traffic
from deliveries.models import Worker
from deliveries.stats import queue, standing
from deliveries.stats.queue import Queue
from integrations.models import Endpoint, EndpointState, Route, groups_of

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: So many dead letters of a route are counted; there may be more.
MOST_DEAD = 1000


class Sight:
    """The endpoints and routes that ``user`` may see, retired ones too, and how they stand; all of them for None."""

    def __init__(self, user: Person | None, *, now: datetime) -> None:
        self.user = user
        self.now = now

    def may(self, permission: str) -> bool:
        """Return whether the user has ``permission``; the hub itself has every one."""
        return self.user is None or self.user.has_perm(permission)

    @cached_property
    def sees_all(self) -> bool:
        """Whether no group limits what is seen."""
        return self.user is None or groups_of(self.user) is None

    @cached_property
    def endpoints(self) -> Mapping[UUID, Endpoint]:
        """Every endpoint by its id; without its settings."""
        rows = Endpoint.objects.all() if self.user is None else Endpoint.objects.visible_to(self.user)
        return {row.pk: row for row in rows.only("slug", "name", "provider", "state", "created_at", "retired_at")}

    @cached_property
    def routes(self) -> Mapping[UUID, Route]:
        """Every route by its id, each with its endpoint."""
        rows = Route.objects.all() if self.user is None else Route.objects.visible_to(self.user)
        found = {}
        for row in rows.only("name", "endpoint_id", "paused", "enabled", "ordering_key", "retired_at"):
            if row.endpoint_id in self.endpoints:  # or it was made in the moment between the two looks
                row.endpoint = self.endpoints[row.endpoint_id]
                found[row.pk] = row
        return found

    @cached_property
    def queues(self) -> Mapping[UUID, Queue]:
        """What waits for a worker, by route; what is paused does not."""
        waiting = [
            pk for pk, row in self.routes.items() if not row.paused and row.endpoint.state != EndpointState.PAUSED
        ]
        return queue.by_route(waiting, now=self.now, most=queue.MOST) if waiting else {}

    @cached_property
    def queue(self) -> Queue:
        """All that waits, together."""
        return queue.together(self.queues.values())

    @cached_property
    def dead(self) -> Mapping[UUID, int]:
        """How many dead letters a route has, counted up to one more than `MOST_DEAD`; only routes that have any."""
        found = standing.dead_letters(most=MOST_DEAD + 1) if self.routes else {}
        return {route: count for route, count in found.items() if route in self.routes}

    @cached_property
    def traffic(self) -> Mapping[UUID, Traffic]:
        """What each endpoint took and refused of late; of those that heard nothing, nothing."""
        return {pk: found for pk, found in traffic(self.now).items() if pk in self.endpoints}

    @cached_property
    def workers(self) -> list[Worker]:
        """The workers that were heard of in the last day or so."""
        return list(Worker.objects.order_by("name"))

    @cached_property
    def workers_alive(self) -> list[Worker]:
        """Those that are heard of now."""
        return [row for row in self.workers if row.is_alive(self.now)]
