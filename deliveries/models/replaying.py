"""The moves of a bulk replay, each one short transaction that locks the order's row first.

So no two of them mix, whoever makes them: what is in the queue when somebody pauses is taken back by the pause, and a
feeder that comes too late finds the order paused. A process that ends in the middle of a move has not made it.

A feeder, whichever worker's it is, makes `list_some` until all deliveries of the order are listed as items, then
`feed` and `settle` until none is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection, connections, transaction
from django.db.models import CharField, Exists, F, OuterRef, Q, UUIDField, Value

from deliveries.models import ordering, pacing
from deliveries.models.attempt import StepResult
from deliveries.models.delivery import Delivery
from deliveries.models.flow_step import FlowStep
from deliveries.models.ordering import Key
from deliveries.models.replay import ACTIVE, UNDER_WAY, UNSETTLED, ItemState, Replay, ReplayItem, ReplayState
from deliveries.models.selection import selected
from deliveries.models.states import FINISHED, DeliveryStatus, Trigger
from deliveries.models.transitions import DeliveryQuerySet
from integrations.models import EndpointState, Route

#: Deliveries that one transaction lists, looks at to settle them, and feeds.
LISTED_AT_ONCE = 2000
#: Little enough that the worker which feeds is back with its live deliveries in no time.
FED_AT_ONCE = 50
_LOOKED_AT_ONCE = 500
#: So many items more than can be fed are looked at, so that a row of ones to be skipped does not cost a step each.
_LOOKED_AHEAD = 100
#: What a delivery gets back that is taken out of the queue.
_GIVEN_BACK = (
    "status",
    "finished_at",
    "budget_start",
    "replayed_at",
    "next_trigger",
    "requested_by",
    "bulk",
    "blocked",
    "forget_steps",
)

_ENDS = {
    DeliveryStatus.SUCCEEDED: ItemState.SUCCEEDED,
    DeliveryStatus.DEAD: ItemState.FAILED,
    DeliveryStatus.DISCARDED: ItemState.SKIPPED,
}


def covered(selection: dict[str, Any]) -> DeliveryQuerySet:
    """Return the deliveries that an order for ``selection`` runs again if it is given now."""
    return selected(selection).filter(status__in=FINISHED).with_body()


def counted_of_some(selection: dict[str, Any], *, most: int) -> dict[tuple[UUID, str], int]:
    """Return how many of any ``most`` that are covered there are by route and status, counted within the database."""
    some = covered(selection).order_by().values_list("route_id", "status")[:most]
    database = connections[some.db]
    try:
        select, values = some.query.get_compiler(connection=database).as_sql()
    except EmptyResultSet:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT route_id, status, COUNT(*) FROM ({select}) AS looked_at GROUP BY route_id, status",  # noqa: S608
            values,
        )
        return {(UUID(str(route)), status): count for route, status, count in cursor.fetchall()}


def list_some(pk: UUID, *, now: datetime, most: int = LISTED_AT_ONCE) -> bool:
    """List up to ``most`` more deliveries of a pending order; return whether there may be more.

    What was made, or came to its end, after the order does not belong to it: another one has run it meanwhile. With the
    last one listed the order is running.
    """
    with transaction.atomic():
        replay = Replay.objects.locked(pk, [ReplayState.PENDING])
        if replay is None:
            return False
        ordered = replay.created_at
        rows = covered(replay.selection).filter(created_at__lte=ordered, finished_at__lte=ordered).order_by("pk")
        if replay.listed_until:
            rows = rows.filter(pk__gt=replay.listed_until)
        added = _insert(replay, rows[:most])
        if added:
            last = (
                replay.items.filter(state=ItemState.WAITING).order_by("-delivery_id").values_list("delivery_id")[0][0]
            )
            Replay.objects.filter(pk=pk).update(listed=F("listed") + added, listed_until=last)
        if added == most:
            return True
        Replay.objects.filter(pk=pk).update(
            state=ReplayState.RUNNING, total=F("listed"), listed_at=now, started_at=now, feed_at=None
        )
    return False


def feed(pk: UUID, *, window: int, now: datetime) -> int:
    """Put the next deliveries of a running order into the queue; return how many.

    No more than ``window`` of it are queued, nor more than its rate allows for the time just ahead. What somebody has
    moved since it was listed is skipped.
    """
    with transaction.atomic():
        replay = Replay.objects.locked(pk, [ReplayState.RUNNING])
        if replay is None:
            return 0
        room = min(window - replay.items.filter(state=ItemState.QUEUED).count(), FED_AT_ONCE)
        slots = pacing.slots(replay.feed_at, rate_per_second=replay.rate_per_second, most=room, now=now)
        if not slots:
            return 0
        chosen = _next_items(replay, most=len(slots))
        fed = dict(zip((item.delivery_id for item in chosen), slots, strict=False))
        if fed:
            _queue(replay, chosen, fed, now=now)
            following = pacing.following(list(fed.values()), rate_per_second=replay.rate_per_second)
            Replay.objects.filter(pk=pk).update(feed_at=following)
    return len(fed)


def settle(pk: UUID, *, now: datetime) -> int:
    """Take in which deliveries of an order have come to an end, and end it with the last one; return how many have.

    A delivery that fails and is retried by its route's policy is not at its end. What was held before it started goes
    back, and is fed again when its endpoint and its route are not paused any more.
    """
    with transaction.atomic():
        replay = Replay.objects.select_for_update().filter(pk=pk).first()
        if replay is None:
            return 0
        _give_back(replay, [DeliveryStatus.HELD])
        found: dict[ItemState, list[int]] = {state: [] for state in ItemState}
        for item_id, state, status in _looked_at(replay):
            after = ItemState.RETRYING if status == DeliveryStatus.WAITING else _ENDS.get(DeliveryStatus(status))
            if after is not None and after != state:
                found[after].append(item_id)
        for after, ids in found.items():
            if ids:
                ReplayItem.objects.filter(pk__in=ids).update(state=after)
        _count(replay, Counter({after: len(ids) for after, ids in found.items()}))
        if replay.state == ReplayState.RUNNING and not replay.items.filter(state__in=UNSETTLED).exists():
            _finish(replay, now=now)
    return sum(len(found[end]) for end in _ENDS.values())


def pause(pk: UUID) -> bool:
    """Stop feeding, and take what has not started out of the queue; False if the order does not go on by itself."""
    with transaction.atomic():
        replay = Replay.objects.locked(pk, ACTIVE)
        if replay is None:
            return False
        Replay.objects.filter(pk=pk).update(state=ReplayState.PAUSED)
        _give_back(replay, [DeliveryStatus.PENDING, DeliveryStatus.HELD])
    return True


def cancel(pk: UUID, *, now: datetime) -> bool:
    """End the order, and take what has not started out of the queue; False if it has ended. What runs goes on."""
    with transaction.atomic():
        replay = Replay.objects.locked(pk, [*ACTIVE, ReplayState.PAUSED])
        if replay is None:
            return False
        Replay.objects.filter(pk=pk).update(state=ReplayState.CANCELLED, finished_at=now)
        _give_back(replay, [DeliveryStatus.PENDING, DeliveryStatus.HELD])
    return True


def resume(pk: UUID) -> bool:
    """Let a paused order go on; False if it is not paused."""
    with transaction.atomic():
        replay = Replay.objects.locked(pk, [ReplayState.PAUSED])
        if replay is None:
            return False
        state = ReplayState.RUNNING if replay.listed_at else ReplayState.PENDING
        Replay.objects.filter(pk=pk).update(state=state, feed_at=None)
    return True


def forget_steps(delivery: Delivery) -> None:
    """Forget the kept results of the steps of ``delivery``, which a worker has claimed for a replay from the start.

    Only now, when it starts: an order that is cancelled before has lost nothing. Nothing is forgotten if another worker
    has taken it over.
    """
    number = delivery.attempt_count
    with transaction.atomic():
        mine = Delivery.objects.filter(pk=delivery.pk, attempt_count=number, status=DeliveryStatus.RUNNING)
        if mine.filter(forget_steps=True).update(forget_steps=False, steps_start=number - 1):
            StepResult.objects.filter(delivery=delivery.pk).delete()
            FlowStep.objects.filter(delivery=delivery.pk).delete()
    delivery.forget_steps, delivery.steps_start = False, number - 1


def _insert(replay: Replay, rows: DeliveryQuerySet) -> int:
    """List ``rows`` as items of the order, within the database; return how many."""
    chosen = rows.annotate(
        of_replay=Value(replay.pk, output_field=UUIDField()),
        as_state=Value(ItemState.WAITING.value, output_field=CharField()),
    ).values_list(
        "of_replay", "pk", "as_state", "status", "finished_at", "attempt_count", "budget_start", "replayed_at"
    )
    select, values = chosen.query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO deliveries_replayitem (replay_id, delivery_id, state, status_before, finished_before, "
            f"attempts_before, budget_before, replayed_before) {select}",
            values,
        )
        return int(cursor.rowcount)


def _next_items(replay: Replay, *, most: int) -> list[ReplayItem]:
    """Return the next ``most`` items that may be fed, their deliveries locked; skip those whose delivery has moved."""
    elsewhere = ReplayItem.objects.filter(delivery=OuterRef("delivery"), state__in=UNDER_WAY)
    waiting = replay.items.filter(~Exists(elsewhere), state=ItemState.WAITING)
    on_hold = Route.objects.filter(Q(paused=True) | Q(endpoint__state=EndpointState.PAUSED)).values_list(
        "pk", flat=True
    )
    if routes := list(on_hold):
        waiting = waiting.exclude(delivery__route__in=routes)
    looked_at = list(waiting.order_by("delivery_id")[: 2 * most + _LOOKED_AHEAD])
    # All keys before any row, as every move of deliveries does.
    standing = dict(_rows(looked_at).values_list("pk", "finished_at"))
    fit = [item for item in looked_at if standing.get(item.delivery_id) == item.finished_before][:most]
    _lock_keys(fit)
    still = dict(_rows(fit).order_by("pk").select_for_update(of=("self",)).values_list("pk", "finished_at"))
    moved = [
        item.pk
        for item in looked_at
        if (still if item in fit else standing).get(item.delivery_id) != item.finished_before
    ]
    if moved:
        ReplayItem.objects.filter(pk__in=moved).update(state=ItemState.SKIPPED)
        _count(replay, Counter({ItemState.SKIPPED: len(moved)}))
    return [item for item in fit if still.get(item.delivery_id) == item.finished_before]


def _rows(items: Iterable[ReplayItem]) -> DeliveryQuerySet:
    return Delivery.objects.filter(pk__in=[item.delivery_id for item in items], status__in=FINISHED).with_body()


def _lock_keys(items: Iterable[ReplayItem]) -> set[Key]:
    keyed = Delivery.objects.filter(pk__in=[item.delivery_id for item in items], ordering_key__gt="")
    keys = {Key(route_id, text) for route_id, text in keyed.values_list("route_id", "ordering_key")}
    ordering.lock_keys(keys, using=Delivery.objects.db)
    return keys


def _queue(replay: Replay, items: Sequence[ReplayItem], dues: dict[UUID, datetime], *, now: datetime) -> None:
    rows = Delivery.objects.filter(pk__in=dues)
    rows.replay(now=now, requested_by=replay.created_by, from_start=replay.from_start, bulk=True)
    if replay.rate_per_second is not None:
        rows.update(due_at=pacing.due_by_id(dues))
    ReplayItem.objects.filter(pk__in=[item.pk for item in items]).update(state=ItemState.QUEUED)


def _give_back(replay: Replay, statuses: Sequence[DeliveryStatus]) -> None:
    """Take those of the order's deliveries out of the queue that have not started: they stand as they stood before."""
    queued = replay.items.filter(state=ItemState.QUEUED, delivery__status__in=statuses)
    items = {item.delivery_id: item for item in queued}
    if not items:
        return
    keys = _lock_keys(items.values())
    rows = Delivery.objects.filter(pk__in=items, status__in=statuses, bulk=True).order_by("pk").select_for_update()
    back = [row for row in rows if row.attempt_count == items[row.pk].attempts_before]
    for row in back:
        before = items[row.pk]
        row.status, row.finished_at = DeliveryStatus(before.status_before), before.finished_before
        row.budget_start, row.next_trigger, row.requested_by = before.budget_before, Trigger.RETRY, ""
        row.replayed_at = before.replayed_before
        row.bulk = row.blocked = row.forget_steps = False
    if back:
        Delivery.objects.bulk_update(back, _GIVEN_BACK)
        ordering.settle(keys, using=Delivery.objects.db)
        ReplayItem.objects.filter(pk__in=[items[row.pk].pk for row in back]).update(state=ItemState.WAITING)


