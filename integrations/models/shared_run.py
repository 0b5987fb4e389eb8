"""Runs of outside systems that serve many deliveries, as all workers know of them."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q


class SharedRunQuerySet(models.QuerySet["SharedRun"]):
    """One row for each place: a connection, and what is run there."""

    def take(self, place: str, *, now: datetime, until: datetime) -> bool:
        """Keep others from beginning a run at ``place`` until then; return False if another keeps them already."""
        self.get_or_create(place=place)
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        return bool(self.filter(free, place=place).update(leased_until=until))

    def give_back(self, place: str, *, until: datetime) -> None:
        """Let others begin one, if it is still the caller who keeps them from it ``until`` then."""
        self.filter(place=place, leased_until=until).update(leased_until=None)

    def begun(self, place: str, *, after: int, at: datetime) -> None:
        """Note a run that was asked for at that moment or later, newer than ``after``."""
        self.filter(Q(asked_at=None) | Q(asked_at__lt=at), place=place).update(after=after, asked_at=at)


class SharedRun(models.Model):
    """The last run that the hub had begun at a place; ``after`` is the newest that there was before."""

    place = models.CharField(max_length=64, primary_key=True)
    after = models.BigIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)

    objects = SharedRunQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.place
