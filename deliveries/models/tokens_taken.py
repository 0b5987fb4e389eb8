"""What the web processes of several machines tell each other of the limits that they share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import models


class TokensTakenQuerySet(models.QuerySet["TokensTaken"]):
    """What has been told in the last minute or so."""

    def told_elsewhere(self, machine: UUID, *, after: int) -> models.QuerySet[TokensTaken]:
        """Return what machines other than ``machine`` have told since the row with the id ``after``, in order."""
        return self.filter(pk__gt=after).exclude(machine=machine).order_by("pk")

    def forget(self, *, before: datetime) -> int:
        """Delete what was told before; return how many rows that were."""
        return self.filter(at__lt=before).delete()[0]


class TokensTaken(models.Model):
    """What one process of a ``machine`` took in half a second.

    ``taken`` is, by the kind of limit and the digest of what it is about, how many tokens, and how many fill a bucket.
    """

    machine = models.UUIDField()
    at = models.DateTimeField(db_index=True)
    taken = models.JSONField()

    objects = TokensTakenQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.machine} at {self.at:%H:%M:%S}"
