"""What somebody is to be told of: rules that say when, and the alerts that they found."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from deliveries.alerts.quiet import is_quiet, spans
from deliveries.alerts.specs import LONGEST_WINDOW_SECONDS, SPECS, Spec, kind_choices
from integrations.identifiers import uuid7
from integrations.models import Endpoint, OfEndpointsQuerySet, Route

#: Of the queue, which is counted up to this.
_MOST_CAPACITY = 100_000
_WEEK_HOURS = 7 * 24


class AlertState(models.TextChoices):
    """Where an alert stands: not told yet as it may pass, told, over."""

    PENDING = "pending", gettext_lazy("Pending")
    FIRING = "firing", gettext_lazy("Firing")
    RESOLVED = "resolved", gettext_lazy("Resolved")


OPEN = (AlertState.PENDING, AlertState.FIRING)


class AlertRuleQuerySet(OfEndpointsQuerySet["AlertRule"]):
    """Rules by who may see them: those of no endpoint are for who sees all endpoints."""

    def in_use(self) -> AlertRuleQuerySet:
        """Return those that are on, and whose endpoint and route are in service."""
        on = self.filter(enabled=True)
        return on.filter(endpoint__retired_at=None, route__retired_at=None)


class AlertRule(models.Model):
    """When somebody is to be told: a kind of trouble, where it is looked for, and from how much on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True, help_text=gettext_lazy("What messages call it by."))
    kind = models.CharField(max_length=30, choices=kind_choices, help_text=gettext_lazy("What is looked for."))
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="alert_rules",
        help_text=gettext_lazy("Looked at alone; empty: all endpoints."),
    )
    route = models.ForeignKey(
        Route,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="alert_rules",
        help_text=gettext_lazy("Looked at alone, a route of that endpoint; empty: all routes."),
    )
    threshold = models.FloatField(
        null=True, blank=True, help_text=gettext_lazy("From how much on; empty: the kind's own default.")
    )
    capacity = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(_MOST_CAPACITY)],
        help_text=gettext_lazy("Of a full queue: how many waiting deliveries are 100 %; empty: 10,000."),
    )
    window_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(60), MaxValueValidator(LONGEST_WINDOW_SECONDS)],
        help_text=gettext_lazy("How far back it looks, where it does; empty: the kind's own default."),
    )
    for_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(86_400)],
        help_text=gettext_lazy("How long it has to be the case before it is told; empty: the kind's own default."),
    )
    remind_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MaxValueValidator(_WEEK_HOURS)],
        help_text=gettext_lazy("Told again after so many hours for as long as it lasts; 0: never."),
    )
    quiet_times = models.TextField(
        blank=True,
        max_length=1000,
        help_text=gettext_lazy(
            "Times of the week at which it is not told, one in a line: MON-FRI 18:00-08:00, or SAT,SUN. "
            "What lasts is told when they are over."
        ),
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text=gettext_lazy("Of the quiet times, such as Europe/Berlin.")
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AlertRuleQuerySet.as_manager()

    class Meta:
        permissions = [("test_alertrule", "Can send a test message for an alert rule")]

    def __str__(self) -> str:
        return self.name

    @property
    def spec(self) -> Spec:
        """What its kind means; raises KeyError for one that no longer exists."""
        return SPECS[self.kind]

    @property
    def limit(self) -> float:
        """The threshold, or its kind's."""
        return self.spec.threshold if self.threshold is None else self.threshold

    @property
    def limit_in_words(self) -> str:
        """The threshold with its unit."""
        return self.spec.in_words(self.limit)

    @property
    def window(self) -> int:
        """How many seconds it looks back; 0 where it looks at what is now."""
        return self.window_seconds or self.spec.window_seconds or 0

    @property
    def patience(self) -> int:
        """For how many seconds it has to be the case."""
        return self.spec.for_seconds if self.for_seconds is None else self.for_seconds

    def is_quiet(self, now: datetime) -> bool:
        """Return whether nobody is to be told at ``now``."""
        return is_quiet(self.quiet_times, self.time_zone, now=now)

    def clean(self) -> None:
        """Check that its kind can be narrowed to its endpoint and route, and that the numbers mean something."""
        spec = SPECS.get(self.kind)
        problems: dict[str, Any] = {} if spec is None else _problems(self, spec)
        if self.route_id and self.endpoint_id is None:
            problems["route"] = "Name the route's endpoint too."
        elif self.route is not None and self.route.endpoint_id != self.endpoint_id:
            problems["route"] = "This is no route of that endpoint."
        if self.time_zone not in available_timezones():
            problems["time_zone"] = "There is no such time zone; one is called Europe/Berlin."
        try:
            spans(self.quiet_times)
        except ValueError as exc:
            problems["quiet_times"] = str(exc)
        if problems:
            raise ValidationError(problems)


def _problems(rule: AlertRule, spec: Spec) -> dict[str, str]:
    found = {}
    for name, given in (("endpoint", rule.endpoint_id), ("route", rule.route_id)):
        if given and name not in spec.scopes:
            found[name] = gettext("This kind is not looked for by %(name)s.") % {"name": name}
    if rule.threshold is not None and not spec.least <= rule.threshold <= spec.most:
        text = gettext("From %(least)s to %(most)s.")
        found["threshold"] = text % {"least": f"{spec.least:,.10g}", "most": spec.in_words(spec.most)}
    if rule.capacity is not None and rule.kind != "queue_depth":
        found["capacity"] = gettext("Only a full queue has a capacity.")
    if rule.window_seconds is not None and spec.window_seconds is None:
        found["window_seconds"] = gettext("This kind looks at what is now.")
    return found


class AlertQuerySet(OfEndpointsQuerySet["Alert"]):
    """Alerts by who may see them and by where they stand."""

    def open(self) -> AlertQuerySet:
        """Return those that are not over."""
        return self.filter(state__in=OPEN)

    def firing(self) -> AlertQuerySet:
        """Return those that are told, or wait only for a channel or for quiet times to end."""
        return self.filter(state=AlertState.FIRING)


class Alert(models.Model):
    """One thing that a rule found, from when it began to when it was over.

    ``key`` is the same for as long as it lasts. ``told_at`` is the last message about it, None if there was none;
    ``ended_told`` whether its end needs no more message. Its rule may be gone; what it was called stays.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.ForeignKey(AlertRule, null=True, on_delete=models.SET_NULL, related_name="alerts")
    rule_name = models.CharField(max_length=100)
    kind = models.CharField(max_length=30, choices=kind_choices)
    key = models.CharField(max_length=200)
    endpoint = models.ForeignKey(Endpoint, null=True, on_delete=models.CASCADE, related_name="alerts")
    about = models.CharField(max_length=300, blank=True)
    text = models.TextField()
    next_step = models.TextField(blank=True)
    page = models.CharField(max_length=20, blank=True)
    page_key = models.CharField(max_length=40, blank=True)
    page_filters = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=AlertState)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    ended_told = models.BooleanField(default=False)

    objects = AlertQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["rule", "key"], condition=Q(state__in=OPEN), name="alert_open_once"),
            models.CheckConstraint(condition=Q(state__in=AlertState.values), name="alert_state_known"),
        ]
        indexes = [
            models.Index(fields=["state", "-since"], name="alert_by_state"),
            models.Index(
                fields=["resolved_at"], name="alert_end_untold", condition=Q(state="resolved", ended_told=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.about}" if self.about else self.rule_name


class AlertClock(models.Model):
    """The one row by which workers agree who looks next, and how many messages went out in the last hour."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_at = models.DateTimeField()
    evaluated_at = models.DateTimeField(null=True)
    sent_at = models.JSONField(default=list)
    holding_back = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="alert_clock_alone")]

    def __str__(self) -> str:
        return f"next at {self.next_at}"
