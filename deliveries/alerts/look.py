"""What rules look at: the hub as a `Sight` has it, narrowed to what a rule is about, and sums of rollup rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Sum

from deliveries.concerns.sight import Sight
from deliveries.models import AlertRule, Rollup, Worker
from deliveries.models.rollup import COUNTS, Grain, Measure
from deliveries.stats import queue
from deliveries.stats.queue import Queue
from deliveries.stats.windows import floor
from integrations.models import Endpoint, EndpointState, Route

#: Longer windows are added up from hours, as minutes are kept for a day.
_BY_MINUTE = timedelta(hours=3)

#: Counts by endpoint, route and measure.
Counts = Mapping[tuple[UUID, UUID, Measure], int]


class Narrowed(Sight):
    """A part of what ``whole`` sees: one endpoint, and of that one route if it is given. Asks for nothing anew."""

    def __init__(self, whole: Sight, *, endpoint: UUID, route: UUID | None = None) -> None:
        super().__init__(None, now=whole.now)
        self._whole = whole
        self._endpoint = endpoint
        self._route = route

    @cached_property
    def endpoints(self) -> Mapping[UUID, Endpoint]:
        """The endpoint."""
        return {pk: row for pk, row in self._whole.endpoints.items() if pk == self._endpoint}

    @cached_property
    def routes(self) -> Mapping[UUID, Route]:
        """The route, or the endpoint's."""
        of_endpoint = {pk: row for pk, row in self._whole.routes.items() if row.endpoint_id == self._endpoint}
        return {pk: row for pk, row in of_endpoint.items() if self._route in {None, pk}}

    @cached_property
    def queues(self) -> Mapping[UUID, Queue]:
        """What waits for a worker, by route."""
        return {pk: found for pk, found in self._whole.queues.items() if pk in self.routes}

    @cached_property
    def dead(self) -> Mapping[UUID, int]:
        """How many dead letters a route has."""
        return {pk: count for pk, count in self._whole.dead.items() if pk in self.routes}

    @cached_property
    def workers(self) -> list[Worker]:
        """The workers, which are nobody's."""
        return self._whole.workers


class Look:
    """One look at the hub for all rules: what two of them need is asked for once."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._whole = Sight(None, now=now)
        self._counted: dict[datetime, Counts] = {}

    def sight(self, rule: AlertRule) -> Sight:
        """Return what ``rule`` is about."""
        if rule.endpoint_id is None:
            return self._whole
        return Narrowed(self._whole, endpoint=rule.endpoint_id, route=rule.route_id)

    def counted(self, rule: AlertRule) -> Counts:
        """Return what was counted in the rule's window, of what it is about."""
        grain, since = self._span(rule)
        if since not in self._counted:
            rows = Rollup.objects.within(grain, since).filter(measure__in=COUNTS)
            found = rows.values_list("endpoint_id", "route", "measure").annotate(sum=Sum("count")).order_by()
            self._counted[since] = {(pk, route, Measure(name)): count for pk, route, name, count in found}
        seen = self.sight(rule)
        counts = {key: count for key, count in self._counted[since].items() if key[0] in seen.endpoints}
        return counts if rule.route_id is None else {key: n for key, n in counts.items() if key[1] == rule.route_id}

    def by_endpoint(self, rule: AlertRule) -> Mapping[UUID, Counter[Measure]]:
        """Return what was counted in the rule's window by endpoint, routes together."""
        found: defaultdict[UUID, Counter[Measure]] = defaultdict(Counter)
        for (pk, _, measure), count in self.counted(rule).items():
            found[pk][measure] += count
        return found

    def answers(self, rule: AlertRule) -> Mapping[UUID, Counter[int]]:
        """Return, by endpoint, how long answers took in the rule's window: counts by bucket."""
        grain, since = self._span(rule)
        rows = Rollup.objects.within(grain, since).filter(measure=Measure.ACK, endpoint__in=self.sight(rule).endpoints)
        found: defaultdict[UUID, Counter[int]] = defaultdict(Counter)
        for pk, bucket, count in rows.values_list("endpoint_id", "bucket").annotate(sum=Sum("count")).order_by():
            found[pk][bucket] += count
        return found

    def queue(self, rule: AlertRule, *, most: int) -> Queue:
        """Return what waits for a worker, of what the rule is about, counted up to ``most`` by route."""
        routes = self.sight(rule).routes
        waiting = [pk for pk, row in routes.items() if not row.paused and row.endpoint.state != EndpointState.PAUSED]
        return queue.together(queue.by_route(waiting, now=self.now, most=most).values()) if waiting else Queue()

    def _span(self, rule: AlertRule) -> tuple[Grain, datetime]:
        length = timedelta(seconds=rule.window)
        grain = Grain.MINUTE if length <= _BY_MINUTE else Grain.HOUR
        return grain, floor(self.now - length, grain)
