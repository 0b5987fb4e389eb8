"""Making the events of schedules whose time has come. Any number of workers may try at once.

The event and the schedule's next tick are one transaction, under a lock on the schedule; and the tick is the event's
dedupe key. So a tick makes one event, whoever is killed when, and whichever way clocks are set.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import structlog
from django.db import Error, transaction
from django.utils import translation
from django.utils.translation import gettext

from deliveries import audit
from deliveries.models import Event, Missed, Schedule
from deliveries.overload.standing import disk_is_full
from deliveries.receiving.own_events import NotMade, OwnEvent, make
from integrations.errors import HubError
from integrations.models import EndpointState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = structlog.get_logger(__name__)

#: A tick that is later than this was missed.
GRACE = timedelta(seconds=60)
#: Of ticks that are caught up so many are stored in one transaction.
_AT_ONCE = 50
_MOST_DUE = 500
_EVERY_SECONDS = 1.0
#: A schedule that cannot be carried out is tried again after so long; its ticks stay due.
_REST_SECONDS = 30.0


class NotRun(HubError):
    """A schedule cannot make an event now; the message says why, for the operator."""


class Scheduler:
    """The scheduler of one worker process."""

    def __init__(self) -> None:
        self._at = float("-inf")
        #: Schedules that could not be carried out, and until when they are left alone.
        self._resting: dict[UUID, float] = {}

    def step(self, now: datetime) -> None:
        """Fire what is due, at most once a second. Raises Django's database errors."""
        if time.monotonic() < self._at:
            return
        self._at = time.monotonic() + _EVERY_SECONDS
        if disk_is_full():
            return  # ticks are made up for as after any time without workers
        self._resting = {pk: until for pk, until in self._resting.items() if until > time.monotonic()}
        for pk in Schedule.objects.due(now).order_by("next_at").values_list("pk", flat=True)[:_MOST_DUE]:
            if pk not in self._resting:
                self._fire(pk, now)

    def _fire(self, pk: UUID, now: datetime) -> None:
        try:
            with translation.override(None):  # what fails is told to the log alone
                fire(pk, now=now)
        except Error:
            raise  # the database is away, which is not the schedule's fault
        except Exception as exc:
            logger.exception("schedule.failed", schedule=str(pk), error_type=type(exc).__name__)
            self._resting[pk] = time.monotonic() + _REST_SECONDS


def run_now(schedule: Schedule, *, by: User, now: datetime, via: str = "") -> Event:
    """Make an event beside the schedule's ticks, and note who ordered it; raises `NotRun`."""
    if schedule.endpoint.retired_at is not None or schedule.endpoint.state == EndpointState.DISABLED:
        raise NotRun(gettext("The endpoint takes no events."))
    with transaction.atomic():
        event = _store(schedule, now, key=f"run:{uuid4().hex}", now=now)
        audit.record(audit.Action.ORDERED, schedule, by=by, message="Run now.", via=via)
    return event


@transaction.atomic
def fire(pk: UUID, *, now: datetime) -> int:
    """Make the events of one schedule, and set its next tick; return how many. 0 if another was quicker."""
    rows = Schedule.objects.select_for_update(of=("self",), skip_locked=True).select_related("endpoint")
    row = rows.filter(pk=pk, enabled=True, next_at__lte=now).first()
    if row is None or row.next_at is None:
        return 0
    ticks = row.rule.missed(row.next_at, now)
    chosen = _chosen(row, ticks, now)
    for tick, missed in chosen[:_AT_ONCE]:
        _store(row, tick, key=f"tick:{row.pk.hex}:{tick.isoformat()}", now=now, missed=missed)
    last = chosen[_AT_ONCE - 1][0] if len(chosen) > _AT_ONCE else now
    row.next_at = row.rule.after(last)
    if chosen:
        row.last_at = chosen[:_AT_ONCE][-1][0]
    row.save(update_fields=["next_at", "last_at"])
    return len(chosen[:_AT_ONCE])


def _chosen(row: Schedule, ticks: Sequence[datetime], now: datetime) -> list[tuple[datetime, int]]:
    """Return the ticks that make an event, each with how many it stands for besides itself."""
    in_time = [tick for tick in ticks if now - tick <= GRACE]
    late = ticks[: len(ticks) - len(in_time)]
    if late and row.missed == Missed.ALL:
        return [(tick, 0) for tick in ticks]
    if late and row.missed == Missed.ONCE:
        if in_time:
            return [(in_time[0], len(late)), *((tick, 0) for tick in in_time[1:])]
        return [(late[-1], len(late) - 1)]
    return [(tick, 0) for tick in in_time]


def _store(row: Schedule, tick: datetime, *, key: str, now: datetime, missed: int = 0) -> Event:
    headers = {
        "X-Hub-Schedule": row.name.encode("ascii", "replace").decode("ascii"),
        "X-Hub-Tick": tick.isoformat(),
        "X-Hub-Local-Time": row.local(tick).isoformat(),
        **({"X-Hub-Missed": str(missed)} if missed else {}),
    }
    wanted = OwnEvent(row.event_type, row.payload, key, f"{row.name}@{tick.isoformat()}", headers)
    try:
        event = make(row.endpoint, wanted, now=now)
    except NotMade as exc:
        raise NotRun(str(exc)) from exc
    logger.info("schedule.fired", schedule=row.name, tick=tick.isoformat(), event_uuid=str(event.pk))
    return event
