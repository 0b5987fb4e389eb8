"""The gate that all workers' calls of one connection go through: pause, circuit, rate."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.connectors.unnamed import Unnamed
from integrations.connectors.waits import Budget
from integrations.errors import CircuitOpen, ConnectionPaused, NotCalled, RateLimited
from integrations.models import Circuit, Connection, ConnectionHealth, ConnectionState, Health, UnnamedHealth

#: A call whose turn comes within this time waits for it in its thread; a longer wait is the delivery's.
PATIENCE = timedelta(seconds=1)
#: A circuit that does not recover is tried again no less often than this.
LONGEST_PAUSE = timedelta(minutes=10)
#: How often at most a success, or how many calls are left, is written down when nothing else is to be said.
_NOTE_EVERY = timedelta(seconds=30)
_WHEN_PAUSED = timedelta(seconds=60)
_rng = random.SystemRandom()


@dataclass(frozen=True)
class Place:
    """A place in the queue of calls: ``wait`` seconds from now; a ``probe`` decides whether the circuit closes.

    ``noted_at`` is when a success was last written down.
    """

    wait: float
    probe: bool
    was_well: bool
    noted_at: datetime | None = None


class SharedGate:
    """The `integrations.connectors.client.Gate` of one outside system, for one attempt."""

    def __init__(self, connection: Connection | Unnamed) -> None:
        self._connection = connection
        self._place = Place(0.0, probe=False, was_well=True)

    def enter(self) -> float:
        """Take a place; return the seconds to wait for it. Raises `NotCalled`, and `RuntimeError` in a transaction."""
        if connections[router.db_for_write(ConnectionHealth)].in_atomic_block:
            raise RuntimeError(
                "An outside system is called outside of transaction.atomic(): what all workers share would be locked, "
                "and undone by a rollback."
            )
        self._place = enter(self._connection, now=timezone.now(), probe_seconds=self._connection.timeout_seconds)
        return self._place.wait

    def answered(self, status: int, *, told: Budget | None, wait: timedelta | None) -> None:
        """Note an answer: 5xx is a failure, everything else shows the system well."""
        now = timezone.now()
        if status >= 500:
            failed(self._connection, self._place, now=now, text=f"answered {status}")
        else:
            succeeded(self._connection, self._place, now=now, told=told)
        if wait is not None:
            asked_to_wait(self._connection, now=now, wait=wait)

    def failed(self, text: str) -> None:
        """Note that there was no answer."""
        failed(self._connection, self._place, now=timezone.now(), text=text)


def enter(connection: Connection | Unnamed, *, now: datetime, probe_seconds: float) -> Place:
    """Take a place for one call; raises `ConnectionPaused`, `CircuitOpen` or `RateLimited`, with when to come back."""
    if connection.state == ConnectionState.PAUSED:
        raise ConnectionPaused(_WHEN_PAUSED, f"the connection {connection.name!r} is paused")
    health = _health(connection)
    is_quiet = health.open_until is None and (health.closed_until is None or health.closed_until <= now)
    if is_quiet and connection.rate_per_second is None:
        return Place(0.0, probe=False, was_well=not health.failures, noted_at=health.last_success_at)
    with transaction.atomic():
        health = _rows(connection).select_for_update(no_key=True).get()
        found = _place(health, connection, now=now, probe_seconds=probe_seconds)
        health.save()
    if isinstance(found, NotCalled):
        raise found
    return found


def succeeded(connection: Connection | Unnamed, place: Place, *, now: datetime, told: Budget | None) -> None:
    """Note an answer that shows the system well; written only if that is news."""
    rows = _rows(connection)
    if place.probe or not place.was_well:
        rows.update(failures=0, openings=0, open_until=None, probe_until=None)
    if place.noted_at is None or place.noted_at <= now - _NOTE_EVERY:
        stale = rows.exclude(last_success_at__gt=now - _NOTE_EVERY)
        stale.update(last_success_at=now, **({} if told is None else _remaining(told, now)))
    if told is not None and told.remaining == 0 and told.reset > timedelta(0):
        rows.update(**_remaining(told, now))
        asked_to_wait(connection, now=now, wait=told.reset)


def asked_to_wait(connection: Connection | Unnamed, *, now: datetime, wait: timedelta) -> None:
    """Note that the system wants no calls for ``wait``: other workers are not refused first."""
    earlier = Q(closed_until=None) | Q(closed_until__lt=now + wait)
    _rows(connection).filter(earlier).update(closed_until=now + wait)


def failed(connection: Connection | Unnamed, place: Place, *, now: datetime, text: str) -> None:
    """Note a failure; the one too many opens the circuit, for longer each time until a success."""
    with transaction.atomic():
        health = _rows(connection).select_for_update(no_key=True).get()
        health.failures += 1
        health.last_error, health.last_error_at = text[:500], now
        opens = connection.breaker_failures and health.failures >= connection.breaker_failures
        if opens and (place.probe or health.open_until is None):
            pause = min(LONGEST_PAUSE, timedelta(seconds=connection.breaker_seconds) * 2 ** min(health.openings, 20))
            health.openings += 1
            health.open_until, health.probe_until = now + pause, None
        health.save()


def _rows(connection: Connection | Unnamed) -> Any:
    """Return the one row of ``connection``, as a queryset."""
    kept: Any = ConnectionHealth if isinstance(connection, Connection) else UnnamedHealth
    return kept.objects.filter(pk=connection.pk)


def _health(connection: Connection | Unnamed) -> Health:
    """Return the row, made if it is not there."""
    if isinstance(connection, Connection):
        return ConnectionHealth.objects.get_or_create(connection=connection)[0]
    return UnnamedHealth.objects.get_or_create(key=connection.pk, defaults={"name": connection.name[:300]})[0]


def _remaining(told: Budget, now: datetime) -> dict[str, object]:
    return {"remaining": told.remaining, "remaining_until": now + told.reset}


def _place(
    health: Health, connection: Connection | Unnamed, *, now: datetime, probe_seconds: float
) -> Place | NotCalled:
    """Return a place, or why there is none; ``health`` is changed, the caller saves it."""
    circuit = health.circuit(now)
    is_probe = circuit is Circuit.HALF_OPEN and (health.probe_until is None or health.probe_until <= now)
    if circuit is not Circuit.CLOSED and not is_probe:
        until = health.open_until if circuit is Circuit.OPEN else health.probe_until
        # Spread, so that what has waited does not come all at once.
        wait = (until or now) - now + timedelta(seconds=_rng.uniform(0, connection.breaker_seconds / 2))
        text = f"{connection.name} is not called: {health.failures} failures in a row, the last: {health.last_error}"
        return CircuitOpen(wait, text)
    if health.closed_until is not None and health.closed_until > now:
        text = f"{connection.name} has asked for no calls until {health.closed_until:%H:%M:%S} UTC"
        return RateLimited(_turn(health, connection, now=now, wait=health.closed_until - now), text)
    wait = _wait_by_rate(health, connection, now=now)
    if wait > PATIENCE:
        text = f"{connection.name} is called {connection.rate_per_second:g} times a second at most"
        return RateLimited(_turn(health, connection, now=now, wait=wait), text)
    if is_probe:
        health.probe_until = now + timedelta(seconds=probe_seconds)
    noted_at = health.last_success_at
    return Place(max(0.0, wait.total_seconds()), probe=is_probe, was_well=not health.failures, noted_at=noted_at)


def _wait_by_rate(health: Health, connection: Connection | Unnamed, *, now: datetime) -> timedelta:
    """Return how long a call would have to wait for its turn; one that is short enough is taken."""
    if connection.rate_per_second is None:
        return timedelta(0)
    step = timedelta(seconds=1 / connection.rate_per_second)
    burst = connection.burst or max(1, round(connection.rate_per_second))
    due = max(health.next_call_at or now, now)
    wait = due - now - step * (burst - 1)
    if wait <= PATIENCE:
        health.next_call_at = due + step
    return wait


def _turn(health: Health, connection: Connection | Unnamed, *, now: datetime, wait: timedelta) -> timedelta:
    """Return when a delivery that is sent away comes back; each one later than the one before."""
    turn = max(health.next_turn_at or now, now + wait)
    health.next_turn_at = turn + timedelta(seconds=1 / (connection.rate_per_second or 10.0))
    return turn - now
