"""Deliveries of events: a row for each route, which is also its place in the queue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import router

from deliveries.models import Delivery, DeliveryStatus, Event, pause_lock
from deliveries.models.inserting import can_insert_at_once, insert_at_once, insert_deliveries
from deliveries.models.known_bodies import Look
from deliveries.models.ordering import Key, Place, places
from deliveries.models.sealing import storable
from deliveries.models.unsaved import unsaved
from deliveries.wakeup import hint_on_commit
from integrations.models import Endpoint, EndpointState, Route
from integrations.routing import search

_LONGEST_KEY = 200


@dataclass(frozen=True)
class Wanted:
    """A delivery to make: an event for a route that takes it, with the payload that its ordering key is found in.

    ``bulk`` ones run in the lane of bulk replays.
    """

    event: Event
    route: Route
    payload: Any
    bulk: bool = False

    @property
    def key(self) -> Key | None:
        """The ordering key; None where the route has none, or finds nothing in the payload."""
        text = ordering_key(self.route.ordering_key, self.payload)
        return Key(self.route.pk, text) if text else None


def make_deliveries(wanted: Sequence[Wanted], endpoint: Endpoint, *, now: datetime) -> list[Delivery]:
    """Make what is ``wanted`` of events of ``endpoint``; held where the endpoint, the route or the key is paused.

    To be called in the transaction that stores the events, or that looked whether the deliveries are there already.
    """
    using = router.db_for_write(Delivery)
    keys = [item.key if item.route.ordering_key else None for item in wanted]
    held = _held(endpoint, {item.route.pk: item.route for item in wanted}.values(), using=using)
    queue = _Queue({key for key in keys if key}, using=using)
    made = [
        unsaved(
            Delivery,
            event=item.event,
            endpoint_id=endpoint.pk,
            route=item.route,
            bulk=item.bulk,
            due_at=now,
            created_at=now,
            **queue.place(key, held=item.route.pk in held),
        )
        for item, key in zip(wanted, keys, strict=True)
    ]
    if any(delivery.status == DeliveryStatus.PENDING for delivery in made):
        hint_on_commit(using=using)
    insert_deliveries(made, using=using)
    return made


def are_stored_at_once(wanted: Iterable[Wanted], *, using: str) -> bool:
    """Return whether `store_at_once` can make what is ``wanted``: no delivery has a place behind others."""
    return can_insert_at_once(using) and not any(item.bulk or item.route.ordering_key for item in wanted)


def store_at_once(
    event: Event,
    wanted: Sequence[Wanted],
    endpoint: Endpoint,
    *,
    look: Look | None,
    now: datetime,
    counts_after: datetime,
) -> UUID | None:
    """Store ``event`` with what is ``wanted`` of it in one statement, or count it on the holder of its dedupe key.

    Returns the holder, which is the event itself if it was stored. None: the key is taken by one with another body,
    or that did not come after ``counts_after``.
    """
    using, routes = router.db_for_write(Delivery), [item.route for item in wanted]
    inserted = insert_at_once(
        event,
        [route.pk for route in routes],
        look=look,
        now=now,
        counts_after=counts_after,
        looks_at_pause=bool(routes) and _may_be_held(endpoint, routes),
        using=using,
    )
    if inserted.is_due:
        hint_on_commit(using=using)
    return inserted.holder


def ordering_key(expression: str, payload: Any) -> str:
    """Return what the JMESPath ``expression`` finds, as a text that a key can be; "" if it finds nothing."""
    found = search(expression, payload) if expression else None
    if found is None or found == "":
        return ""
    text = found if isinstance(found, str) else json.dumps(found, sort_keys=True, ensure_ascii=False)
    key = storable(text)
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


class _Queue:
    """The places of new deliveries: those of one key stand one behind the other."""

    def __init__(self, keys: Collection[Key], *, using: str) -> None:
        self._places = places(keys, using=using) if keys else {}

    def place(self, key: Key | None, *, held: bool) -> dict[str, Any]:
        """Return the columns of the next delivery with ``key``."""
        if key is None:
            return {"status": DeliveryStatus.HELD if held else DeliveryStatus.PENDING}
        place = self._places[key]
        self._places[key] = Place(place.ordinal + 1, blocked=True, parked=place.parked)
        return {
            "status": DeliveryStatus.HELD if held or place.parked else DeliveryStatus.PENDING,
            "ordering_key": key.ordering_key,
            "ordinal": place.ordinal,
            "blocked": place.blocked,
        }


def _may_be_held(endpoint: Endpoint, routes: Iterable[Route]) -> bool:
    """Return whether the endpoint, or a route, is known as paused."""
    return endpoint.state == EndpointState.PAUSED or any(route.paused for route in routes)


def _held(endpoint: Endpoint, routes: Collection[Route], *, using: str) -> set[UUID]:
    """Return the routes whose deliveries have to wait.

    What is known as paused is looked at again, under a lock: if it was resumed a moment ago, nobody would come any
    more to let a held delivery go. The other way round costs nothing but a delivery made while the pause began.
    """
    if not _may_be_held(endpoint, routes):
        return set()
    pause_lock.share([endpoint.pk], using=using)
    ids = {route.pk for route in routes}
    if Endpoint.objects.using(using).filter(pk=endpoint.pk, state=EndpointState.PAUSED).exists():
        return ids
    return set(Route.objects.using(using).filter(pk__in=ids, paused=True).values_list("pk", flat=True))
