"""The switch of accept-only mode: events are stored, and nothing is done with them until it is off again."""

from __future__ import annotations

from datetime import datetime

from django.db import models


class AcceptOnlyQuerySet(models.QuerySet["AcceptOnly"]):
    """The one row, which is there while the mode is on."""

    def switched_on_by(self) -> str:
        """Return who switched the mode on; "" while it is off."""
        return self.values_list("who", flat=True).first() or ""

    def switch_on(self, *, who: str, note: str, now: datetime) -> bool:
        """Switch the mode on; return whether it was off."""
        _, made = self.get_or_create(only=True, defaults={"who": who, "note": note, "since": now})
        return made

    def switch_off(self) -> bool:
        """Switch the mode off; return whether it was on."""
        return bool(self.all().delete()[0])


class AcceptOnly(models.Model):
    """That the mode is on: ``who`` wanted it, ``since`` when, and why (``note``, or "")."""

    only = models.BooleanField(primary_key=True, default=True, editable=False)
    who = models.CharField(max_length=150)
    since = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    objects = AcceptOnlyQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        permissions = (("accept_only", "Can switch accept-only mode on and off"),)

    def __str__(self) -> str:
        return "accept-only mode"
