"""Every change of a delivery's state: one conditional statement, or one short transaction, with the clock passed in.

The fencing token is the attempt number. A worker that comes back after its lease ran out finds another number on the
row, so that it can neither renew nor close what somebody else has taken over.

Two moves of one row never mix, on either database: on PostgreSQL a move first locks the rows that it is about, by
conditions on the row itself, which PostgreSQL looks at again after it has waited for a lock (conditions through a join
it does not); on SQLite a transaction is IMMEDIATE and so the only writer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import connections, models, transaction
from django.db.models import Case, Exists, F, OuterRef, Value, When
from django.db.models.functions import Greatest

from deliveries.models import claiming, ordering, pause_lock
from deliveries.models.attempt import Attempt, StepResult
from deliveries.models.claiming import DueRoute, Share
from deliveries.models.closing import AttemptResult, Closing, FollowUps, close_all
from deliveries.models.fingerprints import fingerprint
from deliveries.models.flow_step import FlowStep
from deliveries.models.ordering import Key, ParkedKey
from deliveries.models.states import CLAIMABLE, DISCARDABLE, FINISHED, DeliveryStatus, Outcome, Trigger
from integrations.models import EndpointState, OfEndpointsQuerySet

if TYPE_CHECKING:
    from deliveries.models.delivery import Delivery

#: So often an attempt may be given back without counting: then its delivery itself may be what ends the workers.
MOST_GIVE_BACKS = 5
#: The error of an attempt whose worker gave it back.
GIVEN_BACK = "The worker was stopped before the handler had finished."
#: Rows that an operator's order moves in one statement.
_BATCH = 500


class DeliveryQuerySet(OfEndpointsQuerySet["Delivery"]):
    """Deliveries, and the legal moves between their states."""

    def due(self, now: datetime) -> DeliveryQuerySet:
        """Return those that a worker may claim now.

        What waits is `HELD` while its endpoint or route is paused; a retry or a replay that comes up meanwhile is not,
        and must not start either.
        """
        claimable = self.filter(status__in=CLAIMABLE, blocked=False, due_at__lte=now)
        return claimable.filter(route__paused=False).exclude(endpoint__state=EndpointState.PAUSED)

    def with_body(self) -> DeliveryQuerySet:
        """Return those whose event's body was not removed: no handler can be given the others."""
        return self.filter(event__body_removed_at=None)

    def any_due(self, now: datetime) -> bool:
        """Return whether a worker may claim one now: a look at an index for each route, however many there are."""
        return any(route.has_room for route in self.due_routes(now, most=1))

    def due_routes(self, now: datetime, *, most: int) -> list[DueRoute]:
        """Return the routes that have due deliveries, with up to ``most`` of them counted each."""
        return claiming.due_routes(now, most=most, using=self.db)

    def take(self, wanted: Sequence[Share], *, now: datetime, lease: timedelta, worker: str) -> list[Delivery]:
        """Take what ``wanted`` says for ``lease`` and open an Attempt for each, all at once.

        The attempt is on record before its handler starts, so a worker killed half-way has used it up. Neither event
        nor route are loaded: an event may be large, or not decryptable, and must not keep the others from being
        claimed.
        """
        return claiming.take(wanted, now=now, until=now + lease, worker=worker, using=self.db) if wanted else []

    def claim(self, *, limit: int, now: datetime, lease: timedelta, worker: str) -> list[Delivery]:
        """Take up to ``limit`` due deliveries, the most urgent first, as `take` does."""
        due = self.due_routes(now, most=limit)
        return self.take(claiming.shares(due, free=limit), now=now, lease=lease, worker=worker)

    def abandoned(self, now: datetime) -> DeliveryQuerySet:
        """Return those whose worker has not renewed its lease in time."""
        return self.filter(status=DeliveryStatus.RUNNING, lease_until__lt=now)

    def renew(self, held: Mapping[UUID, int], *, until: datetime) -> set[UUID]:
        """Extend the leases of ``held`` (id -> attempt number); return the ids that are still this worker's.

        A lease that has run out, but that nobody has taken over yet, is extended too.
        """
        by_number: dict[int, list[UUID]] = defaultdict(list)
        for pk, number in held.items():
            by_number[number].append(pk)
        still: set[UUID] = set()
        for number, ids in by_number.items():
            mine = self._rows(ids).filter(attempt_count=number, status=DeliveryStatus.RUNNING)
            everyone = mine.update(lease_until=until) == len(ids)
            still.update(ids if everyone else mine.values_list("pk", flat=True))
        return still

    def close(
        self,
        pk: UUID,
        number: int,
        result: AttemptResult,
        *,
        status: DeliveryStatus,
        now: datetime,
        due_at: datetime | None,
        follow_ups: FollowUps | None = None,
        spent: bool = True,
    ) -> bool:
        """End attempt ``number`` and move its delivery to ``status``; False if another worker has taken it over.

        ``due_at`` says when a `WAITING` delivery may run again. A closed attempt of a lost lease stays ``lost``. The
        next delivery of its ordering key is let into the queue. ``follow_ups`` are stored in the same transaction, and
        only if the attempt is closed. An attempt that is not ``spent`` does not count.
        """
        with transaction.atomic(using=self.db):
            if follow_ups:
                pause_lock.share(follow_ups.endpoints, using=self.db)
            keys = self._lock_keys_of([pk], also=follow_ups.keys if follow_ups else ())
            closing = Closing(pk, number, result, status, due_at, spent)
            closed = bool(close_all([closing], now=now, using=self.db))
            if closed:
                self._went(keys, status, now=now)
            if closed and follow_ups:
                follow_ups.store(now=now)
        return closed

    def close_all(self, closings: Sequence[Closing], *, now: datetime) -> set[UUID]:
        """Do what `close` does for many that have no ordering key; return the ids of those that were closed."""
        return close_all(closings, now=now, using=self.db)

    def take_over(self, *, now: datetime, limit: int = 100) -> list[Delivery]:
        """Make abandoned deliveries due again, or dead letters if they have no attempt left; return them.

        Their open attempts become ``lost`` and count: a handler that kills its worker each time ends as a dead letter.
        Any worker does this for all. The returned rows carry their new ``status`` and still the old ``worker``.
        """
        with transaction.atomic(using=self.db):
            found = self.abandoned(now).order_by("lease_until")[:limit]
            keys = self._lock_keys_of(list(found.values_list("pk", flat=True)))
            abandoned = self._rows(keys).filter(status=DeliveryStatus.RUNNING, lease_until__lt=now)
            rows = list(self._locked(abandoned.select_related("route"), skip=True))
            for row in rows:
                spent = row.has_no_retry_left(now)
                row.status = DeliveryStatus.DEAD if spent else DeliveryStatus.PENDING
                self._lose(
                    row.pk,
                    row.attempt_count,
                    "The worker ended, or could not be reached, before the handler did.",
                    status=row.status,
                    due_at=now,
                    finished_at=now if spent else None,
                    next_trigger=Trigger.TAKEOVER,
                )
                self._went({row.pk: keys[row.pk]}, DeliveryStatus(row.status), now=now)
        return rows

    def give_back(self, held: Mapping[UUID, int], *, now: datetime) -> list[Delivery]:
        """Make due at once what a worker will not finish; return those that were still its own.

        Their attempts become ``lost`` and do not count: neither a stop of the hub nor a handler beside them is their
        failure. From the sixth time on they count, for then it may be they that end the worker; and who has no attempt
        left is a dead letter. The returned rows carry their new ``status`` and still the old ``worker`` and
        ``give_backs``.
        """
        given = []
        with transaction.atomic(using=self.db):
            keys = self._lock_keys_of(held)
            for row in self._rows(held).select_related("route", "endpoint").order_by("pk"):
                counts = row.give_backs >= MOST_GIVE_BACKS
                spent = counts and row.has_no_retry_left(now)
                status = DeliveryStatus.DEAD if spent else DeliveryStatus.PENDING
                moved = self._lose(
                    row.pk,
                    held[row.pk],
                    GIVEN_BACK,
                    status=status,
                    due_at=now,
                    finished_at=now if spent else None,
                    budget_start=F("budget_start") + (0 if counts else 1),
                    give_backs=F("give_backs") + 1,
                    next_trigger=Trigger.TAKEOVER,
                )
                if moved and spent:
                    self._went({row.pk: keys[row.pk]}, status, now=now)
                if moved:
                    row.status = status
                    given.append(row)
            ordering.settle(_keys(keys), using=self.db, reorder=True)
        return given

    def replay(self, *, now: datetime, requested_by: str, from_start: bool = False, bulk: bool = False) -> int:
        """Make finished deliveries due at once with a new retry budget; return how many.

        Attempt numbers go on. With ``from_start`` the kept results of their steps are forgotten, and of the attempts
        until now none is taken any more. ``bulk`` ones run in the lane of bulk replays, and forget only when they
        start: they may be taken back before.
        """
        moved = 0
        for ids in self._standing(FINISHED):
            with transaction.atomic(using=self.db):
                keys = self._lock_keys_of(ids)
                locked = self._lock(ids, FINISHED)
                events = apps.get_model("deliveries", "Event").objects.using(self.db)
                events.filter(deliveries__in=locked).have_attempts_again()
                if from_start and not bulk:
                    StepResult.objects.using(self.db).filter(delivery__in=locked).delete()
                    FlowStep.objects.using(self.db).filter(delivery__in=locked).delete()
                moved += self._rows(locked).update(
                    status=DeliveryStatus.PENDING,
                    bulk=bulk,
                    forget_steps=from_start and bulk,
                    due_at=now,
                    finished_at=None,
                    budget_start=F("attempt_count"),
                    replayed_at=now,
                    give_backs=0,
                    **({"steps_start": F("attempt_count")} if from_start and not bulk else {}),
                    next_trigger=Trigger.REPLAY,
                    requested_by=requested_by,
                )
                ordering.settle(_keys(keys), using=self.db, reorder=True)
        return moved

    def discard(self, *, now: datetime, reason: str) -> int:
        """End deliveries that nobody wants run, dead letters too; others stay as they are. Return how many."""
        moved = 0
        for ids in self._standing(DISCARDABLE):
            with transaction.atomic(using=self.db):
                keys = self._lock_keys_of(ids)
                locked = self._lock(ids, DISCARDABLE)
                moved += self._rows(locked).update(
                    status=DeliveryStatus.DISCARDED,
                    finished_at=now,
                    last_error=reason[:300],
                    fingerprint="",
                    blocked=False,
                )
                gone = {pk: keys[pk] for pk in locked}
                self._went(gone, DeliveryStatus.DISCARDED, now=now)
        return moved

    def hold(self) -> int:
        """Keep deliveries that have not started from starting; return how many."""
        return self._move(CLAIMABLE, status=DeliveryStatus.HELD)

    def resume(self, *, now: datetime) -> int:
        """Let held deliveries run; return how many. One that was waiting for a retry waits on until its time.

        Those of a parked key stay held until the key goes on.
        """
        # The one that gave up, replayed and then held, is what the others of its key wait for.
        parked = ParkedKey.objects.filter(route=OuterRef("route"), ordering_key=OuterRef("ordering_key"))
        parked = parked.exclude(delivery=OuterRef("pk"))
        return self.filter(~Exists(parked))._move(
            (DeliveryStatus.HELD,),
            status=Case(
                When(due_at__gt=now, then=Value(DeliveryStatus.WAITING)), default=Value(DeliveryStatus.PENDING)
            ),
            due_at=Greatest("due_at", Value(now, output_field=models.DateTimeField())),
        )

    def _lock_keys_of(self, ids: Collection[UUID], *, also: Collection[Key] = ()) -> dict[UUID, Key | None]:
        """Lock the ordering keys of ``ids``, before any of the rows; return them, None where there is none.

        Keys in ``also``, which the transaction is going to need, are locked with them: in the one order of all locks.
        """
        found = self._rows(ids).values_list("pk", "route_id", "ordering_key")
        keys = {pk: Key(route_id, text) if text else None for pk, route_id, text in found}
        ordering.lock_keys([*_keys(keys), *also], using=self.db)
        return keys

    def _went(self, keys: Mapping[UUID, Key | None], status: DeliveryStatus, *, now: datetime) -> None:
        """Let the ordering keys go on, or not, now that these deliveries have come to ``status``."""
        for pk, key in keys.items():
            if key is not None:
                ordering.went(key, pk, status=status, now=now, using=self.db)

    def _move(self, before: Collection[DeliveryStatus], **values: Any) -> int:
        with transaction.atomic(using=self.db):
            ordering.lock_keys_of(self.filter(status__in=before))
            return sum(self._rows(self._lock(ids, before)).update(**values) for ids in self._standing(before))

    def _standing(self, before: Collection[DeliveryStatus]) -> Iterator[list[UUID]]:
        """Yield the ids of this queryset's rows that stand in ``before``, in batches."""
        ids = list(self.filter(status__in=before).order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(ids), _BATCH):
            yield ids[start : start + _BATCH]

    def _lock(self, ids: Iterable[UUID], before: Collection[DeliveryStatus]) -> list[UUID]:
        """Lock those of ``ids`` that still stand in ``before``, always in the same order, and return them."""
        rows = self._rows(ids).filter(status__in=before).order_by("pk")
        return list(self._locked(rows).values_list("pk", flat=True))

    def _lose(self, pk: UUID, number: int, message: str, **values: Any) -> int:
        error = f"Lost: {message}"
        moved = self._held(pk, number).update(
            lease_until=None,
            worker="",
            requested_by="",
            last_error=error,
            fingerprint=fingerprint(error),
            **values,
        )
        if moved:
            Attempt.objects.using(self.db).filter(delivery_id=pk, number=number, outcome=Outcome.RUNNING).update(
                outcome=Outcome.LOST, finished_at=values["due_at"], error_type="Lost", error_message=message
            )
        return moved

    def _held(self, pk: UUID, number: int) -> DeliveryQuerySet:
        return self._rows([pk]).filter(attempt_count=number, status=DeliveryStatus.RUNNING)

    def _rows(self, ids: Iterable[UUID]) -> DeliveryQuerySet:
        """Return the rows of ``ids`` without this queryset's own conditions and joins."""
        return type(self)(self.model, using=self.db).filter(pk__in=list(ids))

    def _locked(self, rows: DeliveryQuerySet, *, skip: bool = False) -> DeliveryQuerySet:
        # SQLite has no row locks; there the transaction is IMMEDIATE and holds the only write lock.
        if connections[self.db].features.has_select_for_update_of:
            return rows.select_for_update(skip_locked=skip, of=("self",))
        return rows


def _keys(keys: Mapping[UUID, Key | None]) -> list[Key]:
    return [key for key in keys.values() if key is not None]


def held_by(rows: Iterable[Delivery]) -> dict[UUID, int]:
    """Return the fencing tokens of claimed rows: id -> attempt number."""
    return {row.pk: row.attempt_count for row in rows}
