"""A model of a delivery's life: any order of legal moves by several workers and an operator, on the real database.

After each step the promises are looked at from outside, from the rows alone; at the end of each run everything that
was held, parked or dead is let go, and all deliveries have to come to an end. ``HUB_MODEL_EXAMPLES=n`` runs more.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.test import TestCase
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deliveries import hold
from deliveries.models import Attempt, Delivery, DeliveryStatus, Outcome
from deliveries.models.closing import AttemptResult, Closing
from deliveries.models.ordering import ParkedKey, let_go_on, mend_stranded
from deliveries.models.states import CLAIMABLE, FINISHED, UNFINISHED
from deliveries.receiving.queueing import Wanted, make_deliveries
from integrations.models import Endpoint, Route
from tests.factories import make_endpoint, make_event, make_route

EXAMPLES = int(os.environ.get("HUB_MODEL_EXAMPLES", "15"))
#: The verbs that ask the clock themselves are always earlier than the model's own time.
START = timezone.now() + timedelta(hours=1)
#: Shrinking takes minutes: only where somebody waits for it.
PHASES = [Phase.generate, Phase.shrink] if "HUB_MODEL_EXAMPLES" in os.environ else [Phase.generate]
LEASE = timedelta(seconds=15)
WORKERS = ("one:1", "two:2", "three:3")
MOST_ATTEMPTS = 2
CONCURRENCY = 2
#: Enough to end, one after the other, what a run can leave behind of one key.
MOST_ROUNDS = 60

ENDINGS = {
    DeliveryStatus.SUCCEEDED: Outcome.SUCCEEDED,
    DeliveryStatus.WAITING: Outcome.FAILED,
    DeliveryStatus.DEAD: Outcome.FAILED,
}
workers = st.sampled_from(WORKERS)
places = st.integers(min_value=0, max_value=999)
seeds = st.integers(min_value=0, max_value=2**16)
seldom = st.sampled_from([False, False, True])


class DeliveryLife(RuleBasedStateMachine):
    """Three workers, an operator, and routes of every kind of order; the clock moves only by a rule of its own."""

    @initialize()
    def set_up(self) -> None:
        """Begin a transaction that is rolled back at the end, and make the routes."""
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.now = START
        self.held: dict[str, dict[UUID, int]] = {worker: {} for worker in WORKERS}
        self.held_by_order: set[UUID] = set()
        self.operator = User.objects.create(username="ada")
        self.endpoint = make_endpoint()
        retry = {"max_attempts": MOST_ATTEMPTS}
        self.routes = [
            make_route(self.endpoint, retry=retry),
            make_route(self.endpoint, retry=retry, concurrency=CONCURRENCY),
            *(
                make_route(self.endpoint, retry=retry, ordering_key="key", ordering_failure=policy)
                for policy in ("block", "skip", "park")
            ),
        ]

    def teardown(self) -> None:
        """Let everything come to an end, and forget it."""
        if not hasattr(self, "transaction"):
            return
        try:
            self._end_everything()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    # -- the moves ----------------------------------------------------------------------------------------------------

    @rule(place=places, key=st.sampled_from(["", "a", "a", "b"]), count=st.integers(min_value=1, max_value=3))
    def insert(self, place: int, key: str, count: int) -> None:
        """Store events; without a key a route has no order."""
        route = Route.objects.get(pk=self.routes[place % len(self.routes)].pk)
        endpoint = Endpoint.objects.get(pk=self.endpoint.pk)
        payload = {"key": key}
        wanted = [Wanted(make_event(endpoint, received_at=self.now), route, payload) for _ in range(count)]
        make_deliveries(wanted, endpoint, now=self.now)

    @rule(worker=workers, limit=st.sampled_from([1, 3, 100]))
    def claim(self, worker: str, limit: int) -> None:
        """Take exactly what the rows say may run: no more, and, up to the limit, no less."""
        before = {row.pk: row for row in self._rows()}
        may_run, most = self._may_run(before.values())

        rows = Delivery.objects.claim(limit=limit, now=self.now, lease=LEASE, worker=worker)

        taken = {row.pk for row in rows}
        assert taken <= may_run, "claimed what may not run"
        assert len(taken) == min(limit, most), "left what may run"
        for row in rows:
            assert row.attempt_count == before[row.pk].attempt_count + 1
            self.held[worker][row.pk] = row.attempt_count

    @rule(worker=workers)
    def renew(self, worker: str) -> None:
        """Renew what is still this worker's, and learn what is not."""
        mine = {pk for pk, number in self.held[worker].items() if self._is_held(pk, number)}

        assert Delivery.objects.renew(self.held[worker], until=self.now + LEASE) == mine

        self.held[worker] = {pk: number for pk, number in self.held[worker].items() if pk in mine}

    @rule(seconds=st.sampled_from([1, 10, 16, 60]))
    def pass_time(self, seconds: int) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: any(self.held.values()))
    @rule(quick=workers)
    def overtake(self, quick: str) -> None:
        """Let every other worker stand still for longer than a lease, and one take what is theirs and run it."""
        self.renew(quick)
        self.now += LEASE + timedelta(seconds=1)
        Delivery.objects.renew(self.held[quick], until=self.now + LEASE)
        self.take_over()
        self.claim(quick, 100)

    @rule()
    def take_over(self) -> None:
        """Take over what nobody has renewed in time, all of it and nothing else."""
        late = {row.pk for row in self._rows() if row.lease_until is not None and row.lease_until < self.now}

        assert {row.pk for row in Delivery.objects.take_over(now=self.now)} == late

        assert not late & {row.pk for row in self._rows() if row.status == DeliveryStatus.RUNNING}

    @precondition(lambda self: any(self.held.values()))
    @rule(worker=workers, place=places, status=st.sampled_from(list(ENDINGS)))
    def close(self, worker: str, place: int, status: DeliveryStatus) -> None:
        """End an attempt: stored exactly if it is the latest one and nobody has taken it over."""
        if not self.held[worker]:
            return
        pk, number = sorted(self.held[worker].items())[place % len(self.held[worker])]
        before, is_mine = self._row(pk), self._is_held(pk, number)
        due_at = self.now + timedelta(seconds=20) if status == DeliveryStatus.WAITING else None
        result = AttemptResult(outcome=ENDINGS[status])

        closed = Delivery.objects.close(pk, number, result, status=status, now=self.now, due_at=due_at)

        assert closed == is_mine, "only the holder of the latest attempt may close"
        del self.held[worker][pk]
        after = self._row(pk)
        assert after.status == (status if closed else before.status)
        if not closed:
            assert Attempt.objects.get(delivery=pk, number=number).outcome == Outcome.LOST

    @rule(worker=workers, statuses=st.lists(st.sampled_from(list(ENDINGS)), min_size=3, max_size=3))
    def work(self, worker: str, statuses: list[DeliveryStatus]) -> None:
        """Claim all there is and end it, in turn in each of ``statuses``."""
        self.claim(worker, 100)
        for place in range(len(self.held[worker])):
            self.close(worker, 0, statuses[place % len(statuses)])

    @precondition(lambda self: any(self.held.values()))
    @rule(worker=workers)
    def close_many(self, worker: str) -> None:
        """End all attempts that have no ordering key at once; what others have taken over stays untouched."""
        keyless = set(Delivery.objects.filter(ordering_key="").values_list("pk", flat=True))
        chosen = {pk: number for pk, number in self.held[worker].items() if pk in keyless}
        mine = {pk for pk, number in chosen.items() if self._is_held(pk, number)}
        result = AttemptResult(outcome=Outcome.SUCCEEDED)
        closings = [Closing(pk, number, result, DeliveryStatus.SUCCEEDED) for pk, number in chosen.items()]

        assert Delivery.objects.close_all(closings, now=self.now) == mine

        for pk in chosen:
            del self.held[worker][pk]

    @precondition(lambda self: any(self.held.values()))
    @rule(worker=workers)
    def give_back(self, worker: str) -> None:
        """Stop a worker: what is still its own is due again."""
        mine = [pk for pk, number in self.held[worker].items() if self._is_held(pk, number)]

        assert len(Delivery.objects.give_back(self.held[worker], now=self.now)) == len(mine)

        self.held[worker] = {}

    @rule(worker=workers)
    def die(self, worker: str) -> None:
        """Forget everything, as a killed process does."""
        self.held[worker] = {}

    @rule(seed=seeds, from_start=st.booleans(), bulk=st.booleans())
    def replay(self, seed: int, from_start: bool, bulk: bool) -> None:
        """Run some of the finished again."""
        chosen = self._some(seed)
        finished = chosen.filter(status__in=FINISHED).count()

        moved = chosen.replay(now=self.now, requested_by="ada", from_start=from_start, bulk=bulk)

        assert moved == finished

    @rule(seed=seeds)
    def discard(self, seed: int) -> None:
        """End some that wait, are held, or gave up; what runs goes on."""
        chosen = self._some(seed)
        legal = chosen.exclude(status__in=["running", "succeeded", "discarded"]).count()

        assert chosen.discard(now=self.now, reason="not wanted") == legal

    @rule(seed=seeds)
    def hold(self, seed: int) -> None:
        """Keep some from starting."""
        chosen = self._some(seed)
        waiting = set(chosen.filter(status__in=CLAIMABLE).values_list("pk", flat=True))

        assert chosen.hold() == len(waiting)

        self.held_by_order |= waiting

    @rule(seed=seeds)
    def resume(self, seed: int) -> None:
        """Let some of the held go; those of a parked key stay."""
        self._some(seed).resume(now=self.now)

    @rule(place=places, paused=seldom)
    def pause_or_resume_route(self, place: int, paused: bool) -> None:
        """Pause a route, or let it go."""
        route = Route.objects.get(pk=self.routes[place % len(self.routes)].pk)
        (hold.pause_route if paused else hold.resume_route)(route, by=self.operator)

    @rule(paused=seldom)
    def pause_or_resume_endpoint(self, paused: bool) -> None:
        """Pause the endpoint, or let it go."""
        endpoint = Endpoint.objects.get(pk=self.endpoint.pk)
        (hold.pause_endpoint if paused else hold.resume_endpoint)(endpoint, by=self.operator)

    @precondition(lambda self: ParkedKey.objects.exists())
    @rule()
    def let_go_on(self) -> None:
        """Let a parked key go on without its dead letter."""
        parked = ParkedKey.objects.order_by("pk").first()
        assert parked is not None
        let_go_on(parked, now=self.now)

    @rule()
    def sweep(self) -> None:
        """Let the sweep for stranded keys look: the hub's own moves leave it nothing to do."""
        assert mend_stranded(now=self.now, using="default") == 0, "something was stranded"

    # -- the promises -------------------------------------------------------------------------------------------------

    @invariant()
    def one_running_attempt_for_each_running_delivery(self) -> None:
        """And none for any other; numbers without gaps."""
        numbers: defaultdict[UUID, list[int]] = defaultdict(list)
        running: defaultdict[UUID, list[int]] = defaultdict(list)
        for pk, number, outcome in Attempt.objects.order_by("number").values_list("delivery", "number", "outcome"):
            numbers[pk].append(number)
            if outcome == Outcome.RUNNING:
                running[pk].append(number)
        for row in self._rows():
            assert numbers[row.pk] == list(range(1, row.attempt_count + 1)), "a gap in the numbers"
            assert running[row.pk] == ([row.attempt_count] if row.status == DeliveryStatus.RUNNING else [])

    @invariant()
    def limits_hold(self) -> None:
        """No key runs twice at once, no route more often than it may."""
        running = [row for row in self._rows() if row.status == DeliveryStatus.RUNNING]
        assert max(Counter(_key(row) for row in running if row.ordering_key).values(), default=0) <= 1
        assert sum(row.route_id == self.routes[1].pk for row in running) <= CONCURRENCY

    @invariant()
    def nothing_is_stranded(self) -> None:
        """What is kept from running is behind something, and what is held has a reason."""
        rows = self._rows()
        parked = set(ParkedKey.objects.values_list("route", "ordering_key"))
        for row in rows:
            if row.blocked and row.status in UNFINISHED:
                assert any(_precedes(other, row) for other in rows), "blocked by nothing"
            if row.status != DeliveryStatus.HELD:
                self.held_by_order.discard(row.pk)
                continue
            paused = row.route.paused or row.endpoint.state == "paused"
            assert paused or _key(row) in parked or row.pk in self.held_by_order, "held for no reason"

    # -- what the rows say --------------------------------------------------------------------------------------------

    def _rows(self) -> list[Delivery]:
        return list(Delivery.objects.select_related("route", "endpoint").order_by("pk")) if self._has_begun else []

    @property
    def _has_begun(self) -> bool:
        return hasattr(self, "transaction")

    def _row(self, pk: UUID) -> Delivery:
        return Delivery.objects.get(pk=pk)

    def _is_held(self, pk: UUID, number: int) -> bool:
        row = self._row(pk)
        return row.status == DeliveryStatus.RUNNING and row.attempt_count == number

    def _some(self, seed: int) -> Any:
        rng = random.Random(seed)
        chosen = [row.pk for row in self._rows() if rng.random() < 0.4]
        return Delivery.objects.filter(pk__in=chosen)

    def _may_run(self, rows: Iterable[Delivery]) -> tuple[set[UUID], int]:
        """Return what a worker may claim by the contract, and how many at once: a route's limit is a part of it."""
        rows = list(rows)
        limited = self.routes[1].pk
        running = sum(row.route_id == limited and row.status == DeliveryStatus.RUNNING for row in rows)
        may_run = {row.pk: row for row in rows if self._is_due(row) and not _waits_for_another(row, rows)}
        of_limited = sum(row.route_id == limited for row in may_run.values())
        return set(may_run), len(may_run) - max(0, of_limited - (CONCURRENCY - running))

    def _is_due(self, row: Delivery) -> bool:
        paused = row.route.paused or row.endpoint.state == "paused"
        return row.status in CLAIMABLE and row.due_at <= self.now and not paused

    # -- the end ------------------------------------------------------------------------------------------------------

    def _end_everything(self) -> None:
        """Take all orders back, let workers go on, discard dead letters: every delivery has to come to an end."""
        for endpoint in Endpoint.objects.filter(state="paused"):
            hold.resume_endpoint(endpoint, by=self.operator)
        for route in Route.objects.filter(paused=True):
            hold.resume_route(route, by=self.operator)
        for _ in range(MOST_ROUNDS):
            self.now += timedelta(minutes=5)
            for parked in ParkedKey.objects.all():
                let_go_on(parked, now=self.now)
            Delivery.objects.resume(now=self.now)
            Delivery.objects.take_over(now=self.now)
            Delivery.objects.filter(status=DeliveryStatus.DEAD).discard(now=self.now, reason="the end")
            self.claim(WORKERS[0], 100)
            self._close_all(WORKERS[0])
            if not Delivery.objects.filter(status__in=UNFINISHED).exists():
                break
        else:
            raise AssertionError(f"stuck: {[_standing(row) for row in self._rows() if row.status in UNFINISHED]}")
        self.one_running_attempt_for_each_running_delivery()

    def _close_all(self, worker: str) -> None:
        result = AttemptResult(outcome=Outcome.SUCCEEDED)
        for pk, number in self.held[worker].items():
            Delivery.objects.close(pk, number, result, status=DeliveryStatus.SUCCEEDED, now=self.now, due_at=None)
        self.held[worker] = {}


