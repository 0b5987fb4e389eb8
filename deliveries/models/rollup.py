"""Counts by endpoint, route and span of time, which pages and programs read instead of events and deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy

from deliveries.models.adding import add
from integrations.models import Endpoint, OfEndpointsQuerySet

#: The route of what belongs to an endpoint alone.
NO_ROUTE = UUID(int=0)
#: The bucket whose count is how many microseconds were timed, all durations together; in rows of `Grain.EVER` only.
MICROSECONDS = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

M = TypeVar("M", bound=models.Model, covariant=True)


class Grain(models.IntegerChoices):
    """How long a row's span of time is, in minutes. Each count is in one row of each.

    The rows of `EVER` begin in 1970 and are never removed: they only grow, which is what metrics ask of a counter.
    """

    EVER = 0, gettext_lazy("All time")
    MINUTE = 1, "A minute"
    HOUR = 60, gettext_lazy("An hour")
    DAY = 24 * 60, "A day (UTC)"

    @property
    def length(self) -> timedelta:
        """How long the span is."""
        return timedelta(minutes=self.value)


class Measure(models.TextChoices):
    """What a row counts. Those of `TIMINGS` count how often something took as long as ``bucket`` says."""

    ACCEPTED = "accepted", gettext_lazy("Events accepted")
    DUPLICATE = "duplicate", gettext_lazy("Requests answered as duplicates")
    REFUSED = "refused", gettext_lazy("Requests refused")
    SUCCEEDED = "succeeded", gettext_lazy("Deliveries that succeeded")
    DEAD = "dead", gettext_lazy("Deliveries that gave up")
    DISCARDED = "discarded", gettext_lazy("Deliveries that were discarded")
    FAILED = "failed", gettext_lazy("Attempts that failed")
    ACK = "ack", gettext_lazy("From a request's arrival to its answer")
    DONE = "done", gettext_lazy("From receipt to success")
    HANDLER = "handler", gettext_lazy("How long a handler ran")


TIMINGS = (Measure.ACK, Measure.DONE, Measure.HANDLER)
COUNTS = tuple(measure for measure in Measure if measure not in TIMINGS)


class Cell(NamedTuple):
    """What tells one row from another."""

    grain_minutes: int
    measure: str
    starts_at: datetime
    endpoint: UUID
    route: UUID = NO_ROUTE
    bucket: int = 0


class TotalCell(NamedTuple):
    """What tells one row of all endpoints together from another."""

    grain_minutes: int
    measure: str
    starts_at: datetime
    bucket: int = 0


class Spans(models.QuerySet[M]):
    """Rows of spans of time."""

    def within(self, grain: Grain, since: datetime) -> Self:
        """Return those of one grain from ``since`` on, which is the beginning of a span."""
        return self.filter(grain_minutes=grain, starts_at__gte=since)

    def within_parts(self, parts: Iterable[tuple[Grain, datetime, datetime]]) -> Self:
        """Return those of each of ``parts``: of a grain, from a beginning up to, not at, an end."""
        found = Q(pk__in=())
        for grain, begins, ends in parts:
            found |= Q(grain_minutes=grain, starts_at__gte=begins, starts_at__lt=ends)
        return self.filter(found)

    def prune(self, *, grain: Grain, before: datetime, limit: int) -> int:
        """Remove up to ``limit`` rows of ``grain`` that begin before ``before``; return how many."""
        old = self.filter(grain_minutes=grain, measure__in=Measure.values, starts_at__lt=before)
        ids = list(old.values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class TotalQuerySet(Spans["RollupTotal"]):
    """Totals by time."""


class RollupQuerySet(OfEndpointsQuerySet["Rollup"], Spans["Rollup"]):  # type: ignore[override]  # each has managers of its own
    """Rollups by who may see them, and by time."""

    def ever(self) -> RollupQuerySet:
        """Return the rows of all time."""
        return self.filter(grain_minutes=Grain.EVER)

    def add(self, counts: Mapping[Cell, int]) -> None:
        """Add ``counts`` to the rows, and to those of all endpoints together, in one transaction."""
        totals: Counter[TotalCell] = Counter()
        for cell, count in counts.items():
            if cell.grain_minutes != Grain.EVER:
                totals[TotalCell(cell.grain_minutes, cell.measure, cell.starts_at, cell.bucket)] += count
        with transaction.atomic(using=self.db):
            add(Rollup, Cell._fields, counts, using=self.db)
            add(RollupTotal, TotalCell._fields, totals, using=self.db)


class _Counted(models.Model):
    """What all rows of statistics have; ``bucket`` is 0 but for timings (`deliveries.stats.buckets`)."""

    grain_minutes = models.PositiveSmallIntegerField(choices=Grain)
    measure = models.CharField(max_length=10, choices=Measure)
    starts_at = models.DateTimeField()
    bucket = models.PositiveSmallIntegerField(default=0)
    count = models.PositiveBigIntegerField()

    class Meta:
        abstract = True
        default_permissions = ()  # who may see deliveries may see how many

    def __str__(self) -> str:
        return f"{self.count} {self.measure}"


class Rollup(_Counted):
    """How often something happened at an endpoint, or on one of its routes, in one span of time."""

    # Without a constraint: a check for each would lock the endpoint's row, once a second by every process.
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="rollups", db_index=False, db_constraint=False
    )
    route = models.UUIDField(default=NO_ROUTE)

    objects = RollupQuerySet.as_manager()

    class Meta(_Counted.Meta):
        constraints = [models.UniqueConstraint(fields=Cell._fields, name="rollup_once")]


class RollupTotal(_Counted):
    """How often something happened at all endpoints together: what who is restricted to some of them must not see.

    Kept, as adding up a week of many endpoints takes seconds.
    """

    objects = TotalQuerySet.as_manager()

    class Meta(_Counted.Meta):
        constraints = [models.UniqueConstraint(fields=TotalCell._fields, name="rollup_total_once")]
