"""Events before they are stored, and what becomes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from deliveries.models import Event, KeptKey, Verdict
from deliveries.models.known_bodies import Look, under_another_key, under_key_with
from deliveries.models.sealing import sealed_columns, storable
from deliveries.models.unsaved import unsaved
from deliveries.receiving.dedupe import ID, dedupe_key, is_body_key, is_id_key, outdated
from deliveries.receiving.endpoints import LiveEndpoint
from integrations import tracing
from integrations.contracts import InboundRequest
from integrations.models import Endpoint
from integrations.providers import Description

CONFLICTING_BODY = "conflicting_body"

#: So many other bodies under one key are kept.
MOST_VARIANTS = 5
#: A key is taken, its holder expires, another request takes it: each further round needs another such coincidence.
MOST_ROUNDS = 5


@dataclass(frozen=True)
class Acceptance:
    """What became of a request: stored with so many deliveries, or known already (``event_id`` is then the first's).

    ``events`` is how many were stored of a split batch, ``event_id`` the first of them; None: it was one event.
    ``types`` says how many were stored of each event type; None for a duplicate.
    """

    event_id: UUID
    deliveries: int
    is_duplicate: bool = False
    events: int | None = None
    types: Mapping[str, int] | None = field(default=None, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the answer to the sender."""
        if self.is_duplicate:
            return {"status": "duplicate", "event": str(self.event_id)}
        counted = {} if self.events is None else {"events": self.events}
        return {"status": "accepted", "event": str(self.event_id), **counted, "deliveries": self.deliveries}


@dataclass(frozen=True)
class First:
    """The event that holds a dedupe key; of one that ``is_gone`` the key is all that was kept."""

    id: UUID
    received_at: datetime
    body_sha256: bytes
    is_gone: bool = False


def draft(endpoint: LiveEndpoint, request: InboundRequest, payload: Any, *, verdict: Verdict) -> Event:
    """Return the whole request as an event, not yet stored."""
    preset = endpoint.preset
    event = drafted(
        endpoint,
        request,
        preset.describe(request, payload, endpoint.row.settings),
        payload=payload,
        body_hash=hashlib.sha256(request.body).digest(),
        verdict=verdict,
        columns=sealed(endpoint, request),
    )
    if preset.same_change is not None and verdict != Verdict.BACKFILLED:
        event.dedupe_key = _key_of_backfill(event, preset.same_change(event.event_type, payload)) or event.dedupe_key
    return event


def drafted(
    endpoint: LiveEndpoint,
    request: InboundRequest,
    described: Description,
    *,
    payload: Any,
    body_hash: bytes,
    verdict: Verdict,
    columns: dict[str, Any],
) -> Event:
    """Return an event, not yet stored, with the columns that `sealed` returned."""
    row = endpoint.row
    event = unsaved(
        Event,
        **columns,
        endpoint_id=row.pk,
        provider=row.provider,
        verdict=verdict,
        event_id=storable(described.event_id, 255),
        event_type=storable(described.event_type, 255),
        dedupe_key=dedupe_key(row.dedupe, event_id=described.event_id, payload=payload, body_hash=body_hash),
        body_sha256=body_hash,
        received_at=request.received_at,
        request_id=request.request_id,
        traceparent=tracing.traceparent(),
        source=request.source,
    )
    if is_body_key(event.dedupe_key) and not window(row):
        event.dedupe_key = outdated(event.dedupe_key, event.pk)
    return event


def sealed(endpoint: LiveEndpoint, request: InboundRequest) -> dict[str, Any]:
    """Return the columns that keep ``request``."""
    return sealed_columns(
        headers=request.headers,
        query_string=request.query_string,
        body=request.body,
        content_type=request.headers.get("Content-Type", ""),
        secret_headers=endpoint.scheme.proof_headers,
        secret_parameters=endpoint.scheme.proof_parameters,
        encrypt_body=endpoint.encrypts_bodies,
    )


def window(row: Endpoint) -> timedelta:
    """Return how long an identical body counts as a duplicate."""
    seconds = settings.HUB_BODY_DEDUPE_SECONDS if row.dedupe_seconds is None else row.dedupe_seconds
    return timedelta(seconds=seconds)


def has_expired(first: First, event: Event, row: Endpoint) -> bool:
    """Return whether the key of ``event`` is a body's hash and its holder's time is over."""
    return is_body_key(event.dedupe_key) and event.received_at - first.received_at >= window(row)


def counts_after(event: Event, row: Endpoint) -> datetime:
    """Return the moment after which the holder of the key of ``event`` has to have come for it to be a duplicate.

    What the hub asked for is never counted, so no holder came after that.
    """
    if event.verdict == Verdict.BACKFILLED:
        return datetime.max.replace(tzinfo=UTC)
    always, kept = datetime.min.replace(tzinfo=UTC), window(row)
    if is_body_key(event.dedupe_key) and kept < event.received_at - always:
        return event.received_at - kept
    return always


def kept_firsts(events: Sequence[Event], row: Endpoint) -> dict[str, First]:
    """Return who held the keys of ``events`` before retention removed it, by key; those still count.

    To be asked once they are stored, in the same transaction: a holder that goes meanwhile leaves its key behind
    before the new event can be stored. Nothing is asked at an endpoint of which no event has ever gone.
    """
    if row.keys_kept_since is None:
        return {}
    by_key = {event.dedupe_key: event for event in events}
    firsts = {}
    for key, holder in KeptKey.objects.holders(row.pk, by_key).items():
        first = First(holder.event, holder.received_at, bytes(by_key[key].body_sha256), is_gone=True)
        if not has_expired(first, by_key[key], row):
            firsts[key] = first
    return firsts


def make_way(first: First, key: str) -> None:
    """Free ``key`` for another event.

    Of several requests that find its holder expired, one renames it; all then compete for the free key.
    """
    Event.objects.filter(pk=first.id, dedupe_key=key).update(dedupe_key=outdated(key, first.id))


def _key_of_backfill(event: Event, name: str) -> str:
    """Return the key of the event under which a backfill has stored the same as ``event`` tells; "" if none has."""
    if not name:
        return ""
    key = dedupe_key("id", event_id=name, payload=None, body_hash=b"")
    stored = Event.objects.filter(endpoint_id=event.endpoint_id, dedupe_key=key, verdict=Verdict.BACKFILLED)
    return key if stored.exists() else ""


def look_for_replay(event: Event, endpoint: LiveEndpoint) -> Look | None:
    """Return the look for the same body under another id, which no proof covers, or under any, where this has none.

    None where there is nothing to look for. Whoever repeats a request can leave an unsigned header out, or name a media
    type under which no id is found.
    """
    if event.verdict not in {Verdict.VERIFIED, Verdict.REVERIFIED}:
        return None
    if is_id_key(event.dedupe_key):
        return None if endpoint.signs_id else under_another_key(event)
    has_ids = endpoint.row.dedupe == "id" and bool(endpoint.row.settings.get("event_id") or endpoint.preset.event_id)
    return under_key_with(ID) if has_ids else None
