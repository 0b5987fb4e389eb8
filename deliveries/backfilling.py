"""Runs of backfills: ordered by a person or by their schedule, worked on by whichever worker has one in hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, transaction
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.backfill import NotBackfilled, Progress, backfill
from deliveries.models import Backfill, BackfillRun, RunState
from deliveries.models.backfill import COUNTS
from deliveries.models.sealing import storable
from deliveries.receiving.refusals import Unavailable
from integrations.calling.asking import ConnectionApi
from integrations.errors import ConnectionMissing, HubError
from integrations.history import AccessRefused, Api, NotAnswered, NotThere
from integrations.models import Connection, Endpoint

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

#: Who dies at work on a run keeps others from it for so long; a call to a provider takes half of that at most.
LEASE = timedelta(seconds=60)
#: A provider that cannot be asked is asked again so often, each time after a longer pause.
MOST_TRIES = 6
_PAUSE = timedelta(seconds=30)
_RENEW_SECONDS = 10.0
_SCHEDULE = "schedule"
#: A run begins a little before the end of the last one.
_OVERLAP = timedelta(minutes=1)


class NotOrdered(HubError):
    """No run was made; the message says why, for the operator."""


class _Lost(HubError):
    """Somebody else has the run, or the worker has to stop."""


@transaction.atomic
def order(
    row: Backfill, *, by: User, lookback: timedelta | None = None, now: datetime | None = None, via: str = ""
) -> BackfillRun:
    """Order one run, about ``lookback`` or as long as the backfill looks back, and note it; raises `NotOrdered`."""
    now = now or timezone.now()
    lookback = lookback or timedelta(minutes=row.lookback_minutes)
    run = _open(row, since=now - _settled(row) - lookback, by=by.get_username(), now=now)
    if run is None:
        raise NotOrdered(gettext("It is under way already."))
    audit.record(audit.Action.ORDERED, row, by=by, message="Backfill ordered.", via=via)
    return run


def order_due(now: datetime) -> int:
    """Make a run for each schedule whose time has come; return how many. Any number of workers may try at once."""
    made = 0
    for row in Backfill.objects.due(now).select_related("endpoint"):
        usual = now - _settled(row) - timedelta(minutes=row.lookback_minutes)
        since = min(usual, row.asked_until - _OVERLAP) if row.asked_until else usual
        with transaction.atomic():
            # While one is under way its time passes unused: the next one looks back over it.
            if Backfill.objects.advance(row, now=now) and _open(row, since=since, by=_SCHEDULE, now=now):
                made += 1
    return made


def _open(row: Backfill, *, since: datetime, by: str, now: datetime) -> BackfillRun | None:
    if row.history is not None:
        since = max(since, now - row.history.kept)
    return BackfillRun.objects.open_for(
        row, since=since, until=now - _settled(row), created_by=by, created_at=now, free_at=now
    )


def _settled(row: Backfill) -> timedelta:
    """Return how long ago something must have been sent so that it is not on its way any more."""
    return timedelta(0) if row.history is None else row.history.settled


def api_of(row: Backfill) -> Api:
    """Return what asks the provider; raises as `api_by` does."""
    return api_by(row.connection, row.endpoint)


def api_by(connection: Connection, endpoint: Endpoint) -> Api:
    """Return what asks by ``connection`` for ``endpoint``; raises `NotBackfilled` and `ConnectionMissing`."""
    if not connection.is_for(endpoint):
        raise NotBackfilled(f"The connection {connection.name} is retired, or not for endpoints of this group.")
    return ConnectionApi(connection)


def work(*, holder: str, stops: Callable[[], bool] = lambda: False, api_of: Callable[[Backfill], Api] = api_of) -> bool:
    """Take a free run and work on it to its end; return False if there was none. Raises Django's database errors.

    It goes on where the one before stopped or died. A provider that cannot be asked now is asked again later.
    """
    run = BackfillRun.objects.take(holder=holder, now=timezone.now(), lease=LEASE)
    if run is None:
        return False
    try:
        _work(run, _Hold(run, holder, stops), api_of)
    except _Lost:
        _give_back(run, holder)
    except AccessRefused as exc:
        _end(run, holder, RunState.FAILED, problem=str(exc))
    except NotAnswered as exc:
        _again(run, holder, str(exc))
    except (NotThere, NotBackfilled, ConnectionMissing) as exc:
        _end(run, holder, RunState.FAILED, problem=str(exc))
    except (Unavailable, ImproperlyConfigured):
        _end(run, holder, RunState.FAILED, problem="A stored value cannot be decrypted.")
    except Error:
        raise  # the database is away: the lease runs out, and somebody goes on
    except Exception:
        log.exception("backfill.failed", run=str(run.pk))
        _end(run, holder, RunState.FAILED, problem="An error of the hub's own; the log has it.")
    return True


class _Hold:
    """One worker's hold of a run, renewed while it works."""

    def __init__(self, run: BackfillRun, holder: str, stops: Callable[[], bool]) -> None:
        self._run, self._holder, self._stops = run, holder, stops
        self._renew_at = time.monotonic() + _RENEW_SECONDS

    def alive(self) -> None:
        """Renew the lease when it is time; raises `_Lost`."""
        if self._stops():
            raise _Lost
        if time.monotonic() >= self._renew_at:
            self.keep()

    def keep(self, **values: Any) -> None:
        """Write ``values``, with a new lease; raises `_Lost` if another has the run."""
        free_at = timezone.now() + LEASE
        if not BackfillRun.objects.renew(self._run.pk, **{"holder": self._holder, "free_at": free_at, **values}):
            raise _Lost
        self._renew_at = time.monotonic() + _RENEW_SECONDS


