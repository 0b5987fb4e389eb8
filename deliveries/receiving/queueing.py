"""Deliveries of events: a row for each route, which is also its place in the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from deliveries.models import Delivery, DeliveryStatus, Event
from integrations.models import Endpoint, EndpointState, Route


def make_deliveries(event: Event, endpoint: Endpoint, routes: Sequence[Route], *, now: datetime) -> list[Delivery]:
    """Make a delivery of ``event`` for each of ``routes``, held where the endpoint or the route is paused.

    To be called in the transaction that stores the event, or that looked whether the deliveries are there already.
    """
    return make_all([(event, route) for route in routes], endpoint, now=now)


def make_all(pairs: Sequence[tuple[Event, Route]], endpoint: Endpoint, *, now: datetime) -> list[Delivery]:
    """Do what `make_deliveries` does for many events of one endpoint, in as few statements."""
    held = _held(endpoint, {route.pk: route for _, route in pairs}.values())
    return Delivery.objects.bulk_create(
        Delivery(
            event=event,
            endpoint_id=endpoint.pk,
            route=route,
            status=DeliveryStatus.HELD if route.pk in held else DeliveryStatus.PENDING,
            priority=endpoint.priority + route.priority,
            due_at=now,
            created_at=now,
        )
        for event, route in pairs
    )


def _held(endpoint: Endpoint, routes: Iterable[Route]) -> set[UUID]:
    """Return the routes whose deliveries have to wait.

    What is known as paused is looked at again, under a lock: if it was resumed a moment ago, nobody would come any
    more to let a held delivery go. The other way round costs nothing but a delivery made while the pause began.
    """
    paused = {route.pk for route in routes if route.paused}
    if endpoint.state == EndpointState.PAUSED:
        current = Endpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).values_list("state", flat=True)
        if current.first() == EndpointState.PAUSED:
            return {route.pk for route in routes}
    if not paused:
        return set()
    rows = Route.objects.select_for_update(no_key=True).filter(pk__in=paused, paused=True).order_by("pk")
    return set(rows.values_list("pk", flat=True))
