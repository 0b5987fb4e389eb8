"""How a connection does, shared by all workers: its rate, its circuit, what it has said of calls to come."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy

from integrations.models.connection import Connection


class Circuit(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class ConnectionHealth(models.Model):
    """What all workers know of one connection. It is written when something changes, not at each call.

    The rate is a virtual clock: ``next_call_at`` is when the next call would be due if calls came at exactly the rate.
    Deliveries that are sent away get turns of their own, ``next_turn_at``, so that they come back one by one.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="health")
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
        default_permissions = ()

    def __str__(self) -> str:
        return f"health of {self.connection_id}"

    def circuit(self, now: datetime) -> Circuit:
        """Return how the circuit stands."""
        if self.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.open_until else Circuit.HALF_OPEN
