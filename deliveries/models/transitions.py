"""Every change of a delivery's state: one conditional statement, or one short transaction, with the clock passed in.

The fencing token is the attempt number. A worker that comes back after its lease ran out finds another number on the
row, so that it can neither renew nor close what somebody else has taken over.

Two moves of one row never mix, on either database: on PostgreSQL a move first locks the rows that it is about, by
conditions on the row itself, which PostgreSQL looks at again after it has waited for a lock (conditions through a join
it does not); on SQLite a transaction is IMMEDIATE and so the only writer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Greatest

from deliveries.models.attempt import Attempt, StepResult
from deliveries.models.states import CLAIMABLE, FINISHED, DeliveryStatus, Outcome, Trigger
from integrations.models import EndpointState

if TYPE_CHECKING:
    from deliveries.models.delivery import Delivery

#: Rows that an operator's order moves in one transaction.
_BATCH = 500


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt ended, in the attempt row's own columns."""

    outcome: Outcome
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    response: dict[str, Any] | None = None

    @property
    def headline(self) -> str:
        """The error in one line, for lists."""
        first_line = self.error_message.partition("\n")[0]
        return ": ".join(part for part in (self.error_type, first_line) if part)[:300]


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Deliveries, and the legal moves between their states."""

    def due(self, now: datetime) -> DeliveryQuerySet:
        """Return those that a worker may claim now, the most urgent first.

        What waits is `HELD` while its endpoint or route is paused; a retry or a replay that comes up meanwhile is not,
        and must not start either.
        """
        claimable = self.filter(status__in=CLAIMABLE, due_at__lte=now)
        not_paused = claimable.filter(route__paused=False).exclude(endpoint__state=EndpointState.PAUSED)
        return not_paused.order_by("-priority", "due_at")

    def abandoned(self, now: datetime) -> DeliveryQuerySet:
        """Return those whose worker has not renewed its lease in time."""
        return self.filter(status=DeliveryStatus.RUNNING, lease_until__lt=now)

    def claim(self, *, limit: int, now: datetime, lease: timedelta, worker: str) -> list[Delivery]:
        """Take up to ``limit`` due deliveries for ``lease`` and open an Attempt for each, in one transaction.

        The attempt is on record before its handler starts, so a worker killed half-way has used it up. The returned
        rows have their endpoint and route loaded; not their event, which may be large, or not decryptable, and must
        not keep the others from being claimed.
        """
        with transaction.atomic(using=self.db):
            ids = list(self._locked(self.due(now), skip=True)[:limit].values_list("pk", flat=True))
            if not ids:
                return []
            claimed = self._rows(ids)
            claimed.update(
                status=DeliveryStatus.RUNNING,
                attempt_count=F("attempt_count") + 1,
                lease_until=now + lease,
                worker=worker,
            )
            rows = list(claimed.select_related("endpoint", "route"))
            Attempt.objects.using(self.db).bulk_create(
                Attempt(
                    delivery=row,
                    number=row.attempt_count,
                    trigger=row.next_trigger,
                    requested_by=row.requested_by,
                    worker=worker,
                    started_at=now,
                )
                for row in rows
            )
        order = {pk: place for place, pk in enumerate(ids)}
        return sorted(rows, key=lambda row: order[row.pk])

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
    ) -> bool:
        """End attempt ``number`` and move its delivery to ``status``; False if another worker has taken it over.

        ``due_at`` says when a `WAITING` delivery may run again. A closed attempt of a lost lease stays ``lost``.
        """
        with transaction.atomic(using=self.db):
            moved = self._held(pk, number).update(
                status=status,
                lease_until=None,
                worker="",
                due_at=due_at or F("due_at"),
                finished_at=now if status in FINISHED else None,
                next_trigger=Trigger.RETRY,
                requested_by="",
                last_error=result.headline,
            )
            if moved:
                Attempt.objects.using(self.db).filter(delivery_id=pk, number=number).update(
                    finished_at=now,
                    outcome=result.outcome,
                    error_type=result.error_type,
                    error_message=result.error_message,
                    traceback=result.traceback,
                    log=result.log,
                    response=result.response,
                )
        return bool(moved)

    def take_over(self, *, now: datetime, limit: int = 100) -> list[Delivery]:
        """Make abandoned deliveries due again, or dead letters if they have no attempt left; return them.

        Their open attempts become ``lost`` and count: a handler that kills its worker each time ends as a dead letter.
        Any worker does this for all. The returned rows carry their new ``status`` and still the old ``worker``.
        """
        with transaction.atomic(using=self.db):
            abandoned = self.abandoned(now).select_related("route").order_by("lease_until")
            rows = list(self._locked(abandoned, skip=True)[:limit])
            for row in rows:
                spent = row.attempt_count - row.budget_start >= row.route.retry_policy.max_attempts
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
        return rows

    def give_back(self, held: Mapping[UUID, int], *, now: datetime) -> int:
        """Return deliveries that a stopping worker will not finish; they are due at once. Return how many.

        Their attempts become ``lost`` and do not count: stopping the hub is nobody's failure.
        """
        with transaction.atomic(using=self.db):
            return sum(
                self._lose(
                    pk,
                    number,
                    "The worker was stopped before the handler had finished.",
                    status=DeliveryStatus.PENDING,
                    due_at=now,
                    budget_start=F("budget_start") + 1,
                    next_trigger=Trigger.TAKEOVER,
                )
                for pk, number in sorted(held.items())
            )

    def replay(self, *, now: datetime, requested_by: str, from_start: bool = False) -> int:
        """Make finished deliveries due at once with a new retry budget; return how many.

        Attempt numbers go on. With ``from_start`` the kept results of their steps are forgotten.
        """
        moved = 0
        for ids in self._standing(FINISHED):
            with transaction.atomic(using=self.db):
                locked = self._lock(ids, FINISHED)
                if from_start:
                    StepResult.objects.using(self.db).filter(delivery__in=locked).delete()
                moved += self._rows(locked).update(
                    status=DeliveryStatus.PENDING,
                    due_at=now,
                    finished_at=None,
                    budget_start=F("attempt_count"),
                    next_trigger=Trigger.REPLAY,
                    requested_by=requested_by,
                )
        return moved

    def discard(self, *, now: datetime, reason: str) -> int:
        """End deliveries that nobody wants run; running and finished ones stay as they are. Return how many."""
        return self._move(
            (*CLAIMABLE, DeliveryStatus.HELD),
            status=DeliveryStatus.DISCARDED,
            finished_at=now,
            last_error=reason[:300],
        )

    def hold(self) -> int:
        """Keep deliveries that have not started from starting; return how many."""
        return self._move(CLAIMABLE, status=DeliveryStatus.HELD)

    def resume(self, *, now: datetime) -> int:
        """Let held deliveries run; return how many. One that was waiting for a retry waits on until its time."""
        return self._move(
            (DeliveryStatus.HELD,),
            status=Case(
                When(due_at__gt=now, then=Value(DeliveryStatus.WAITING)), default=Value(DeliveryStatus.PENDING)
            ),
            due_at=Greatest("due_at", Value(now, output_field=models.DateTimeField())),
        )

    def _move(self, before: Collection[DeliveryStatus], **values: Any) -> int:
        moved = 0
        for ids in self._standing(before):
            with transaction.atomic(using=self.db):
                moved += self._rows(self._lock(ids, before)).update(**values)
        return moved

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
        moved = self._held(pk, number).update(
            lease_until=None, worker="", requested_by="", last_error=f"Lost: {message}", **values
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


def held_by(rows: Iterable[Delivery]) -> dict[UUID, int]:
    """Return the fencing tokens of claimed rows: id -> attempt number."""
    return {row.pk: row.attempt_count for row in rows}
