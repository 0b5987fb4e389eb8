"""Storing how attempts ended: of all that finished since the last look, in one statement where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError

from deliveries.execution import endings, report
from deliveries.execution.endings import Ending
from deliveries.execution.run import Run
from deliveries.models import Delivery
from deliveries.models.closing import Closing
from deliveries.stats import outcomes

logger = structlog.get_logger(__name__)


def close_finished(runs: Sequence[Run], *, now: datetime) -> list[Run]:
    """Close the attempts of ``runs``, all of which have ended; return those that are settled, by now or by others.

    Raises Django's `OperationalError` and `InterfaceError` when the database is away: then it comes round again. What
    the database refuses to store is dropped, and the outcome is kept.
    """
    together = [run for run in runs if not run.delivery.ordering_key and not run.outcome.has_follow_ups]
    settled = _close_together(together, now) if together else []
    for run in runs:
        if run not in settled:
            _close(run, now)
            settled.append(run)
    return settled


def _close_together(runs: Sequence[Run], now: datetime) -> list[Run]:
    try:
        closed = Delivery.objects.close_all([_closing(run) for run in runs], now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as exc:
        # One of them is not storable; alone, it shows which.
        logger.warning("attempts.not_storable_together", attempts=len(runs), error_type=type(exc).__name__)
        return []
    for run in runs:
        _report(run, closed=run.delivery.pk in closed, now=now)
    return list(runs)


def _close(run: Run, now: datetime) -> None:
    try:
        closed = _store(run, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("attempt.not_storable", **report.fields(run.delivery))
        run.ending = endings.not_storable(run.delivery, run.outcome, now=now)
        closed = _store(run, now)
    _report(run, closed=closed, now=now)


def _store(run: Run, now: datetime) -> bool:
    pk, number = run.token
    ending = run.outcome
    return Delivery.objects.close(
        pk,
        number,
        ending.result,
        status=ending.status,
        now=now,
        due_at=ending.due_at,
        follow_ups=ending.follow_ups,
        spent=ending.spent,
    )


def _closing(run: Run) -> Closing:
    ending: Ending = run.outcome
    return Closing(*run.token, ending.result, ending.status, ending.due_at, ending.spent)


def _report(run: Run, *, closed: bool, now: datetime) -> None:
    if closed:
        ending = run.outcome
        outcome, spent = ending.result.outcome, ending.spent
        error = ending.result.error_type
        outcomes.ended(run.delivery, outcome, ending.status, now=now, seconds=run.seconds, spent=spent, error=error)
        report.closed(run.delivery, run.outcome, seconds=run.seconds, ended_ns=run.ended_ns)
    elif not run.lost:
        report.lease_lost(run.delivery)
