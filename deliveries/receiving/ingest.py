"""Store an event and its deliveries, once, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, connections, router, transaction
from django.db.models import F

from deliveries.models import Event, EventVariant, Verdict
from deliveries.models.inserting import insert_event
from deliveries.models.known_bodies import Look
from deliveries.models.rollup import Measure
from deliveries.receiving import batches, endpoints
from deliveries.receiving.drafts import (
    CONFLICTING_BODY,
    MOST_ROUNDS,
    MOST_VARIANTS,
    Acceptance,
    First,
    counts_after,
    draft,
    has_expired,
    kept_firsts,
    look_for_replay,
    make_way,
    sealed,
)
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.queueing import Wanted, are_stored_at_once, make_deliveries, store_at_once
from deliveries.receiving.refusals import Unavailable
from deliveries.stats.counting import counting
from integrations.contracts import InboundRequest

log = structlog.get_logger(__name__)


def accept(
    endpoint: LiveEndpoint, request: InboundRequest, payload: Any, *, verdict: Verdict, now: datetime | None = None
) -> Acceptance:
    """Store ``request`` as an event of ``endpoint`` with a delivery for every route that matches; or count it.

    A batch is stored as an event for each item where the endpoint splits it.

    Once this returns, events and deliveries are committed together. Of several with one dedupe key, also at the same
    moment, one is stored and the others are counted on it. Raises Django's database errors, `MalformedPayload` for a
    batch that is too long, and `Unavailable` if the endpoint or its routes changed underneath; nothing is stored then.
    Deliveries are due at ``now``, which is the request's arrival unless it came long ago.
    """
    due_at = now or request.received_at
    items = batches.items_of(endpoint, payload)
    if items is None:
        accepted = _accept_whole(endpoint, request, payload, verdict=verdict, now=due_at)
    else:
        accepted = batches.accept(endpoint, request, payload, items, verdict=verdict, now=due_at)
    if accepted is not None:
        measure = Measure.DUPLICATE if accepted.is_duplicate else Measure.ACCEPTED
        counting.add(measure, endpoint.row.pk, at=due_at, count=accepted.events or 1, names=accepted.types)
        return accepted
    endpoints.forget()
    log.warning("event.not_stored", endpoint=endpoint.row.slug)
    raise Unavailable(wait_seconds=1)


def _accept_whole(
    endpoint: LiveEndpoint, request: InboundRequest, payload: Any, *, verdict: Verdict, now: datetime
) -> Acceptance | None:
    """Return what became of the request; None if it could be neither stored nor counted."""
    event = draft(endpoint, request, payload, verdict=verdict)
    look = look_for_replay(event, endpoint)
    return store(event, wanted_of(event, endpoint, payload), endpoint, request, look=look, now=now)


def wanted_of(event: Event, endpoint: LiveEndpoint, payload: Any) -> list[Wanted]:
    """Return the deliveries to make of ``event``: one for each route that takes it."""
    return [Wanted(event, route, payload) for route in endpoint.routes if route.takes(event.event_type, payload)]


def store(
    event: Event,
    wanted: Sequence[Wanted],
    endpoint: LiveEndpoint,
    request: InboundRequest,
    *,
    now: datetime,
    look: Look | None = None,
) -> Acceptance | None:
    """Store ``event`` with the deliveries that are ``wanted`` of it, or count it on the first of its key.

    If ``look`` finds its body, it is flagged as a possible replay. Returns None if neither could be done. In a
    transaction of the caller's it is part of that.
    """
    for _ in range(MOST_ROUNDS):
        try:
            holder = _insert(event, wanted, endpoint, look=look, now=now)
            if holder == event.pk:
                return Acceptance(event.pk, len(wanted), types={event.event_type: 1})
            if holder is not None:
                return Acceptance(holder, 0, is_duplicate=True)
        except _Kept as kept:
            return Acceptance(kept.by.id, 0, is_duplicate=True)
        except IntegrityError as exc:  # the endpoint or a route is gone
            log.info("event.refused_by_database", endpoint=endpoint.row.slug, error_type=type(exc).__name__)
        first = _first(event)
        if first is None:
            continue
        if has_expired(first, event, endpoint.row):
            make_way(first, event.dedupe_key)
            continue
        if _count(first, event, endpoint, request):
            return Acceptance(first.id, 0, is_duplicate=True)
    return None


class _Kept(Exception):
    """The key of an event was kept ``by`` one that is gone: nothing is stored."""

    def __init__(self, by: First) -> None:
        super().__init__()
        self.by = by


def _insert(
    event: Event, wanted: Sequence[Wanted], endpoint: LiveEndpoint, *, look: Look | None, now: datetime
) -> UUID | None:
    """Store ``event`` with its deliveries, or count it on the holder of its dedupe key, where that takes no more.

    Returns the holder, which is the event itself if it was stored; None if the key is taken, and nothing was done.
    Raises `_Kept`, and Django's `IntegrityError` if the endpoint or a route is gone.
    """
    row, using = endpoint.row, router.db_for_write(Event)
    at_once = are_stored_at_once(wanted, using=using)
    alone = at_once and row.keys_kept_since is None and not connections[using].in_atomic_block
    with nullcontext() if alone else transaction.atomic(using=using):
        if at_once:
            after = counts_after(event, row)
            holder = store_at_once(event, wanted, row, look=look, now=now, counts_after=after)
        else:
            holder = event.pk if insert_event(event, look, using=using) else None
        is_new = holder == event.pk
        if is_new and (known := kept_firsts([event], row).get(event.dedupe_key)):
            raise _Kept(known)
        if is_new and not at_once:
            make_deliveries(wanted, row, now=now)
    return holder


def _first(event: Event) -> First | None:
    """Return who holds the key of ``event``; None if nobody does any more."""
    held = Event.objects.filter(endpoint_id=event.endpoint_id, dedupe_key=event.dedupe_key)
    found = held.values_list("pk", "received_at", "body_sha256").first()
    return First(found[0], found[1], bytes(found[2])) if found else None


def _count(first: First, event: Event, endpoint: LiveEndpoint, request: InboundRequest) -> bool:
    """Count ``event`` on the first of its key, and keep its body if it is another; False if the first is gone.

    What the hub asked for did not come once more: it is known, and that is all.
    """
    if event.verdict == Verdict.BACKFILLED:
        return Event.objects.filter(pk=first.id).exists()
    with transaction.atomic():
        counted = Event.objects.filter(pk=first.id).update(duplicates=F("duplicates") + 1)
        if counted and event.body_sha256 != first.body_sha256:
            _keep_variant(first, event, endpoint, request)
    return bool(counted)


def _keep_variant(first: First, event: Event, endpoint: LiveEndpoint, request: InboundRequest) -> None:
    """Flag the first event and keep the other body; the caller's update holds the lock on the first.

    A backfilled one is not flagged: its provider wrote the body anew when it was asked.
    """
    flags: list[str]
    flags, verdict = Event.objects.values_list("flags", "verdict").get(pk=first.id)
    if CONFLICTING_BODY not in flags and verdict != Verdict.BACKFILLED:
        Event.objects.filter(pk=first.id).update(flags=[*flags, CONFLICTING_BODY])
    known = {
        bytes(digest) for digest in EventVariant.objects.filter(event=first.id).values_list("body_sha256", flat=True)
    }
    if event.body_sha256 not in known and len(known) < MOST_VARIANTS:
        EventVariant.of(first.id, event, sealed(endpoint, request)).save(force_insert=True)
