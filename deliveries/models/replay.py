"""An operator's order to run many deliveries again: what it covers and how far it is.

`deliveries.models.replaying` has its moves.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy

from deliveries.models.delivery import Delivery
from deliveries.models.states import DeliveryStatus
from integrations.identifiers import uuid7
from integrations.models import Endpoint, groups_of

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person


class ReplayState(models.TextChoices):
    """Where an order stands: `PENDING` while its deliveries are being listed, `RUNNING` while they are fed and run."""

    PENDING = "pending", gettext_lazy("Pending")
    RUNNING = "running", gettext_lazy("Running")
    PAUSED = "paused", gettext_lazy("Paused")
    CANCELLED = "cancelled", gettext_lazy("Cancelled")
    FINISHED = "finished", gettext_lazy("Finished")


#: In these an order goes on by itself.
ACTIVE = (ReplayState.PENDING, ReplayState.RUNNING)
ENDED = (ReplayState.CANCELLED, ReplayState.FINISHED)


class ItemState(models.TextChoices):
    """Where one delivery of an order stands."""

    WAITING = "waiting", gettext_lazy("Not queued yet")
    QUEUED = "queued", gettext_lazy("Queued or running")
    RETRYING = "retrying", gettext_lazy("Waiting for a retry")
    SUCCEEDED = "succeeded", gettext_lazy("Succeeded")
    FAILED = "failed", gettext_lazy("Failed again")
    SKIPPED = "skipped", gettext_lazy("Skipped")


#: What has ended in this time says how fast an order goes; so many deliveries are looked at for it.
LATELY = timedelta(minutes=1)
_LOOKED_AT = 500

UNDER_WAY = (ItemState.QUEUED, ItemState.RETRYING)
UNSETTLED = (ItemState.WAITING, *UNDER_WAY)


class ReplayQuerySet(models.QuerySet["Replay"]):
    """Orders by where they stand."""

    def active(self) -> ReplayQuerySet:
        """Return those that go on by themselves, the oldest first."""
        return self.filter(state__in=ACTIVE).order_by("pk")

    def visible_to(self, user: Person) -> ReplayQuerySet:
        """Return all, or to who is restricted to groups those that reach no further than these groups' endpoints."""
        groups = groups_of(user)
        if groups is None:
            return self
        reached = Replay.endpoints.through.objects.filter(replay=OuterRef("pk"))
        return self.filter(Exists(reached), ~Exists(reached.exclude(endpoint__group__in=groups)))

    def locked(self, pk: UUID, states: Collection[ReplayState]) -> Replay | None:
        """Return the order, locked to the end of the transaction; None if it stands in none of ``states``."""
        return self.filter(pk=pk, state__in=states).select_for_update().first()


class Replay(models.Model):
    """One order. ``selection`` is what it was ordered for (`deliveries.models.selection`), ``description`` in words.

    ``total`` is a count of what matched when it was ordered until all is listed (``listed_at``), and exact from then
    on; ``listed_until`` is the last delivery that is listed. The next delivery is fed no sooner than ``feed_at``.
    ``succeeded``, ``failed`` (dead again) and ``skipped`` (moved meanwhile, or discarded) add up to ``done``. What runs
    when an order is cancelled still counts when it ends. It reaches no further than its ``endpoints``; without one it
    may reach any.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    selection = models.JSONField(default=dict)
    description = models.CharField(max_length=300)
    from_start = models.BooleanField(default=False)
    rate_per_second = models.FloatField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=ReplayState, default=ReplayState.PENDING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    listed = models.PositiveIntegerField(default=0)
    listed_until = models.UUIDField(null=True, blank=True)
    listed_at = models.DateTimeField(null=True, blank=True)
    feed_at = models.DateTimeField(null=True, blank=True)
    looked_until = models.BigIntegerField(default=0)
    endpoints = models.ManyToManyField(Endpoint, blank=True, related_name="+")

    objects = ReplayQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ReplayState.values), name="replay_state_known"),
            models.CheckConstraint(
                condition=(Q(state__in=ENDED) & Q(finished_at__isnull=False))
                | (~Q(state__in=ENDED) & Q(finished_at=None)),
                name="replay_finished_at_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(done=F("succeeded") + F("failed") + F("skipped")), name="replay_counts_add_up"
            ),
            models.CheckConstraint(
                condition=Q(rate_per_second=None) | Q(rate_per_second__gt=0), name="replay_rate_positive"
            ),
        ]
        indexes = [models.Index(fields=["state"], name="replay_active", condition=Q(state__in=ACTIVE))]

    def __str__(self) -> str:
        return f"{self.description}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def percent(self) -> int:
        """How much of it is done; 100 only when all is."""
        return min(int(self.done * 100 / self.total), 99 if self.done < self.total else 100) if self.total else 100

    def rate(self, now: datetime) -> float | None:
        """Return how many deliveries a second have come to an end of late, or since it began where none has of late.

        So a pause is soon out of it. Of an order that does not run, it is since it began; None while nothing is known.
        """
        if not self.started_at or not self.done:
            return None
        if self.state == ReplayState.RUNNING and (lately := self._rate_lately(now)):
            return lately
        seconds = ((self.finished_at or now) - self.started_at).total_seconds()
        return self.done / max(seconds, 0.001)

    def _rate_lately(self, now: datetime) -> float:
        """Return the rate of the last `LATELY`, or of as much of it as the newest of its deliveries fill."""
        since = max(now - LATELY, self.started_at or now)
        moments: list[datetime] = []
        for state in (ItemState.SUCCEEDED, ItemState.FAILED):
            # They are fed in the order of their ids: so the last ones are the newest, and an index has them.
            last = self.items.filter(state=state).order_by("-delivery")[:_LOOKED_AT]
            ended = [at for at in last.values_list("delivery__finished_at", flat=True) if at and at >= since]
            if len(ended) == _LOOKED_AT:
                since = max(since, min(ended))
            moments += ended
        return sum(at >= since for at in moments) / max((now - since).total_seconds(), 0.001)

    def time_left(self, now: datetime) -> timedelta | None:
        """Return how long it will take at its `rate` of now, and no faster than its limit; None if unknown.

        Nothing is known while nothing is done, and when it does not run.
        """
        rate = self.rate(now)
        if self.state != ReplayState.RUNNING or not rate:
            return None
        seconds = 1 / rate
        return timedelta(seconds=max(seconds, 1 / (self.rate_per_second or 1e6)) * max(self.total - self.done, 0))


class ReplayItem(models.Model):
    """One delivery of an order, as it stood when it was listed.

    It is run again only if it still stands exactly so: then nobody has run it meanwhile. The rest is what a delivery
    goes back to that is taken out of the queue before it has started.
    """

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="items")
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="replay_items", db_index=False)
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.WAITING)
    status_before = models.CharField(max_length=10, choices=DeliveryStatus)
    finished_before = models.DateTimeField()
    attempts_before = models.PositiveIntegerField()
    budget_before = models.PositiveIntegerField()
    replayed_before = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["delivery", "replay"], name="replay_item_once_per_delivery"),
            # Of several orders over one delivery, one at a time has it in the queue.
            models.UniqueConstraint(
                fields=["delivery"], name="replay_item_under_way_once", condition=Q(state__in=UNDER_WAY)
            ),
        ]
        indexes = [models.Index(fields=["replay", "state", "delivery"], name="replay_item_next")]

    def __str__(self) -> str:
        return f"{self.state} {self.delivery_id}"
