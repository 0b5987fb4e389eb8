"""Store an event and its deliveries, once, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from deliveries.models import Delivery, DeliveryStatus, Event, EventVariant, Verdict
from deliveries.models.sealing import sealed_columns, storable
from deliveries.receiving import endpoints
from deliveries.receiving.dedupe import dedupe_key, is_body_key, is_id_key, outdated
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.refusals import Unavailable
from integrations.contracts import InboundRequest
from integrations.models import Endpoint, EndpointState, Route

log = structlog.get_logger(__name__)

CONFLICTING_BODY = "conflicting_body"
POSSIBLE_REPLAY = "possible_replay"

_MOST_VARIANTS = 5
# A key is taken, its holder expires, another request takes it: each further round needs another such coincidence.
_MOST_ROUNDS = 5


@dataclass(frozen=True)
class Acceptance:
    """What became of an event: stored with so many deliveries, or known already (``event_id`` is then the first's)."""

    event_id: UUID
    deliveries: int
    is_duplicate: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the answer to the sender."""
        if self.is_duplicate:
            return {"status": "duplicate", "event": str(self.event_id)}
        return {"status": "accepted", "event": str(self.event_id), "deliveries": self.deliveries}


@dataclass(frozen=True)
class _First:
    """The event that holds a dedupe key."""

    id: UUID
    received_at: datetime
    body_sha256: bytes


def accept(endpoint: LiveEndpoint, request: InboundRequest, payload: Any, *, verdict: Verdict) -> Acceptance:
    """Store ``request`` as an event of ``endpoint`` with a delivery for every route that matches; or count it.

    Once this returns, event and deliveries are committed together. Of several with one dedupe key, also at the same
    moment, one is stored and the others are counted on it. Raises Django's database errors, and `Unavailable` if the
    endpoint or its routes changed underneath; nothing is stored then.
    """
    event = _draft(endpoint, request, payload, verdict=verdict)
    routes = [route for route in endpoint.routes if route.takes(event.event_type, payload)]
    for _ in range(_MOST_ROUNDS):
        try:
            with transaction.atomic():
                event.save(force_insert=True)
                make_deliveries(event, endpoint.row, routes, now=request.received_at)
            return Acceptance(event.pk, len(routes))
        except IntegrityError:
            first = _first(event)
        if first is None or _made_way(first, event, _window(endpoint.row)):
            continue
        if _count(first, event, endpoint, request):
            return Acceptance(first.id, 0, is_duplicate=True)
    endpoints.forget()
    log.warning("event.not_stored", endpoint=endpoint.row.slug, dedupe_key=event.dedupe_key)
    raise Unavailable(wait_seconds=1)


def make_deliveries(event: Event, endpoint: Endpoint, routes: Sequence[Route], *, now: datetime) -> list[Delivery]:
    """Make a delivery of ``event`` for each of ``routes``, held where the endpoint or the route is paused.

    To be called in the transaction that stores the event, or that looked whether the deliveries are there already.
    """
    held = _held(endpoint, routes)
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
        for route in routes
    )


def _held(endpoint: Endpoint, routes: Sequence[Route]) -> set[UUID]:
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


def _draft(endpoint: LiveEndpoint, request: InboundRequest, payload: Any, *, verdict: Verdict) -> Event:
    """Return the event, not yet stored."""
    row, preset = endpoint.row, endpoint.preset
    described = preset.describe(request, payload, row.settings)
    body_hash = hashlib.sha256(request.body).digest()
    event = Event(
        **_sealed(endpoint, request),
        endpoint_id=row.pk,
        provider=row.provider,
        verdict=verdict,
        event_id=storable(described.event_id, 255),
        event_type=storable(described.event_type, 255),
        dedupe_key=dedupe_key(row.dedupe, event_id=described.event_id, payload=payload, body_hash=body_hash),
        body_sha256=body_hash,
        received_at=request.received_at,
        request_id=request.request_id,
        source=request.source,
    )
    if is_body_key(event.dedupe_key) and not _window(row):
        event.dedupe_key = outdated(event.dedupe_key, event.pk)
    id_is_loose = verdict == Verdict.VERIFIED and is_id_key(event.dedupe_key) and not preset.signs_id(row.settings)
    if id_is_loose and _body_is_known(event):
        event.flags = [POSSIBLE_REPLAY]
    return event


def _sealed(endpoint: LiveEndpoint, request: InboundRequest) -> dict[str, Any]:
    return sealed_columns(
        headers=request.headers,
        query_string=request.query_string,
        body=request.body,
        content_type=request.headers.get("Content-Type", ""),
        secret_headers=endpoint.scheme.proof_headers,
        secret_parameters=endpoint.scheme.proof_parameters,
        encrypt_body=endpoint.encrypts_bodies,
    )


def _body_is_known(event: Event) -> bool:
    same_body = Event.objects.filter(endpoint_id=event.endpoint_id, body_sha256=event.body_sha256)
    return same_body.exclude(dedupe_key=event.dedupe_key).exists()


def _first(event: Event) -> _First | None:
    """Return who holds the key of ``event``; None if nobody does any more."""
    held = Event.objects.filter(endpoint_id=event.endpoint_id, dedupe_key=event.dedupe_key)
    found = held.values_list("pk", "received_at", "body_sha256").first()
    return _First(found[0], found[1], bytes(found[2])) if found else None


def _window(row: Endpoint) -> timedelta:
    """Return how long an identical body counts as a duplicate."""
    seconds = settings.HUB_BODY_DEDUPE_SECONDS if row.dedupe_seconds is None else row.dedupe_seconds
    return timedelta(seconds=seconds)


def _made_way(first: _First, event: Event, window: timedelta) -> bool:
    """Return whether the key is free again, as it is a body's hash and its time is over.

    Of several requests that find it so, one renames it; all then compete for the free key.
    """
    if not is_body_key(event.dedupe_key) or event.received_at - first.received_at < window:
        return False
    holder = Event.objects.filter(pk=first.id, dedupe_key=event.dedupe_key)
    holder.update(dedupe_key=outdated(event.dedupe_key, first.id))
    return True


def _count(first: _First, event: Event, endpoint: LiveEndpoint, request: InboundRequest) -> bool:
    """Count ``event`` on the first of its key, and keep its body if it is another; False if the first is gone."""
    with transaction.atomic():
        counted = Event.objects.filter(pk=first.id).update(duplicates=F("duplicates") + 1)
        if counted and event.body_sha256 != first.body_sha256:
            _keep_variant(first, event, endpoint, request)
    return bool(counted)


def _keep_variant(first: _First, event: Event, endpoint: LiveEndpoint, request: InboundRequest) -> None:
    """Flag the first event and keep the other body; the caller's update holds the lock on the first."""
    flags: list[str] = Event.objects.values_list("flags", flat=True).get(pk=first.id)
    if CONFLICTING_BODY not in flags:
        Event.objects.filter(pk=first.id).update(flags=[*flags, CONFLICTING_BODY])
    known = {
        bytes(digest) for digest in EventVariant.objects.filter(event=first.id).values_list("body_sha256", flat=True)
    }
    if event.body_sha256 not in known and len(known) < _MOST_VARIANTS:
        EventVariant.objects.create(
            **_sealed(endpoint, request),
            event_id=first.id,
            body_sha256=event.body_sha256,
            received_at=request.received_at,
        )
