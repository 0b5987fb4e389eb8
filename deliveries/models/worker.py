"""The processes that run handlers, as they report themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models

#: A worker that has not been heard of for so long counts as gone. Idle workers beat every few seconds.
SILENT_AFTER = timedelta(seconds=30)


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers by whether they are heard of."""

    def alive(self, now: datetime) -> WorkerQuerySet:
        """Return those that beat within `SILENT_AFTER`."""
        return self.filter(beat_at__gt=now - SILENT_AFTER)

    def beat(self, name: str, *, now: datetime, **facts: Any) -> None:
        """Note that the worker ``name`` is alive, with ``facts``; and forget those that have been silent for a day."""
        if not self.filter(name=name).update(beat_at=now, **facts):
            self.filter(beat_at__lt=now - timedelta(days=1)).delete()
            self.get_or_create(name=name, defaults={"started_at": now, "beat_at": now, **facts})


class Worker(models.Model):
    """One worker process, ``host:pid``, and what it can do: ``threads`` are the handlers it runs at once."""

    name = models.CharField(max_length=120, unique=True)
    host = models.CharField(max_length=100, blank=True, default="", db_default="")
    pid = models.PositiveIntegerField(default=0, db_default=0)
    version = models.CharField(max_length=50, blank=True, default="", db_default="")
    threads = models.PositiveIntegerField(default=0, db_default=0)
    running = models.PositiveIntegerField(default=0, db_default=0)
    stopping = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def is_alive(self, now: datetime) -> bool:
        """Return whether it beat within `SILENT_AFTER`."""
        return self.beat_at > now - SILENT_AFTER
