"""Which events of an endpoint go to which handler."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.handlers import handler_choices
from integrations.identifiers import uuid7
from integrations.models.endpoint import Endpoint
from integrations.models.endpoint_group import OfEndpointsQuerySet
from integrations.retry import RetryPolicy
from integrations.routing import matches
from integrations.validation import (
    default_retry,
    validate_event_globs,
    validate_handler,
    validate_handler_config,
    validate_jmespath,
    validate_retry,
)


class OrderingFailure(models.TextChoices):
    """What becomes of an ordering key when one of its deliveries has spent its attempts."""

    BLOCK = "block", gettext_lazy("Block the key until it is replayed or discarded")
    SKIP = "skip", gettext_lazy("Skip it and go on")
    PARK = "park", gettext_lazy("Park the key: hold what comes later")


class RouteQuerySet(OfEndpointsQuerySet["Route"]):
    """Routes by whether they make deliveries."""

    def live(self) -> RouteQuerySet:
        """Return those that have not been retired."""
        return self.filter(retired_at=None)

    def enabled(self) -> RouteQuerySet:
        """Return those that make deliveries, in a stable order."""
        return self.live().filter(enabled=True).order_by("created_at", "id")


class Route(models.Model):
    """Which events of an endpoint go to which handler, and how hard the hub tries."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="routes")
    name = models.CharField(max_length=200)
    events = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_event_globs],
        help_text=gettext_lazy('Event types, such as ["push", "pull_request.*"]; empty means all.'),
    )
    filter = models.TextField(
        blank=True,
        validators=[validate_jmespath],
        help_text=gettext_lazy(
            "A JMESPath over the payload; the event is taken if the result is true. Empty takes all."
        ),
    )
    handler = models.CharField(max_length=100, choices=handler_choices, validators=[validate_handler])
    config = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy("The handler's configuration, as a JSON object.")
    )
    retry = models.JSONField(
        default=default_retry,
        blank=True,
        validators=[validate_retry],
        help_text=gettext_lazy(
            "max_attempts, initial_seconds, factor, max_seconds, jitter (true or false), max_age_seconds (since "
            "a delivery was made or last replayed; null: no limit), errors: rules for exception classes, such as "
            '{"ConnectionError": {"max_attempts": 10}, "crm.BadRequest": {"retry": false}}.'
        ),
    )
    timeout_seconds = models.FloatField(default=30, help_text=gettext_lazy("How long one attempt may take."))
    priority = models.PositiveSmallIntegerField(default=5, help_text=gettext_lazy("0 to 9, 9 first."))
    concurrency = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=gettext_lazy("How many of its deliveries may run at once, on all workers; empty: unlimited."),
    )
    ordering_key = models.TextField(
        blank=True,
        default="",
        db_default="",
        validators=[validate_jmespath],
        help_text=gettext_lazy(
            "A JMESPath over the payload: deliveries with the same result run one after the other, in order of "
            "receipt. Empty: in any order."
        ),
    )
    ordering_failure = models.CharField(
        max_length=5,
        choices=OrderingFailure,
        default=OrderingFailure.BLOCK,
        db_default=OrderingFailure.BLOCK,
        help_text=gettext_lazy(
            "With an ordering key: when a delivery has given up, the later ones of its key wait until it is "
            "replayed or discarded, go on without it, or are held."
        ),
    )
    enabled = models.BooleanField(default=True, help_text=gettext_lazy("Off: no deliveries are made."))
    paused = models.BooleanField(default=False, help_text=gettext_lazy("On: deliveries are made and held."))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = RouteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(priority__lte=9), name="route_priority_0_to_9"),
            models.CheckConstraint(
                condition=Q(concurrency=None) | Q(concurrency__gte=1),
                name="route_concurrency_at_least_1",
                violation_error_message=gettext_lazy("At least one delivery has to be allowed to run at once."),
            ),
            models.CheckConstraint(
                condition=Q(ordering_failure__in=OrderingFailure.values), name="route_ordering_failure_known"
            ),
            models.CheckConstraint(
                condition=Q(timeout_seconds__gt=0, timeout_seconds__lte=3600),
                name="route_timeout_up_to_an_hour",
                violation_error_message=gettext_lazy("The timeout has to be more than 0 and at most 3600 seconds."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check ``config`` against the handler's own schema."""
        validate_handler_config(self.handler, self.config)

    @property
    def retry_policy(self) -> RetryPolicy:
        """The policy that ``retry`` describes; what it leaves out is the default."""
        return RetryPolicy.from_json(self.retry)

    def takes(self, event_type: str, payload: Any) -> bool:
        """Return whether an event of this type and payload is for this route."""
        return matches(self.events, self.filter, event_type=event_type, payload=payload)

    def retire(self, *, now: datetime) -> None:
        """Take the route out of service for good; its history stays."""
        self.retired_at = now
        self.enabled = False
        self.save(update_fields=["retired_at", "enabled", "updated_at"])
