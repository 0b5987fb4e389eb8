"""Whose turn it is to do what only one worker does at a time, on however many machines they run."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models


class TurnQuerySet(models.QuerySet["Turn"]):
    """Turns, taken and given back by conditional updates."""

    def take(self, name: str, *, holder: str, now: datetime, lease: timedelta) -> bool:
        """Take the turn if it is free, for at most ``lease``; return whether ``holder`` has it now.

        Who dies with it loses it when the lease runs out. A turn that its holder outlived protects nothing by itself:
        whatever is done in it has to be right also if two do it.
        """
        self.get_or_create(name=name, defaults={"free_at": now})
        return bool(self.filter(name=name, free_at__lte=now).update(holder=holder, free_at=now + lease))

    def give_back(self, name: str, *, holder: str, free_at: datetime) -> None:
        """End the turn of ``holder``, if it is still theirs; the next one may begin at ``free_at``."""
        self.filter(name=name, holder=holder).update(holder="", free_at=free_at)


class Turn(models.Model):
    """One kind of work; ``holder`` is who does it, until ``free_at`` at the latest."""

    name = models.CharField(primary_key=True, max_length=50)
    holder = models.CharField(max_length=150, blank=True)
    free_at = models.DateTimeField()

    objects = TurnQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
