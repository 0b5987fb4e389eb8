"""How an outside system does, shared by all workers: its rate, its circuit, what it has said of calls to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.models.connection import Connection

_NEWS, _KEPT = timedelta(days=1), timedelta(days=30)


class Circuit(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Health(models.Model):
    """What all workers know of one system. It is written when something changes, not at each call.

    The rate is a virtual clock: ``next_call_at`` is when the next call would be due if calls came at exactly the rate.
    Deliveries that are sent away get turns of their own, ``next_turn_at``, so that they come back one by one.
    """

    next_call_at = models.DateTimeField(null=True)
    next_turn_at = models.DateTimeField(null=True)
    closed_until = models.DateTimeField(
        null=True, help_text=gettext_lazy("The system has asked for no calls until then.")
    )
    remaining = models.PositiveBigIntegerField(
        null=True, help_text=gettext_lazy("Calls that are left, as the system last said.")
    )
    remaining_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text=gettext_lazy("In a row."))
    openings = models.PositiveIntegerField(default=0, help_text=gettext_lazy("In a row, without a success in between."))
    open_until = models.DateTimeField(null=True)
    probe_until = models.DateTimeField(
        null=True, help_text=gettext_lazy("A call is trying whether the system is well again.")
    )
    last_error = models.CharField(max_length=500, blank=True)
    last_error_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def circuit(self, now: datetime) -> Circuit:
        """Return how the circuit stands."""
        if self.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.open_until else Circuit.HALF_OPEN


class ConnectionHealth(Health):
    """What all workers know of one connection."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="health")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"health of {self.connection_id}"


class UnnamedHealthQuerySet(models.QuerySet["UnnamedHealth"]):
    """Systems without a connection; nobody retires one, so that old news of it is none."""

    def in_trouble(self, now: datetime) -> UnnamedHealthQuerySet:
        """Return those whose circuit is not closed, of which a call has failed within a day."""
        return self.filter(open_until__isnull=False, last_error_at__gte=now - _NEWS)

    def prune(self, *, now: datetime, limit: int) -> int:
        """Remove up to ``limit`` that nothing was heard of for 30 days; return how many."""
        before = now - _KEPT
        heard = Q(last_success_at__gte=before) | Q(last_error_at__gte=before)
        old = self.exclude(heard).exclude(last_success_at=None, last_error_at=None)  # is being called the first time
        ids = list(old.values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class UnnamedHealth(Health):
    """The same of a system that is called without a connection; ``key`` says of which, ``name`` says it to people."""

    key = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=300)

    objects = UnnamedHealthQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"health of {self.name}"
