"""A request that tells of several things, taken apart: an event for each, all in one transaction.

Statements go over many rows at once, and over keys and rows in one order: two batches with the same items in another
order must not wait for each other in a circle.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from deliveries.models import Batch, Event, EventVariant, Verdict
from deliveries.models.sealing import SealedRequest, body_columns
from deliveries.receiving.drafts import (
    CONFLICTING_BODY,
    MOST_ROUNDS,
    MOST_VARIANTS,
    Acceptance,
    First,
    drafted,
    has_expired,
    kept_firsts,
    make_way,
    sealed,
)
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.queueing import Wanted, make_deliveries
from integrations.contracts import InboundRequest
from integrations.models import Batching, Endpoint
from integrations.routing import search
from integrations.verification.reasons import Reason, malformed

T = TypeVar("T")

#: A longer batch is refused: it is stored in one transaction, for which others may have to wait.
MAX_ITEMS = 10_000

# Databases bound how many values a statement may name, and memory how many rows.
_NAMED_AT_ONCE = 500
_KEPT = [field.name for field in SealedRequest._meta.get_fields()]


def items_of(endpoint: LiveEndpoint, payload: Any) -> list[Any] | None:
    """Return the items of the batch that ``payload`` is; None if it is none, or the endpoint keeps batches whole.

    Raises `MalformedPayload` for more than `MAX_ITEMS`. A batch without an item is an event all the same.
    """
    if endpoint.row.batch != Batching.SPLIT or not endpoint.preset.batch:
        return None
    items = search(endpoint.preset.batch, payload)
    if not isinstance(items, list) or not items:
        return None
    if len(items) > MAX_ITEMS:
        raise malformed(Reason.BATCH_TOO_LONG, items=len(items), items_allowed=MAX_ITEMS)
    return items


def accept(
    endpoint: LiveEndpoint,
    request: InboundRequest,
    payload: Any,
    items: Sequence[Any],
    *,
    verdict: Verdict,
    now: datetime,
) -> Acceptance | None:
    """Store an event for each item that is not known yet, with its deliveries; count the others.

    Returns None if an item could be neither stored nor counted; nothing is stored then.
    """
    batch = Batch(
        **sealed(endpoint, request),
        endpoint_id=endpoint.row.pk,
        provider=endpoint.row.provider,
        item_count=len(items),
        received_at=request.received_at,
    )
    drafts = _drafts(endpoint, request, payload, items, verdict=verdict, batch=batch)
    try:
        with transaction.atomic():
            firsts = _settled(drafts, endpoint.row)
            if firsts is not None:
                firsts |= _taken_back(drafts, firsts, endpoint.row)
            if firsts is None or not _counted(drafts, firsts):
                transaction.set_rollback(True)
                return None
            new = [(event, item) for event, item in zip(drafts, items, strict=True) if _is_new(event, firsts)]
            if not new:
                return Acceptance(firsts[drafts[0].dedupe_key].id, 0, is_duplicate=True)
            batch.save(force_insert=True)
            wanted = [
                Wanted(event, route, item)
                for event, item in new
                for route in endpoint.routes
                if route.takes(event.event_type, item)
            ]
            made = make_deliveries(wanted, endpoint.row, now=now)
    except IntegrityError:
        return None
    types = Counter(event.event_type for event, _ in new)
    return Acceptance(new[0][0].pk, len(made), events=len(new), types=types)


def _drafts(
    endpoint: LiveEndpoint,
    request: InboundRequest,
    payload: Any,
    items: Sequence[Any],
    *,
    verdict: Verdict,
    batch: Batch,
) -> list[Event]:
    preset = endpoint.preset
    whole = preset.describe(request, payload, endpoint.row.settings)
    stamp = search(preset.batch_stamp, payload) if preset.batch_stamp else None
    shared = {name: getattr(batch, name) for name in _KEPT}
    drafts = []
    for index, item in enumerate(items):
        body = _json(item)
        columns = body_columns(body, content_type="application/json", encrypt_body=endpoint.encrypts_bodies)
        described = preset.describe_item(request, item, whole)
        said = item if described.event_id or stamp is None else [stamp, item]
        event = drafted(
            endpoint,
            request,
            described,
            payload=item,
            body_hash=hashlib.sha256(_json(said, sort_keys=True)).digest(),
            verdict=verdict,
            columns={**shared, **columns},
        )
        event.batch_id, event.batch_index = batch.pk, index
        drafts.append(event)
    return drafts


def _json(item: Any, *, sort_keys: bool = False) -> bytes:
    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)
    return text.encode("utf-8", "replace")


def _settled(drafts: Sequence[Event], row: Endpoint) -> dict[str, First] | None:
    """Store what is not known yet; return who holds each key then, or None if one cannot be had."""
    waiting: dict[str, Event] = {}
    for event in drafts:
        waiting.setdefault(event.dedupe_key, event)
    firsts: dict[str, First] = {}
    for _ in range(MOST_ROUNDS):
        keys = sorted(waiting)
        # Those whose key is taken are left out, without an error that would end the transaction.
        wanted = [waiting[key] for key in keys]
        Event.objects.bulk_create(wanted, batch_size=_NAMED_AT_ONCE, ignore_conflicts=True)
        holders = _holders(row, keys)
        for key in keys:
            first, event = holders.get(key), waiting[key]
            if first is None:
                continue
            if first.id != event.pk and has_expired(first, event, row):
                make_way(first, key)
                continue
            firsts[key] = first
            del waiting[key]
        if not waiting:
            return firsts
    return None


def _taken_back(drafts: Sequence[Event], firsts: Mapping[str, First], row: Endpoint) -> dict[str, First]:
    """Take back what was stored although its key had been kept of an event that is gone; return who held it."""
    new = [event for event in drafts if _is_new(event, firsts)]
    known: dict[str, First] = {}
    for some in _chunks(new):
        known |= kept_firsts(some, row)
    for ids in _chunks([event.pk for event in new if event.dedupe_key in known]):
        Event.objects.filter(pk__in=ids).delete()
    return known


def _holders(row: Endpoint, keys: Sequence[str]) -> dict[str, First]:
    found: dict[str, First] = {}
    for some in _chunks(keys):
        rows = Event.objects.filter(endpoint_id=row.pk, dedupe_key__in=some)
        for key, pk, received_at, body_sha256 in rows.values_list("dedupe_key", "pk", "received_at", "body_sha256"):
            found[key] = First(pk, received_at, bytes(body_sha256))
    return found


def _is_new(event: Event, firsts: Mapping[str, First]) -> bool:
    return firsts[event.dedupe_key].id == event.pk


def _counted(drafts: Sequence[Event], firsts: Mapping[str, First]) -> bool:
    """Count what is known on the first of its key, and keep other bodies; False if a first is gone."""
    known = [(firsts[event.dedupe_key], event) for event in drafts if not _is_new(event, firsts)]
    repeated = [(first, event) for first, event in known if not first.is_gone]
    times = Counter(first.id for first, _ in repeated)
    flags: dict[UUID, list[str]] = {}
    for some in _chunks(sorted(times)):
        rows = Event.objects.select_for_update(no_key=True).filter(pk__in=some).order_by("pk")
        flags.update(rows.values_list("pk", "flags"))
    if len(flags) < len(times):
        return False
    for count in set(times.values()):
        for some in _chunks([pk for pk in times if times[pk] == count]):
            Event.objects.filter(pk__in=some).update(duplicates=F("duplicates") + count)
    _keep_variants([(first, event) for first, event in repeated if first.body_sha256 != event.body_sha256], flags)
    return True


def _keep_variants(conflicts: Sequence[tuple[First, Event]], flags: Mapping[UUID, list[str]]) -> None:
    """Flag the first events and keep the other bodies, within bounds; the caller holds the locks on the first."""
    ids = list({first.id for first, _ in conflicts})
    unflagged: defaultdict[tuple[str, ...], list[UUID]] = defaultdict(list)
    for pk in ids:
        if CONFLICTING_BODY not in flags[pk]:
            unflagged[(*flags[pk], CONFLICTING_BODY)].append(pk)
    for wanted, of in unflagged.items():
        for some in _chunks(of):
            Event.objects.filter(pk__in=some).update(flags=list(wanted))
    known: defaultdict[UUID, set[bytes]] = defaultdict(set)
    for some in _chunks(ids):
        for first_id, digest in EventVariant.objects.filter(event__in=some).values_list("event_id", "body_sha256"):
            known[first_id].add(bytes(digest))
    EventVariant.objects.bulk_create(_variants(conflicts, known))


def _variants(conflicts: Sequence[tuple[First, Event]], known: Mapping[UUID, set[bytes]]) -> Iterator[EventVariant]:
    for first, event in conflicts:
        digest = bytes(event.body_sha256)
        if digest not in known[first.id] and len(known[first.id]) < MOST_VARIANTS:
            known[first.id].add(digest)
            yield EventVariant.of(first.id, event, {name: getattr(event, name) for name in _KEPT})


def _chunks(values: Collection[T]) -> Iterator[list[T]]:
    listed = list(values)
    for start in range(0, len(listed), _NAMED_AT_ONCE):
        yield listed[start : start + _NAMED_AT_ONCE]
