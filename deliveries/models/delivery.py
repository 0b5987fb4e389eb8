"""One event for one route: the row that is also its place in the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID, uuid5

from django.db import Error, models
from django.db.models import Q

from deliveries.models.event import Event
from deliveries.models.states import CLAIMABLE, FAILED, FINISHED, IN_THE_WAY, DeliveryStatus, Trigger
from deliveries.models.transitions import DeliveryQuerySet
from integrations.identifiers import uuid7
from integrations.models import Endpoint, Route


@dataclass(frozen=True)
class Origin:
    """What brought an event: the request's id, and the W3C ``traceparent`` of its receipt; "" where there is none."""

    request_id: str = ""
    traceparent: str = ""


class Delivery(models.Model):
    """One event for one route. The committed row is its place in the queue; any wake-up is a hint.

    ``attempt_count`` is the number of the latest attempt and the fencing token: only its holder may finish the
    delivery. ``budget_start`` is the attempt count at the last replay, from where the retry budget counts; an attempt
    that a worker gave back moves it on by one, at most `MOST_GIVE_BACKS` times (``give_backs``). ``replayed_at`` is
    when that replay was ordered, ``steps_start`` the attempt count at the last one from the start: what earlier
    attempts keep of their steps does not count any more. ``next_trigger`` and ``requested_by`` describe the next
    attempt. ``lease_until`` and ``worker`` are set exactly while it runs.

    ``bulk`` ones run in the lane of bulk replays, behind live traffic; with ``forget_steps`` their next attempt begins
    without the kept results of steps. Those of one route with one ``ordering_key`` ("" is none) run one after the other
    by ``ordinal``, which only they have; ``blocked`` keeps those out of the queue that have an earlier one before them
    (`deliveries.models.ordering`). ``fingerprint`` is what failures of one kind have in common, see
    `deliveries.models.fingerprints`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexes below, no more of them than are read: every index is written twice for each delivery.
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    route = models.ForeignKey(Route, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    status = models.CharField(max_length=10, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    bulk = models.BooleanField(default=False, db_default=False)
    forget_steps = models.BooleanField(default=False, db_default=False)
    due_at = models.DateTimeField()
    attempt_count = models.PositiveIntegerField(default=0)
    budget_start = models.PositiveIntegerField(default=0)
    give_backs = models.PositiveSmallIntegerField(default=0, db_default=0)
    replayed_at = models.DateTimeField(null=True, blank=True)
    steps_start = models.PositiveIntegerField(default=0, db_default=0)
    next_trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.FIRST)
    requested_by = models.CharField(max_length=150, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    ordering_key = models.CharField(max_length=200, blank=True, default="", db_default="")
    ordinal = models.BigIntegerField(null=True, blank=True)
    blocked = models.BooleanField(default=False, db_default=False)
    last_error = models.CharField(max_length=300, blank=True)
    fingerprint = models.CharField(max_length=16, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        permissions = [
            ("replay_delivery", "Can replay, hold and discard deliveries"),
            ("export_delivery", "Can export lists of events, deliveries and rejections"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "route"], name="delivery_once_per_event_and_route"),
            models.CheckConstraint(condition=Q(status__in=DeliveryStatus.values), name="delivery_status_known"),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.RUNNING, lease_until__isnull=False)
                | (~Q(status=DeliveryStatus.RUNNING) & Q(lease_until=None)),
                name="delivery_leased_exactly_while_running",
            ),
            models.CheckConstraint(
                condition=(Q(status__in=FINISHED) & Q(finished_at__isnull=False))
                | (~Q(status__in=FINISHED) & Q(finished_at=None)),
                name="delivery_finished_at_exactly_when_finished",
            ),
            models.CheckConstraint(
                condition=Q(ordering_key="", ordinal=None, blocked=False)
                | (Q(ordering_key__gt="") & Q(ordinal__isnull=False)),
                name="delivery_ordinal_exactly_with_ordering_key",
            ),
        ]
        indexes = [
            models.Index(
                fields=["bulk", "route", "due_at"],
                name="delivery_due",
                condition=Q(status__in=CLAIMABLE, blocked=False),
            ),
            models.Index(
                fields=["route", "ordering_key", "ordinal"],
                name="delivery_in_the_way",
                condition=Q(ordering_key__gt="", status__in=IN_THE_WAY),
            ),
            models.Index(
                fields=["route", "ordering_key", "ordinal"], name="delivery_blocked", condition=Q(blocked=True)
            ),
            models.Index(fields=["lease_until"], name="delivery_leased", condition=Q(status=DeliveryStatus.RUNNING)),
            models.Index(
                fields=["route", "-created_at"], name="delivery_dead", condition=Q(status=DeliveryStatus.DEAD)
            ),
            models.Index(fields=["created_at"], name="delivery_by_creation"),
            models.Index(fields=["endpoint", "-created_at"], name="delivery_by_endpoint"),
            models.Index(fields=["route", "-created_at"], name="delivery_by_route"),
            # Only what failed is in it: neither receiving nor succeeding writes to it.
            models.Index(
                fields=["status", "-created_at", "-id"], name="delivery_failed", condition=Q(status__in=FAILED)
            ),
            models.Index(
                fields=["-created_at", "-id"], name="delivery_discarded", condition=Q(status=DeliveryStatus.DISCARDED)
            ),
            models.Index(fields=["endpoint", "id"], name="delivery_held", condition=Q(status=DeliveryStatus.HELD)),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.id}"

    @cached_property
    def origin(self) -> Origin:
        """What brought the event; of one that is not loaded it costs a look, and it is empty if that fails."""
        if Delivery.event.is_cached(self):
            return Origin(self.event.request_id, self.event.traceparent)
        try:
            found = Event.objects.filter(pk=self.event_id).values_list("request_id", "traceparent").first()
        except Error:  # what is asked for logs and traces may not hold up the work
            return Origin()
        return Origin(*found) if found else Origin()

    @property
    def idempotency_key(self) -> UUID:
        """What tells an outside system that it has done this already; another one after a replay from the start."""
        return uuid5(self.pk, str(self.steps_start)) if self.steps_start else self.pk

    def has_no_retry_left(self, now: datetime) -> bool:
        """Return whether an attempt that ended without an error of its handler's (its worker died) was the last."""
        policy = self.route.retry_policy
        return self.attempt_count - self.budget_start >= policy.max_attempts or policy.is_too_old(self.budget_from, now)

    @property
    def budget_from(self) -> datetime:
        """When it was made or last replayed: its age, as the retry policy sees it, counts from here."""
        return self.replayed_at or self.created_at
