"""One step of a delivery's flow: how it stands, what it was given and what it has left."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.encryption import EncryptedJSONField


class StepState(models.TextChoices):
    """Where a step of a flow stands."""

    RUNNING = "running", gettext_lazy("Running")
    SUCCEEDED = "succeeded", gettext_lazy("Succeeded")
    SKIPPED = "skipped", gettext_lazy("Skipped")
    FAILED = "failed", gettext_lazy("Failed")


#: A step that has come so far does not run again.
OVER = (StepState.SUCCEEDED, StepState.SKIPPED)


class FlowStep(models.Model):
    """One step of a delivery's flow, from its first try on.

    ``attempt`` is the number of the attempt that began it last; ``tries`` counts the tries since the replay of
    ``tries_since`` (None: since the delivery was made). ``input`` is what its handler made of its config, shortened,
    credentials masked; ``kept``, of one that succeeded, is ``{"output": ..., "emitted": [...]}``. Both are encrypted:
    what a sensitive endpoint received goes into them.
    """

    # The constraint below is its index.
    delivery = models.ForeignKey(
        "deliveries.Delivery", on_delete=models.CASCADE, related_name="flow_steps", db_index=False
    )
    name = models.CharField(max_length=40)
    position = models.PositiveSmallIntegerField()
    handler = models.CharField(max_length=100)
    condition = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=StepState, default=StepState.RUNNING)
    attempt = models.PositiveIntegerField()
    tries = models.PositiveIntegerField(default=0)
    tries_since = models.DateTimeField(null=True, blank=True)
    input = EncryptedJSONField(null=True)
    kept = EncryptedJSONField(null=True)
    error = models.CharField(max_length=1000, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()  # it is seen through its delivery
        constraints = [
            models.UniqueConstraint(fields=["delivery", "name"], name="flow_step_once_per_name"),
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="flow_step_state_known"),
            models.CheckConstraint(
                condition=Q(state=StepState.RUNNING, finished_at=None)
                | (~Q(state=StepState.RUNNING) & Q(finished_at__isnull=False)),
                name="flow_step_finished_unless_running",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def duration(self) -> timedelta | None:
        """How long its last try took; None while it runs."""
        return self.finished_at - self.started_at if self.finished_at else None
