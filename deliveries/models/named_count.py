"""How often each event type came and each class of error ended an attempt, by the hour: what filters offer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import models

from deliveries.models.adding import add
from deliveries.models.rollup import Measure
from integrations.models import Endpoint, OfEndpointsQuerySet

#: The name of what came beyond the names that are counted each for itself.
OTHERS = ""


class NamedCell(NamedTuple):
    """What tells one row from another."""

    measure: str
    starts_at: datetime
    endpoint: UUID
    name: str


class NamedCountQuerySet(OfEndpointsQuerySet["NamedCount"]):
    """Named counts by who may see them, and by time."""

    def add(self, counts: Mapping[NamedCell, int]) -> None:
        """Add ``counts`` to the rows, in the caller's transaction."""
        add(NamedCount, NamedCell._fields, counts, using=self.db)

    def prune(self, *, before: datetime, limit: int) -> int:
        """Remove up to ``limit`` rows of hours that begin before ``before``; return how many."""
        old = self.filter(measure__in=Measure.values, starts_at__lt=before)
        ids = list(old.values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class NamedCount(models.Model):
    """How often something of one name happened at an endpoint in one hour.

    Of `Measure.ACCEPTED` the name is the event type, of `Measure.FAILED` the class of the error. Names are strangers'
    words, so their number is bounded: what is beyond the bound has the name `OTHERS`.
    """

    measure = models.CharField(max_length=10, choices=Measure)
    starts_at = models.DateTimeField()
    # Without a constraint, as `Rollup` is: a check for each would lock the endpoint's row.
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="named_counts", db_index=False, db_constraint=False
    )
    name = models.CharField(max_length=255)
    count = models.PositiveBigIntegerField()

    objects = NamedCountQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # who may see events and deliveries may see how many
        # In the order in which it is read: the hours of a day of one measure, whatever the endpoint.
        constraints = [models.UniqueConstraint(fields=NamedCell._fields, name="named_count_once")]

    def __str__(self) -> str:
        return f"{self.count} {self.name}"
