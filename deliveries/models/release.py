"""Letting go at a rate what was held, so that an outside system that is back is not flooded."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy

from deliveries.models import pacing
from deliveries.models.delivery import Delivery
from deliveries.models.ordering import ParkedKey
from deliveries.models.states import DeliveryStatus
from deliveries.models.transitions import DeliveryQuerySet
from integrations.identifiers import uuid7
from integrations.models import Endpoint, EndpointState, Route

#: Deliveries that one transaction lets go.
RELEASED_AT_ONCE = 500


class ReleaseState(models.TextChoices):
    """Where a release stands; `STOPPED` means that what it was for has been paused again, or resumed otherwise."""

    RUNNING = "running", gettext_lazy("Running")
    STOPPED = "stopped", gettext_lazy("Stopped")
    FINISHED = "finished", gettext_lazy("Finished")


class ReleaseQuerySet(models.QuerySet["Release"]):
    """Releases by where they stand, and their moves: each one short transaction that locks the release first."""

    def running(self) -> ReleaseQuerySet:
        """Return those that are still letting go, the oldest first."""
        return self.filter(state=ReleaseState.RUNNING).order_by("pk")

    def stop(self, *, now: datetime) -> int:
        """End those that are running; return how many. What they have let go already stays so."""
        return self.filter(state=ReleaseState.RUNNING).update(state=ReleaseState.STOPPED, finished_at=now)

    def let_go_some(self, pk: UUID, *, now: datetime) -> int:
        """Let the next deliveries go, no more than the rate allows for the time just ahead; return how many.

        The oldest first. They are due one after the other; those that wait for a retry wait on until its time.
        """
        with transaction.atomic(using=self.db):
            release = self.filter(pk=pk, state=ReleaseState.RUNNING).select_for_update().first()
            if release is None:
                return 0
            slots = pacing.slots(
                release.feed_at, rate_per_second=release.rate_per_second, most=RELEASED_AT_ONCE, now=now
            )
            if not slots:
                return 0
            ids = list(release.held().order_by("pk").values_list("pk", flat=True)[: len(slots)])
            if not ids:
                self.filter(pk=pk).update(state=ReleaseState.FINISHED, finished_at=now)
                return 0
            moved = Delivery.objects.filter(pk__in=ids).resume(now=now)
            dues = dict(zip(ids, slots, strict=False))
            Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.PENDING).update(due_at=pacing.due_by_id(dues))
            following = pacing.following(list(dues.values()), rate_per_second=release.rate_per_second)
            self.filter(pk=pk).update(released=F("released") + moved, feed_at=following)
        return moved


class Release(models.Model):
    """One order to let go what an endpoint, or one ``route`` of it, held: ``released`` of ``total`` so far.

    Live events run at once beside it, except those that an ordering key puts behind one that is still held.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="releases")
    route = models.ForeignKey(Route, null=True, blank=True, on_delete=models.CASCADE, related_name="releases")
    rate_per_second = models.FloatField()
    state = models.CharField(max_length=10, choices=ReleaseState, default=ReleaseState.RUNNING)
    total = models.PositiveIntegerField()
    released = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    feed_at = models.DateTimeField(null=True, blank=True)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ReleaseState.values), name="release_state_known"),
            models.CheckConstraint(condition=Q(rate_per_second__gt=0), name="release_rate_positive"),
            models.UniqueConstraint(
                fields=["endpoint"], name="release_one_of_endpoint", condition=Q(state="running", route=None)
            ),
            models.UniqueConstraint(
                fields=["route"], name="release_one_of_route", condition=Q(state="running", route__isnull=False)
            ),
        ]
        indexes = [models.Index(fields=["state"], name="release_running", condition=Q(state="running"))]

    def __str__(self) -> str:
        return f"{self.released} of {self.total}, {self.rate_per_second:g} per second"

    def held(self) -> DeliveryQuerySet:
        """Return the deliveries that it is still to let go.

        Not those that are held for another reason: their route or endpoint is paused, their key parked, or the route
        has a release of its own.
        """
        parked = ParkedKey.objects.filter(route=OuterRef("route"), ordering_key=OuterRef("ordering_key"))
        parked = parked.exclude(delivery=OuterRef("pk"))
        rows = Delivery.objects.filter(~Exists(parked), endpoint=self.endpoint_id, status=DeliveryStatus.HELD)
        rows = rows.filter(route__paused=False).exclude(endpoint__state=EndpointState.PAUSED)
        if self.route_id is not None:
            return rows.filter(route=self.route_id)
        own = Release.objects.filter(route=OuterRef("route"), state=ReleaseState.RUNNING)
        return rows.filter(~Exists(own))

    @property
    def percent(self) -> int:
        """How much of it is let go."""
        return min(int(self.released * 100 / self.total), 100) if self.total else 100

    @property
    def time_left(self) -> timedelta:
        """How long it takes at its rate."""
        return timedelta(seconds=max(self.total - self.released, 0) / self.rate_per_second)
