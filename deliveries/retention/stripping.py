"""Remove body, headers and what attempts said from events that stay as rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from deliveries.models import Attempt, Batch, Delivery, Event, EventVariant, FlowStep, StepResult
from deliveries.models.keeping import EVERYTHING, Part
from deliveries.retention import archive, targets
from deliveries.retention.ages import Ages
from deliveries.retention.standing import Standing, standings
from integrations.models import Endpoint

#: Events that one transaction strips: on SQLite receiving waits for so many.
AT_ONCE = 200
#: Bodies that one transaction removes; one larger body goes by itself.
BYTES_AT_ONCE = 16 * 1024 * 1024

#: The kinds of what is removed, as commands and logs count them.
BODIES, HEADERS, ATTEMPTS = "bodies", "headers", "attempts"
_KINDS = {Part.BODY: BODIES, Part.HEADERS: HEADERS, Part.ATTEMPTS: ATTEMPTS}
NO_BODY: dict[str, Any] = {"raw_body": None, "body_is_encrypted": False}
NO_HEADERS: dict[str, Any] = {"headers": {}, "query_string": "", "sealed": ""}


@dataclass(frozen=True)
class Mark:
    """The last row that was looked at: the next look begins behind it."""

    received_at: datetime
    pk: UUID

    def beyond(self) -> Q:
        """Return the condition on rows behind it, in the order of arrival."""
        return Q(received_at__gt=self.received_at) | Q(received_at=self.received_at, pk__gt=self.pk)


@dataclass(frozen=True)
class Looked:
    """What one look found: how many of each kind went (or would), and where to go on; None: there is no more."""

    counts: Counter[str]
    mark: Mark | None


def strip_some(endpoint: Endpoint, parts: Part, *, after: Mark | None, now: datetime, dry_run: bool = False) -> Looked:
    """Strip the next events of ``endpoint`` that keep exactly ``parts``, the oldest first, in one short transaction."""
    ages = Ages.of(endpoint)
    before = ages.first_due(parts, now=now)
    if before is None:
        return Looked(Counter(), None)
    old = Event.objects.filter(endpoint=endpoint, keeps=parts.value, received_at__lt=before)
    seen = _next(old, after)
    if not seen:
        return Looked(Counter(), None)
    ids = [row[0] for row in seen]
    if dry_run:
        if ages.events is not None:
            old = old.filter(received_at__gte=now - ages.events)  # the others go as a whole
        counts = _counted(_due(old.filter(pk__in=ids), ages, now=now))
    else:
        due = _due(old.filter(pk__in=ids), ages, now=now)
        kept = _archived(due, parts)
        with transaction.atomic():
            locked = old.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(pk__in=ids)
            due = _due(locked.filter(pk__in=kept), ages, now=now)
            for going, events in due.items():
                strip(events, going, keeping=parts & ~going, now=now)
        counts = _counted(due)
    return Looked(counts, Mark(seen[-1][1], seen[-1][0]))


def _archived(due: dict[Part, list[UUID]], parts: Part) -> list[UUID]:
    """Write to the archive, if there is one, what is about to lose its body, or its first part; return all that is due.

    Raises `OSError` if it cannot be written.
    """
    to = targets.target()
    if to is not None:
        losing = [pk for going, events in due.items() for pk in events if Part.BODY in going or parts == EVERYTHING]
        archive.archive(losing, to=to)
    return [pk for events in due.values() for pk in events]


def _next(old: QuerySet[Event], after: Mark | None) -> Sequence[tuple[UUID, datetime]]:
    rows = old if after is None else old.filter(after.beyond(), received_at__gte=after.received_at)
    found: list[tuple[UUID, datetime]] = []
    total = 0
    for pk, received_at, size in rows.order_by("received_at", "pk").values_list("pk", "received_at", "body_bytes")[
        :AT_ONCE
    ]:
        total += size
        if found and total > BYTES_AT_ONCE:
            break
        found.append((pk, received_at))
    return found


def _due(rows: QuerySet[Event], ages: Ages, *, now: datetime) -> dict[Part, list[UUID]]:
    """Return which events of ``rows`` can lose what; those that something holds are left out."""
    free = rows.filter(legal_hold="", endpoint__legal_hold="").order_by("received_at", "pk")
    found = list(free.values_list("pk", "received_at", "keeps"))
    standing = standings([pk for pk, _, _ in found], ages, now=now)
    due: defaultdict[Part, list[UUID]] = defaultdict(list)
    for pk, received_at, keeps in found:
        state = standing.get(pk, Standing())
        going = ages.due(Part(keeps or 0), received_at=received_at, now=now)
        if not state.allows_attempts(ages, now=now):
            going &= ~Part.ATTEMPTS
        if going and not state.holds:
            due[going].append(pk)
    return due


def strip(events: Collection[UUID], going: Part, *, keeping: Part, now: datetime, erased: bool = False) -> None:
    """Remove the parts ``going`` of ``events``, which keep ``keeping`` then; the caller holds their locks."""
    rows = Event.objects.filter(pk__in=events)
    changed: dict[str, Any] = {"keeps": keeping.value or None}
    if Part.BODY in going:
        changed |= {**NO_BODY, "body_removed_at": now}
        EventVariant.objects.filter(event__in=events).delete()
        # Without a body there is nothing to run again, so no step that must not be repeated.
        StepResult.objects.filter(delivery__event__in=events).delete()
        FlowStep.objects.filter(delivery__event__in=events).update(input=None, kept=None)
    if Part.HEADERS in going:
        changed |= {**NO_HEADERS, "headers_removed_at": now}
    if Part.ATTEMPTS in going:
        silence(Attempt.objects.filter(delivery__in=Delivery.objects.filter(event__in=events).values("pk")))
        FlowStep.objects.filter(delivery__event__in=events).update(error="")
    if erased:
        changed["erased_at"] = now
    rows.update(**changed)
    _strip_batches(rows, going)


def silence(attempts: QuerySet[Attempt]) -> int:
    """Remove what ``attempts`` said; return how many there were. When and how each ended stays."""
    return attempts.update(error_message="", traceback="", log=[], response=None, calls=None)


def _strip_batches(rows: QuerySet[Event], going: Part) -> None:
    """Remove from the batches of ``rows`` what none of their events keeps any more."""
    batches = set(rows.exclude(batch=None).values_list("batch", flat=True))
    siblings = Event.objects.filter(batch=OuterRef("pk"))
    if batches and Part.BODY in going:
        still = Exists(siblings.filter(body_removed_at=None))
        Batch.objects.filter(pk__in=batches).exclude(still).update(**NO_BODY)
    if batches and Part.HEADERS in going:
        still = Exists(siblings.filter(headers_removed_at=None))
        Batch.objects.filter(pk__in=batches).exclude(still).update(**NO_HEADERS)


def _counted(due: dict[Part, list[UUID]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for going, events in due.items():
        for part in going:
            counts[_KINDS[part]] += len(events)
    return counts