def _looked_at(replay: Replay) -> list[tuple[int, str, str]]:
    """Return (item, its state, its delivery's status) of all that are queued, and of some that wait for a retry.

    Of those there may be as many as the order has; they come round by and by.
    """
    found = ("pk", "state", "delivery__status")
    queued = list(replay.items.filter(state=ItemState.QUEUED).values_list(*found)[:LISTED_AT_ONCE])
    later = replay.items.filter(state=ItemState.RETRYING, pk__gt=replay.looked_until).order_by("pk")
    retrying = list(later.values_list(*found)[:_LOOKED_AT_ONCE])
    until = retrying[-1][0] if len(retrying) == _LOOKED_AT_ONCE else 0
    if until != replay.looked_until:
        Replay.objects.filter(pk=replay.pk).update(looked_until=until)
    return queued + retrying


def _count(replay: Replay, ended: Counter[ItemState]) -> None:
    counts = {state.value: ended[state] for state in _ENDS.values() if ended[state]}
    if counts:
        added = {name: F(name) + count for name, count in counts.items()}
        Replay.objects.filter(pk=replay.pk).update(done=F("done") + sum(counts.values()), **added)


def _finish(replay: Replay, *, now: datetime) -> None:
    # Rows that retention has removed meanwhile were not run: they are what is missing in the counts.
    Replay.objects.filter(pk=replay.pk).update(
        state=ReplayState.FINISHED, finished_at=now, done=F("total"), skipped=F("total") - F("succeeded") - F("failed")
    )