def _key(row: Delivery) -> tuple[UUID, str]:
    return row.route_id, row.ordering_key


def _standing(row: Delivery) -> str:
    policy = row.route.ordering_failure if row.ordering_key else "no order"
    return f"{row}: {row.ordering_key!r} ({policy}), {row.ordinal}, blocked {row.blocked}, due {row.due_at}"


def _precedes(other: Delivery, row: Delivery) -> bool:
    """Return whether ``row`` has to wait for ``other``: it runs, or is earlier and not done."""
    if not row.ordering_key or _key(other) != _key(row) or other.pk == row.pk:
        return False
    if other.status == DeliveryStatus.RUNNING:
        return True
    waits_for_dead = row.route.ordering_failure == "block"
    stands = other.status in UNFINISHED or (waits_for_dead and other.status == DeliveryStatus.DEAD)
    assert other.ordinal is not None
    assert row.ordinal is not None
    return stands and other.ordinal < row.ordinal


def _waits_for_another(row: Delivery, rows: Iterable[Delivery]) -> bool:
    return any(_precedes(other, row) for other in rows)


class StateMachineTests(TestCase):
    def test_keeps_its_promises_whatever_the_order_of_moves(self) -> None:
        run_state_machine_as_test(
            DeliveryLife,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=40,
                deadline=None,
                database=None,
                phases=PHASES,
                suppress_health_check=list(HealthCheck),
            ),
        )
