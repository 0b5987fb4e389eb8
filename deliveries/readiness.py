"""Readiness for traffic: the database, its migrations, the workers, the age of the queue, the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Min

from deliveries import self_check
from deliveries.disk import disk
from deliveries.models import Delivery, Worker
from deliveries.models.worker import SILENT_AFTER
from deliveries.overload.standing import overload

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Finding:
    """What one check found: ``reason`` is "" if all is well, ``facts`` are numbers for the operator."""

    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.reason

    def as_json(self) -> dict[str, Any]:
        """Return the finding for an answer."""
        return {"ok": self.ok, **({} if self.ok else {"reason": self.reason}), **self.facts}


class Migrations:
    """Whether every migration is applied. A yes is kept: it does not become a no while this code runs."""

    def __init__(self) -> None:
        self._applied = False

    def __call__(self, now: datetime) -> Finding:
        """Count the migrations that are missing."""
        if not self._applied:
            executor = MigrationExecutor(connection)
            missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
            if missing:
                return Finding(f"{missing} migrations are not applied; run manage.py migrate.", {"missing": missing})
            self._applied = True
        return Finding()


def database(now: datetime) -> Finding:  # noqa: ARG001 - as all checks
    """Ask the database for an answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Finding()


def workers(now: datetime) -> Finding:
    """Look for signs of life, which workers give from where the work is done."""
    heard = Worker.objects.aggregate(last=Max("beat_at"))["last"]
    silent_seconds = None if heard is None else round((now - heard).total_seconds(), 1)
    facts = {"alive": Worker.objects.alive(now).count(), "last_beat_seconds": silent_seconds}
    if facts["alive"]:
        return Finding(facts=facts)
    return Finding(f"No worker has been heard of for {SILENT_AFTER.total_seconds():.0f} s.", facts)


def queue(now: datetime) -> Finding:
    """Look how long the oldest delivery that could run has been waiting for a worker.

    What is paused, or stands behind another of its ordering key, could not.
    """
    due = Delivery.objects.due(now).order_by()
    oldest = due.aggregate(oldest=Min("due_at"))["oldest"]
    age = now - oldest if oldest else timedelta(0)
    facts = {"oldest_due_seconds": round(age.total_seconds(), 1)}
    bound = settings.HUB_READY_QUEUE_SECONDS
    if age <= timedelta(seconds=bound):
        return Finding(facts=facts)
    return Finding(f"A delivery has been waiting for a worker for more than {bound} s.", facts)


def room(now: datetime) -> Finding:  # noqa: ARG001 - as all checks
    """Look how much is left of the database's disk, where it is seen from here; with too little nothing is stored."""
    found = disk()
    if found is None:
        return Finding()
    facts = {"free_bytes": found.free_bytes, "free_percent": round(found.free_percent, 1)}
    if found.free_bytes >= settings.HUB_DISK_FREE_MB * 1024**2:
        return Finding(facts=facts)
    return Finding(f"Less than {settings.HUB_DISK_FREE_MB} MiB of the database's disk are free.", facts)


def load(now: datetime) -> Finding:  # noqa: ARG001 - as all checks
    """Say what is refused for now; no reason for 503, as without this process even less would be taken in."""
    standing = overload.now
    facts = {"refused_below_priority": round(standing.bar, 1), "accept_only": standing.pauses_workers}
    return Finding(facts=facts)


def end_to_end(now: datetime) -> Finding:
    """Say when an event of the self-check last came out at the other end; that it is late is no reason for 503.

    What is late is the work behind the web process: without it no event would be taken in either.
    """
    seen = self_check.look(now)
    if seen is None:
        return Finding()
    facts: dict[str, Any] = {"last_seconds": round(seen.age_seconds, 1), "late": seen.is_late}
    if seen.took_seconds is not None:
        facts["took_seconds"] = round(seen.took_seconds, 3)
    if seen.stuck is not None:
        facts |= {"stuck_at": str(seen.stuck.part), "detail": seen.stuck.detail}
    return Finding(facts=facts)


CHECKS: Mapping[str, Callable[[datetime], Finding]] = {
    "database": database,
    "migrations": Migrations(),
    "workers": workers,
    "queue": queue,
    "disk": room,
    "load": load,
    "self_check": end_to_end,
}


def look(now: datetime) -> dict[str, Finding]:
    """Return what the checks find, in order; what builds on a failed one is left out."""
    findings: dict[str, Finding] = {}
    for name, check in CHECKS.items():
        try:
            findings[name] = check(now)
        except (DatabaseError, InterfaceError) as exc:
            # Not its text: it can hold the database's address.
            logger.error("readiness.database_failed", check=name, error_type=type(exc).__name__)
            findings[name] = Finding("The database does not answer as it should.")
        if name in {"database", "migrations"} and not findings[name].ok:
            break
    return findings
