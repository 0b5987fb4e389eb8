"""One try of a delivery, and the kept results of its steps."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q

from deliveries.models.states import Outcome, Trigger
from integrations.encryption import EncryptedJSONField


class Attempt(models.Model):
    """One try of a delivery: on record before its handler starts. ``number`` is the fencing token.

    ``calls`` are those of outside systems, each with what was sent (`deliveries.sent_calls`); None: there were none.
    They are encrypted: what a sensitive endpoint received goes into them.
    """

    # The constraint below is its index.
    delivery = models.ForeignKey(
        "deliveries.Delivery", on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    number = models.PositiveIntegerField()
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.CharField(max_length=150, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    log = models.JSONField(default=list)
    response = models.JSONField(null=True, blank=True)
    calls = EncryptedJSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once_per_number"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="attempt_outcome_known"),
            models.CheckConstraint(
                condition=Q(outcome=Outcome.RUNNING, finished_at=None)
                | (~Q(outcome=Outcome.RUNNING) & Q(finished_at__isnull=False)),
                name="attempt_finished_unless_running",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None while it runs."""
        return self.finished_at - self.started_at if self.finished_at else None

    @property
    def has_calls(self) -> bool:
        """Whether it called an outside system; of a row that was loaded with its calls, which no key has to open."""
        return bool(self.__dict__.get("calls"))


class StepResult(models.Model):
    """The kept result of ``context.once(key, ...)``: a retry or a replay does not repeat the step.

    ``data`` holds it where it is bytes, ``value``, as JSON in a text, where it is anything else.
    """

    delivery = models.ForeignKey("deliveries.Delivery", on_delete=models.CASCADE, related_name="step_results")
    key = models.CharField(max_length=200)
    value = models.JSONField(null=True)
    data = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "key"], name="step_result_once_per_key")]

    def __str__(self) -> str:
        return self.key
