"""Looking, once a minute, whether the rules find anything, and keeping what they find as alerts.

One worker looks at a time: who moves the clock on is the one. What is found is kept first; telling comes after that
and from what is kept, so that a worker killed in between has lost nothing but a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

import structlog
from django.db import Error, transaction

from deliveries import self_check
from deliveries.alerts.finding import Finding
from deliveries.alerts.kinds import FINDERS
from deliveries.alerts.look import Look
from deliveries.alerts.telling import tell
from deliveries.models import Alert, AlertClock, AlertRule, AlertState

logger = structlog.get_logger(__name__)

EVERY = timedelta(minutes=1)
#: How often a process asks whether it is its turn.
_ASK_SECONDS = 5.0
#: What was not found for so long is over: one that comes and goes is one alert, and not ten.
CALM = timedelta(minutes=3)
#: A rule keeps so many alerts at once; what it finds beyond them is found again once some are over.
MOST_OF_A_RULE = 100


class Watch:
    """The look-out of one worker process; of all processes one looks in each minute."""

    def __init__(self) -> None:
        self._at = float("-inf")

    def step(self, now: datetime) -> None:
        """Look, tell, and send the self-check, if it is this process' turn. Raises Django's database errors."""
        if time.monotonic() < self._at:
            return
        self._at = time.monotonic() + _ASK_SECONDS
        if claim(now):
            evaluate(now=now)
            tell(now=now)
            self_check.send(now)


def claim(now: datetime) -> bool:
    """Return whether it is this process' turn to look: one in each minute has it, however many ask."""
    AlertClock.objects.get_or_create(pk=1, defaults={"next_at": now})
    due = AlertClock.objects.filter(pk=1, next_at__lte=now)
    # By a clock that was set back nobody would look for as long as it was ahead.
    ahead = AlertClock.objects.filter(pk=1, next_at__gt=now + 2 * EVERY)
    return bool((due | ahead).update(next_at=now + EVERY, evaluated_at=now))


def evaluate(*, now: datetime) -> None:
    """Look by every rule that is in use, and keep what is found; end what is over. Raises Django's database errors."""
    look = Look(now)
    rules = list(AlertRule.objects.in_use().order_by("created_at", "pk"))
    found: dict[AlertRule, list[Finding]] = {}
    for rule in rules:
        try:
            found[rule] = list(islice(FINDERS[rule.kind](rule, look), MOST_OF_A_RULE))
        except Error:
            raise
        except Exception as exc:
            logger.exception("alert_rule.failed", rule=rule.name, error_type=type(exc).__name__)
    with transaction.atomic():
        alerts = list(Alert.objects.open())
        for rule, findings in found.items():
            _keep(rule, findings, [row for row in alerts if row.rule_id == rule.pk], now=now)
        in_use = {rule.pk for rule in rules}
        for row in alerts:
            if row.rule_id not in in_use:  # switched off, or gone: nobody looks any more
                _end(row, now=now)


def _keep(rule: AlertRule, findings: Iterable[Finding], alerts: Iterable[Alert], *, now: datetime) -> None:
    known = {row.key: row for row in alerts}
    for finding in findings:
        row = known.pop(finding.key[:200], None) or Alert(
            rule=rule, kind=rule.kind, key=finding.key[:200], state=AlertState.PENDING, since=now
        )
        _describe(row, rule, finding, now=now)
        if row.state == AlertState.PENDING and (now - row.since).total_seconds() >= rule.patience:
            row.state, row.fired_at = AlertState.FIRING, now
            logger.warning("alert.firing", rule=rule.name, kind=rule.kind, about=row.about)
        row.save()
    for row in known.values():
        if row.state == AlertState.PENDING:
            row.delete()
        elif now - row.seen_at >= CALM:
            _end(row, now=now)


def _describe(row: Alert, rule: AlertRule, finding: Finding, *, now: datetime) -> None:
    place = finding.place
    row.rule_name, row.seen_at = rule.name, now
    row.endpoint_id = finding.endpoint
    row.about, row.text, row.next_step = finding.about[:300], finding.text, finding.next_step
    row.page = "" if place is None else place.page.value
    row.page_key = "" if place is None or place.pk is None else str(place.pk)
    row.page_filters = {} if place is None else dict(place.filters)


def _end(row: Alert, *, now: datetime) -> None:
    if row.state == AlertState.PENDING:
        row.delete()
        return
    row.state, row.resolved_at = AlertState.RESOLVED, now
    row.ended_told = row.told_at is None  # who was never told of it needs not be told that it is over
    row.save(update_fields=["state", "resolved_at", "ended_told"])
    logger.info("alert.resolved", rule=row.rule_name, kind=row.kind, about=row.about)
