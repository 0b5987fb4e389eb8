"""Counts by endpoint, route and span of time, which pages and programs read instead of events and deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models, transaction

from deliveries.models.raw import raw_cursor
from integrations.models import Endpoint, OfEndpointsQuerySet

#: The route of what belongs to an endpoint alone.
NO_ROUTE = UUID(int=0)
#: The bucket whose count is how many microseconds were timed, all durations together; in rows of `Grain.EVER` only.
MICROSECONDS = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grain(models.IntegerChoices):
    """How long a row's span of time is, in minutes. Each count is in one row of each.

    The rows of `EVER` begin in 1970 and are never removed: they only grow, which is what metrics ask of a counter.
    """

    EVER = 0, "All time"
    MINUTE = 1, "A minute"
    HOUR = 60, "An hour"
    DAY = 24 * 60, "A day (UTC)"

    @property
    def length(self) -> timedelta:
        """How long the span is."""
        return timedelta(minutes=self.value)


class Measure(models.TextChoices):
    """What a row counts. Those of `TIMINGS` count how often something took as long as ``bucket`` says."""

    ACCEPTED = "accepted", "Events accepted"
    DUPLICATE = "duplicate", "Requests answered as duplicates"
    REFUSED = "refused", "Requests refused"
    SUCCEEDED = "succeeded", "Deliveries that succeeded"
    DEAD = "dead", "Deliveries that gave up"
    DISCARDED = "discarded", "Deliveries that were discarded"
    FAILED = "failed", "Attempts that failed"
    ACK = "ack", "From a request's arrival to its answer"
    DONE = "done", "From receipt to success"
    HANDLER = "handler", "How long a handler ran"


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


class RollupQuerySet(OfEndpointsQuerySet["Rollup"]):
    """Rollups by who may see them, and by time."""

    def within(self, grain: Grain, since: datetime) -> RollupQuerySet:
        """Return those of one grain from ``since`` on, which is the beginning of a span."""
        return self.filter(grain_minutes=grain, starts_at__gte=since)

    def ever(self) -> RollupQuerySet:
        """Return the rows of all time."""
        return self.filter(grain_minutes=Grain.EVER)

    def add(self, counts: Mapping[Cell, int]) -> None:
        """Add ``counts`` to the rows, and make those that are missing, all in one transaction."""
        # Always in the same order: two processes that add at once must not wait for each other in a circle.
        rows = [(*cell, counts[cell]) for cell in sorted(counts)]
        if connections[self.db].vendor == "postgresql":
            _add_at_once(rows, self.db)
        else:
            _add_one_by_one(rows, self.db)

    def prune(self, *, grain: Grain, before: datetime, limit: int) -> int:
        """Remove up to ``limit`` rows of ``grain`` that begin before ``before``; return how many."""
        old = self.filter(grain_minutes=grain, measure__in=Measure.values, starts_at__lt=before)
        ids = list(old.values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class Rollup(models.Model):
    """How often something happened at an endpoint, or on one of its routes, in one span of time.

    ``bucket`` is 0 but for timings (`deliveries.stats.buckets`).
    """

    grain_minutes = models.PositiveSmallIntegerField(choices=Grain)
    measure = models.CharField(max_length=10, choices=Measure)
    starts_at = models.DateTimeField()
    # Without a constraint: a check for each would lock the endpoint's row, once a second by every process.
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="rollups", db_index=False, db_constraint=False
    )
    route = models.UUIDField(default=NO_ROUTE)
    bucket = models.PositiveSmallIntegerField(default=0)
    count = models.PositiveBigIntegerField()

    objects = RollupQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # who may see deliveries may see how many
        constraints = [
            models.UniqueConstraint(
                fields=["grain_minutes", "measure", "starts_at", "endpoint", "route", "bucket"], name="rollup_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.measure}"


_ADD = """
    INSERT INTO deliveries_rollup (grain_minutes, measure, starts_at, endpoint_id, route, bucket, count)
    {values}
    ON CONFLICT (grain_minutes, measure, starts_at, endpoint_id, route, bucket)
    DO UPDATE SET count = deliveries_rollup.count + excluded.count
"""
_ROWS = """SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    grain_minutes int, measure text, starts_at timestamptz, endpoint_id uuid, route uuid, bucket int, count bigint)"""
_COLUMNS = ("grain_minutes", "measure", "starts_at", "endpoint_id", "route", "bucket", "count")


def _add_at_once(rows: list[tuple[Any, ...]], using: str) -> None:
    named = [dict(zip(_COLUMNS, map(_as_json, row), strict=True)) for row in rows]
    with raw_cursor(using) as cursor:
        cursor.execute(_ADD.format(values=_ROWS), {"rows": json.dumps(named)})


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _add_one_by_one(rows: list[tuple[Any, ...]], using: str) -> None:
    connection = connections[using]
    stored = connection.ops.adapt_datetimefield_value
    values = "VALUES (%s, %s, %s, %s, %s, %s, %s)"
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.executemany(
            _ADD.format(values=values),
            [
                (grain, measure, stored(starts_at), endpoint.hex, route.hex, bucket, count)
                for grain, measure, starts_at, endpoint, route, bucket, count in rows
            ],
        )
