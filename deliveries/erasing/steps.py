"""The work of an erasure, a batch of rows at a time: looked through, noted, and, once confirmed, erased."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from deliveries import payload_index
from deliveries.erasing.holding import Sought, holding_batches, holding_events, holding_rejections
from deliveries.models import (
    Batch,
    Delivery,
    DeliveryStatus,
    Erasure,
    ErasureState,
    Event,
    KeptKey,
    Rejection,
)
from deliveries.models.erasure import UNDER_WAY, ErasurePhase
from deliveries.models.keeping import EVERYTHING, Part
from deliveries.models.states import FINISHED
from deliveries.retention.stripping import BYTES_AT_ONCE, NO_BODY, NO_HEADERS, strip
from deliveries.shapes.forgetting import forget_names
from integrations.models import BatchedItem, Endpoint

log = structlog.get_logger(__name__)

#: Rows that are looked through at once.
AT_ONCE = 100
#: What the dedupe key of an event becomes whose key holds the value; the key itself is kept as a hash.
_ERASED_KEY = "erased:"

_PHASES = (ErasurePhase.EVENTS, ErasurePhase.BATCHES, ErasurePhase.REJECTIONS)
_MODELS: Mapping[str, tuple[Any, Callable[[Any, Sought], list[UUID]]]] = {
    ErasurePhase.EVENTS: (Event, holding_events),
    ErasurePhase.BATCHES: (Batch, holding_batches),
    ErasurePhase.REJECTIONS: (Rejection, holding_rejections),
}


def step(*, now: datetime) -> bool:
    """Look through the next rows of an erasure that is under way, whichever; return whether there was one."""
    row = Erasure.objects.filter(state__in=UNDER_WAY).order_by("pk").first()
    if row is None:
        return False
    _step(row, now=now)
    return True


def work_off(erasure: Erasure) -> Erasure:
    """Do all steps of ``erasure`` to the end of its counting or erasing, in this process; return it as it is."""
    while True:
        row = Erasure.objects.get(pk=erasure.pk)
        if row.state not in UNDER_WAY:
            return row
        _step(row, now=timezone.now())


def _step(row: Erasure, *, now: datetime) -> None:
    """Look through rows, which takes its time, and then, in a short transaction, erase and note what was found.

    Of several workers that looked through the same rows one notes it.
    """
    model, holding = _MODELS[row.phase]
    ids = _next(row, model)
    rows = model.objects.filter(pk__in=ids).order_by("pk")
    found = holding(list(rows if model is Rejection else rows.select_related("endpoint")), Sought(row.sought, row.path))
    with transaction.atomic():
        mine = Erasure.objects.select_for_update().filter(pk=row.pk, state=row.state, phase=row.phase)
        current = mine.filter(looked_until=row.looked_until).first()
        if current is None:
            return
        if current.state == ErasureState.ERASING:
            found = _erase(current, found, now=now)
        current.note(current.phase, found)
        current.looked_at += len(ids)
        if ids:
            current.looked_until = ids[-1]
        else:
            _go_on(current, now=now)
        current.save()


def _next(row: Erasure, model: Any) -> list[UUID]:
    """Return the ids of the next rows, bounded in number and by what their bodies take in memory."""
    rows = model.objects.order_by("pk")
    if row.looked_until is not None:
        rows = rows.filter(pk__gt=row.looked_until)
    ids: list[UUID] = []
    total = 0
    for pk, size in rows.values_list("pk", "body_bytes")[:AT_ONCE]:
        total += size
        if ids and total > BYTES_AT_ONCE:
            break
        ids.append(pk)
    return ids


def _go_on(row: Erasure, *, now: datetime) -> None:
    """Begin the next phase, or end."""
    row.looked_until = None
    later = _PHASES[_PHASES.index(ErasurePhase(row.phase)) + 1 :]
    if later:
        row.phase = later[0]
    elif row.state == ErasureState.COUNTING:
        row.state = ErasureState.COUNTED
    else:
        if not row.path:  # what a path finds is a value, and of those no shape has any
            forget_names(Sought(row.sought))
        row.state, row.sought, row.finished_at = ErasureState.FINISHED, "", now
        log.info("erasure.finished", erasure=str(row.pk), left=len(row.left), **row.counts)


def _erase(row: Erasure, found: Collection[UUID], *, now: datetime) -> list[UUID]:
    """Erase what was ``found`` in the present phase; return what was erased, and note what was left."""
    if row.phase == ErasurePhase.EVENTS:
        return _erase_events(row, found, now=now)
    free: dict[str, Any] = {"pk__in": found, "endpoint__legal_hold": ""}
    if row.phase == ErasurePhase.REJECTIONS:
        ids = list(Rejection.objects.filter(**free).values_list("pk", flat=True))
        Rejection.objects.filter(pk__in=ids).delete()
        return ids
    ids = list(Batch.objects.filter(**free).exclude(events__legal_hold__gt="").values_list("pk", flat=True))
    Batch.objects.filter(pk__in=ids).update(**NO_BODY, **NO_HEADERS)
    return ids


def _erase_events(row: Erasure, found: Collection[UUID], *, now: datetime) -> list[UUID]:
    running = Delivery.objects.filter(event__in=found, status=DeliveryStatus.RUNNING).values("event")
    free = Event.objects.select_for_update(of=("self",)).filter(pk__in=found, legal_hold="", endpoint__legal_hold="")
    events = list(free.exclude(pk__in=running).defer("raw_body", "headers", "sealed").order_by("pk"))
    ids = [event.pk for event in events]
    strip(ids, EVERYTHING, keeping=Part(0), now=now, erased=True)
    payload_index.forget(ids)
    BatchedItem.objects.retract([str(pk) for pk in ids])
    Batch.objects.filter(events__in=ids).update(**NO_BODY, **NO_HEADERS)
    sought = Sought(row.sought)
    for event in events:
        _erase_names(event, sought)
    deliveries = Delivery.objects.filter(event__in=ids)
    deliveries.update(last_error="")
    named = deliveries.filter(status__in=FINISHED, ordering_key__gt="")
    keyed = [each.pk for each in named if sought.is_in(each.ordering_key)]
    Delivery.objects.filter(pk__in=keyed).update(ordering_key="", ordinal=None, blocked=False)
    row.left = [*row.left, *(str(pk) for pk in found if pk not in set(ids))]
    return ids


def _erase_names(event: Event, sought: Sought) -> None:
    """Erase the value from the columns that name the event; its dedupe key counts on, as a hash."""
    changed = {name: "" for name in ("event_id", "event_type", "source") if sought.is_in(getattr(event, name))}
    if sought.is_in(event.dedupe_key):
        KeptKey.objects.keep([(event.endpoint_id, event.dedupe_key, event.pk, event.received_at)])
        Endpoint.objects.filter(pk=event.endpoint_id, keys_kept_since=None).update(keys_kept_since=timezone.now())
        changed["dedupe_key"] = f"{_ERASED_KEY}{event.pk.hex}"
    if changed:
        Event.objects.filter(pk=event.pk).update(**changed)
