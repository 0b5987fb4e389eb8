"""Remove whole events, with their deliveries and attempts; their dedupe keys stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from deliveries.models import Attempt, Batch, Delivery, Event, EventVariant, FlowStep, KeptKey, ReplayItem, StepResult
from deliveries.receiving.dedupe import is_body_key, is_outdated
from deliveries.receiving.drafts import window
from deliveries.retention import archive, targets
from deliveries.retention.ages import Ages
from deliveries.retention.standing import Standing, standings
from deliveries.retention.stripping import AT_ONCE, Looked, Mark
from integrations.models import BatchedItem, Endpoint

EVENTS, DELIVERIES = "events", "deliveries"
#: Receiving has to know of the kept keys before the first event goes: what it knows of an endpoint is a second old at
#: most, and what it does with a request ends long before this.
_NOTICE = timedelta(minutes=10)
#: The notice is given so long before the first event is past its age.
_AHEAD = timedelta(days=1)


def remove_some(endpoint: Endpoint, *, after: Mark | None, now: datetime, dry_run: bool = False) -> Looked:
    """Remove the next events of ``endpoint`` that are past their age, the oldest first, in one short transaction."""
    ages = Ages.of(endpoint)
    if ages.events is None or not (dry_run or _is_told(endpoint, ages.events, now=now)):
        return Looked(Counter(), None)
    old = Event.objects.filter(endpoint=endpoint, received_at__lt=now - ages.events)
    rows = old if after is None else old.filter(after.beyond(), received_at__gte=after.received_at)
    seen = list(rows.order_by("received_at", "pk").values_list("pk", "received_at")[:AT_ONCE])
    if not seen:
        return Looked(Counter(), None)
    ids = [pk for pk, _ in seen]
    if dry_run:
        going = _free(old.filter(pk__in=ids), ages, now=now)
        counts = Counter({EVENTS: len(going), DELIVERIES: Delivery.objects.filter(event__in=going).count()})
    else:
        free = _free(old.filter(pk__in=ids), ages, now=now)
        if to := targets.target():
            archive.archive(free, to=to)
        with transaction.atomic():
            locked = old.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=free)
            counts = _remove(_untouched(_free(locked, ages, now=now)), endpoint, now=now)
    return Looked(counts, Mark(seen[-1][1], seen[-1][0]))


def _remove(events: Collection[UUID], endpoint: Endpoint, *, now: datetime) -> Counter[str]:
    """Remove ``events`` with all that belongs to them; return how many rows of a kind. The caller holds the locks."""
    if not events:
        return Counter()
    rows = Event.objects.filter(pk__in=events)
    keys = rows.values_list("endpoint", "dedupe_key", "pk", "received_at")
    KeptKey.objects.keep(row for row in keys if _counts_still(row[1], row[2], row[3], now - window(endpoint)))
    batches = set(rows.exclude(batch=None).values_list("batch", flat=True))
    deliveries = list(Delivery.objects.filter(event__in=events).values_list("pk", flat=True))
    for of_deliveries in (ReplayItem, StepResult, FlowStep, Attempt):
        _raw_delete(of_deliveries.objects.filter(delivery__in=deliveries))
    _raw_delete(Delivery.objects.filter(pk__in=deliveries))
    BatchedItem.objects.forget([str(pk) for pk in events])
    _raw_delete(EventVariant.objects.filter(event__in=events))
    Event.objects.filter(derived_from__in=events).update(derived_from=None)
    _raw_delete(rows)
    if batches:
        left = Exists(Event.objects.filter(batch=OuterRef("pk")))
        _raw_delete(Batch.objects.filter(pk__in=batches).exclude(left))
    return Counter({EVENTS: len(events), DELIVERIES: len(deliveries)})


def _is_told(endpoint: Endpoint, age: timedelta, *, now: datetime) -> bool:
    """Return whether receiving has had notice to look among kept keys at ``endpoint``; else give it when it is time."""
    if endpoint.keys_kept_since is not None:
        return endpoint.keys_kept_since <= now - _NOTICE
    if Event.objects.filter(endpoint=endpoint, received_at__lt=now - age + _AHEAD).exists():
        Endpoint.objects.filter(pk=endpoint.pk, keys_kept_since=None).update(keys_kept_since=now)
    return False


def _counts_still(key: str, event: UUID, received_at: datetime, since: datetime) -> bool:
    """Return whether ``key`` of ``event`` still makes a duplicate; that of a body does if it came after ``since``."""
    return not is_outdated(key, event) and (not is_body_key(key) or received_at > since)


def _free(rows: QuerySet[Event], ages: Ages, *, now: datetime) -> list[UUID]:
    """Return which events of ``rows`` nothing holds."""
    free = rows.filter(legal_hold="", endpoint__legal_hold="").order_by("received_at", "pk")
    found = list(free.values_list("pk", flat=True))
    standing = standings(found, ages, now=now)
    return [pk for pk in found if not standing.get(pk, Standing()).holds]


def _untouched(events: list[UUID]) -> list[UUID]:
    """Lock the deliveries of ``events`` and return those events of which nobody else holds one, to replay it."""
    of = Delivery.objects.filter(event__in=events).order_by()
    locked = set(of.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
    others = {event for pk, event in of.values_list("pk", "event") if pk not in locked}
    return [pk for pk in events if pk not in others]


def _raw_delete(rows: QuerySet[Any]) -> None:
    """Remove ``rows`` by one statement; what hangs on them has gone before. Django's own way would load each first."""
    rows._raw_delete(rows.db)