def _work(run: BackfillRun, hold: _Hold, api_of: Callable[[Backfill], Api]) -> None:
    row = run.backfill
    if row.history is None:
        raise NotBackfilled(f"{row.endpoint.provider} cannot be asked what it sent.")
    api = api_of(row)
    start = Progress(**{name: getattr(run, name) for name in COUNTS}, cursor=run.cursor)
    pages = backfill(
        row.endpoint,
        row.history,
        api,
        row.source,
        since=run.since,
        until=run.until,
        start=start,
        alive=hold.alive,
    )
    for progress in pages:
        kept: dict[str, Any] = {**progress.as_json(), "cursor": progress.cursor, "tries": 0, "problem": ""}
        if progress.cursor:
            hold.keep(**kept)
            hold.alive()
        else:  # its counts and its end together: a crash in between would count all of it again
            _finish(run, hold, progress, kept)


@transaction.atomic
def _finish(run: BackfillRun, hold: _Hold, progress: Progress, kept: dict[str, Any]) -> None:
    hold.keep(**kept, state=RunState.FINISHED, finished_at=timezone.now())
    Backfill.objects.filter(pk=run.backfill_id).update(asked_until=run.until)
    log.info("backfill.finished", endpoint=run.backfill.endpoint.slug, **progress.as_json())


def _give_back(run: BackfillRun, holder: str) -> None:
    BackfillRun.objects.filter(pk=run.pk, holder=holder, state=RunState.OPEN).update(holder="", free_at=timezone.now())


def _again(run: BackfillRun, holder: str, problem: str) -> None:
    run.refresh_from_db(fields=["tries"])
    if run.tries + 1 >= MOST_TRIES:
        _end(run, holder, RunState.FAILED, problem=problem)
        return
    after = timezone.now() + _PAUSE * 2**run.tries
    BackfillRun.objects.filter(pk=run.pk, holder=holder, state=RunState.OPEN).update(
        holder="", free_at=after, tries=run.tries + 1, problem=storable(problem, 300)
    )


def _end(run: BackfillRun, holder: str, state: RunState, *, problem: str) -> None:
    ended = {"state": state, "problem": storable(problem, 300), "finished_at": timezone.now()}
    if BackfillRun.objects.renew(run.pk, holder=holder, **ended):
        log.warning("backfill.ended", endpoint=run.backfill.endpoint.slug, reason=problem)
