"""An order to erase everything that holds a value, and the proof that it was carried out."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy

from integrations.encryption import EncryptedTextField
from integrations.identifiers import uuid7

_SALT = "deliveries.erasure"


class ErasureState(models.TextChoices):
    """How far an erasure is."""

    COUNTING = "counting", gettext_lazy("Counting")
    COUNTED = "counted", gettext_lazy("Counted; to be confirmed")
    ERASING = "erasing", gettext_lazy("Erasing")
    FINISHED = "finished", gettext_lazy("Finished")
    CANCELLED = "cancelled", gettext_lazy("Cancelled")


#: Workers go on with these.
UNDER_WAY = (ErasureState.COUNTING, ErasureState.ERASING)


class ErasurePhase(models.TextChoices):
    """What is being looked through."""

    EVENTS = "events", gettext_lazy("Events")
    BATCHES = "batches", gettext_lazy("Batches")
    REJECTIONS = "rejections", gettext_lazy("Rejections")


class Erasure(models.Model):
    """Who had what erased, when, and of which rows; of the value itself a keyed hash stays.

    ``sought`` is the value, encrypted, for as long as the order is under way, and "" after. ``path`` is a JMESPath that
    has to find it in a payload; "" is any occurrence anywhere. ``found`` has the ids that hold it, by kind, ``left``
    those of events that were not erased: under a legal hold, or running just then.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sought = EncryptedTextField(blank=True, default="")
    value_hmac = models.CharField(max_length=64)
    path = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=ErasureState, default=ErasureState.COUNTING)
    phase = models.CharField(max_length=10, choices=ErasurePhase, default=ErasurePhase.EVENTS)
    looked_until = models.UUIDField(null=True)
    looked_at = models.PositiveBigIntegerField(
        default=0, help_text=gettext_lazy("How many rows have been looked through.")
    )
    found = models.JSONField(default=dict)
    left = models.JSONField(default=list)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=150, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [("erase", "Can erase what holds a value")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ErasureState.values), name="erasure_state_known"),
        ]

    def __str__(self) -> str:
        return f"erasure {self.value_hmac[:12]}"

    @property
    def counts(self) -> dict[str, int]:
        """How many rows hold the value, by kind."""
        return {kind: len(ids) for kind, ids in self.found.items()}

    def note(self, kind: str, ids: list[Any]) -> None:
        """Add rows that hold the value."""
        if ids:
            self.found = {**self.found, kind: [*self.found.get(kind, []), *map(str, ids)]}


def hmac_of(value: str) -> str:
    """Return what proves that an erasure was of ``value``, to who has the hub's ``SECRET_KEY`` and the value."""
    return salted_hmac(_SALT, value, algorithm="sha256").hexdigest()
