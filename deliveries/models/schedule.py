"""Events that the hub makes by itself, when their time has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from deliveries.schedules.timing import Rule, check_cron, in_words
from integrations.identifiers import uuid7
from integrations.models import Endpoint, EndpointState, OfEndpointsQuerySet
from integrations.schemas import is_storable

_LONGEST_SECONDS = 366 * 86_400
_LONGEST_PAYLOAD = 256 * 1024


class Missed(models.TextChoices):
    """What becomes of ticks that nobody was there for, as the hub was down or the endpoint switched off."""

    ONCE = "once", gettext_lazy("One event for all of them")
    ALL = "all", gettext_lazy("An event for each (at most 1,000, the newest)")
    SKIP = "skip", gettext_lazy("No event")


#: What, changed, makes another next tick.
RULE_FIELDS = frozenset({"cron", "time_zone", "interval_seconds", "at", "starts_at", "ends_at", "enabled"})


class ScheduleQuerySet(OfEndpointsQuerySet["Schedule"]):
    """Schedules by when they are due."""

    def due(self, now: datetime) -> ScheduleQuerySet:
        """Return those whose time has come, at endpoints that are in service."""
        in_use = self.filter(enabled=True, endpoint__retired_at=None).exclude(endpoint__state=EndpointState.DISABLED)
        return in_use.filter(next_at__lte=now)


class Schedule(models.Model):
    """When events are made, on which endpoint, of which type and with which payload.

    One of ``cron``, ``interval_seconds`` and ``at`` says when. ``next_at`` is the next tick; None if there is none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(
        max_length=100, unique=True, help_text=gettext_lazy("What the events are known by, such as nightly-report.")
    )
    endpoint = models.ForeignKey(
        Endpoint,
        on_delete=models.CASCADE,
        related_name="schedules",
        help_text=gettext_lazy("One of the provider internal: its routes say what runs."),
    )
    event_type = models.CharField(max_length=255, default="tick", help_text=gettext_lazy("Routes choose by it."))
    payload = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy("The events' payload, always the same.")
    )
    cron = models.CharField(
        gettext_lazy("cron line"),
        max_length=200,
        blank=True,
        help_text=gettext_lazy(
            "Minute, hour, day of the month, month, day of the week, such as 0 9 * * MON-FRI; or @daily."
        ),
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text=gettext_lazy("In which the cron line counts, such as Europe/Berlin.")
    )
    interval_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(_LONGEST_SECONDS)],
        help_text=gettext_lazy("Instead of a cron line: so often, counted from the start."),
    )
    at = models.DateTimeField(null=True, blank=True, help_text=gettext_lazy("Instead of a cron line: once, then."))
    starts_at = models.DateTimeField(null=True, blank=True, help_text=gettext_lazy("Not before; empty: from now on."))
    ends_at = models.DateTimeField(null=True, blank=True, help_text=gettext_lazy("Not after; empty: for ever."))
    missed = models.CharField(
        max_length=4,
        choices=Missed,
        default=Missed.ONCE,
        help_text=gettext_lazy("What becomes of ticks that were missed by more than a minute."),
    )
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)  # what intervals are counted from
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        permissions = [("run_schedule", "Can run a schedule now")]
        indexes = [
            models.Index(fields=["next_at"], name="schedule_by_time", condition=Q(enabled=True, next_at__isnull=False))
        ]
        constraints = [
            models.CheckConstraint(condition=Q(missed__in=Missed.values), name="schedule_missed_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def rule(self) -> Rule:
        """When its time comes."""
        return Rule(
            cron=self.cron,
            zone=self.time_zone,
            interval=None if self.interval_seconds is None else timedelta(seconds=self.interval_seconds),
            anchor=self.starts_at or self.created_at,
            at=self.at,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
        )

    @property
    def in_words(self) -> str:
        """When its time comes, for people."""
        if self.cron:
            return f"{in_words(self.cron)} ({self.time_zone})"
        if self.interval_seconds is not None:
            return f"Every {timedelta(seconds=self.interval_seconds)}"
        return "Once"

    def plan(self, *, now: datetime) -> None:
        """Set the next tick after ``now``: of a new schedule, or one whose rule has changed. The caller saves."""
        self.next_at = self.rule.after(now) if self.enabled else None

    def local(self, moment: datetime) -> datetime:
        """Return ``moment`` in the schedule's time zone."""
        return moment.astimezone(ZoneInfo(self.time_zone))

    def clean(self) -> None:
        """Check that there is one rule, that its time comes, and that the endpoint can take the events."""
        problems: dict[str, Any] = {}
        if sum([bool(self.cron), self.interval_seconds is not None, self.at is not None]) != 1:
            problems["cron"] = "Give one of a cron line, an interval and a moment."
        elif self.cron:
            try:
                check_cron(self.cron)
            except ValueError as exc:
                problems["cron"] = str(exc)
        if self.time_zone not in available_timezones():
            problems["time_zone"] = "There is no such time zone; one is called Europe/Berlin."
        if self.starts_at and self.ends_at and self.ends_at < self.starts_at:
            problems["ends_at"] = "This is before the start."
        if not is_storable(self.payload):
            problems["payload"] = "This cannot be kept as JSON."
        elif len(str(self.payload)) > _LONGEST_PAYLOAD:
            problems["payload"] = f"This has more than {_LONGEST_PAYLOAD} characters."
        if self.endpoint_id and self.endpoint.provider != "internal":
            problems["endpoint"] = "Schedules make events on endpoints of the provider internal."
        if problems:
            raise ValidationError(problems)
