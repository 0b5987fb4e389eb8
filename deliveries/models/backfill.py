"""Asking a provider, by schedule or on order, what it sent: how, and how each time went."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils.translation import gettext, gettext_lazy

from integrations.history import History, histories
from integrations.identifiers import uuid7
from integrations.models import Connection, Endpoint, EndpointState, OfEndpointsQuerySet
from integrations.schemas import check_schema

COUNTS = ("asked", "known", "missing", "stored", "failed")
#: How often a provider is asked, and about how long, at least and at most.
SHORTEST_MINUTES = 5
LONGEST_MINUTES = 366 * 24 * 60


class BackfillQuerySet(OfEndpointsQuerySet["Backfill"]):
    """Backfills by when they are due."""

    def due(self, now: datetime) -> BackfillQuerySet:
        """Return those whose time has come, at endpoints that take events."""
        in_use = self.filter(endpoint__retired_at=None).exclude(endpoint__state=EndpointState.DISABLED)
        return in_use.filter(next_at__lte=now)

    def advance(self, backfill: Backfill, *, now: datetime) -> bool:
        """Set the next time of a due backfill; of several who try, one does. False if it was another."""
        after = None if backfill.interval_minutes is None else now + timedelta(minutes=backfill.interval_minutes)
        return bool(self.filter(pk=backfill.pk, next_at=backfill.next_at).update(next_at=after))


class Backfill(models.Model):
    """How the provider of one endpoint is asked, and how often.

    A run of the schedule looks back ``lookback_minutes``, or as far as the end of the last that succeeded.

    ``connection`` has the address of the provider's API, and the proof.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.OneToOneField(Endpoint, on_delete=models.CASCADE, related_name="backfill")
    connection = models.ForeignKey(
        Connection,
        on_delete=models.PROTECT,
        related_name="backfills",
        help_text=gettext_lazy("To the provider's API: its address, and the proof."),
    )
    source = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy('What to ask about, such as {"repository": "octo-org/hello", "hook": 42}.'),
    )
    interval_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(SHORTEST_MINUTES), MaxValueValidator(LONGEST_MINUTES)],
        help_text=gettext_lazy("Ask so often; empty: only when it is ordered."),
    )
    lookback_minutes = models.PositiveIntegerField(
        default=120,
        validators=[MinValueValidator(SHORTEST_MINUTES), MaxValueValidator(LONGEST_MINUTES)],
        help_text=gettext_lazy("Ask about so long; what is known is never stored twice."),
    )
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    asked_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BackfillQuerySet.as_manager()

    class Meta:
        permissions = [("order_backfill", "Can order a backfill")]
        indexes = [models.Index(fields=["next_at"], name="backfill_by_time", condition=Q(next_at__isnull=False))]

    def __str__(self) -> str:
        return f"backfill of {self.endpoint.slug}"

    @property
    def history(self) -> History | None:
        """How the provider is asked; None where it cannot be."""
        return histories.get(self.endpoint.provider)

    def begin(self, now: datetime) -> None:
        """Let its schedule begin now, if it has one; not saved."""
        self.next_at = None if self.interval_minutes is None else now

    def clean(self) -> None:
        """Check ``source`` against what the provider has to be asked with, and that the connection fits."""
        if not hasattr(self, "endpoint"):
            return
        if self.history is None:
            known = ", ".join(histories)
            raise ValidationError(
                gettext("%(provider)s cannot be asked what it sent; these can: %(known)s.")
                % {"provider": self.endpoint.provider, "known": known}
            )
        check_schema(self.source, self.history.settings_schema, field="source")
        if hasattr(self, "connection") and not self.connection.is_for(self.endpoint):
            raise ValidationError(
                {"connection": gettext("It is not for this endpoint: it is retired, or of another group.")}
            )


class RunState(models.TextChoices):
    """Where one run stands; `OPEN` until it has come to its end, also while nobody works on it."""

    OPEN = "open", gettext_lazy("Under way")
    FINISHED = "finished", gettext_lazy("Finished")
    FAILED = "failed", gettext_lazy("Failed")


class BackfillRunQuerySet(OfEndpointsQuerySet["BackfillRun"]):
    """Runs, and who works on them: conditional updates, so that of several workers one has a run."""

    group_path: ClassVar[str] = "backfill__endpoint__group"

    def open_for(self, backfill: Backfill, **values: Any) -> BackfillRun | None:
        """Make a run; None if one is under way already."""
        try:
            with transaction.atomic():
                return self.create(backfill=backfill, **values)
        except IntegrityError:
            return None

    def free(self, now: datetime) -> BackfillRunQuerySet:
        """Return those on which nobody works, the oldest first."""
        return self.filter(state=RunState.OPEN, free_at__lte=now).order_by("pk")

    def take(self, *, holder: str, now: datetime, lease: timedelta) -> BackfillRun | None:
        """Take a free run for ``lease``; None if there is none."""
        for pk in self.free(now).values_list("pk", flat=True)[:5]:
            if self.filter(pk=pk, state=RunState.OPEN, free_at__lte=now).update(holder=holder, free_at=now + lease):
                return self.select_related("backfill__endpoint", "backfill__connection").get(pk=pk)
        return None

    def renew(self, pk: UUID, *, holder: str, **values: Any) -> bool:
        """Write ``values`` to the run if it is still ``holder``'s; return whether it is."""
        return bool(self.filter(pk=pk, holder=holder, state=RunState.OPEN).update(**values))

    def prune(self, *, before: datetime, limit: int) -> int:
        """Remove up to ``limit`` runs that ended before; return how many."""
        ids = list(self.filter(finished_at__lt=before).values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class BackfillRun(models.Model):
    """One time that a provider was asked about ``since`` to ``until``, and what came of it.

    ``cursor`` is where it goes on; whoever has it in work is ``holder``, until ``free_at`` at the latest. ``tries``
    counts how often in a row the provider could not be asked.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    backfill = models.ForeignKey(Backfill, on_delete=models.CASCADE, related_name="runs")
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=8, choices=RunState, default=RunState.OPEN)
    asked = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    stored = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cursor = models.TextField(blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=150, blank=True)
    free_at = models.DateTimeField()

    objects = BackfillRunQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # they are seen on the page of their backfill
        constraints = [
            models.UniqueConstraint(
                fields=["backfill"], condition=Q(state=RunState.OPEN), name="backfill_run_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="backfill_run_state_known"),
        ]
        indexes = [
            models.Index(fields=["free_at"], name="backfill_run_open", condition=Q(state=RunState.OPEN)),
            models.Index(fields=["finished_at"], name="backfill_run_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.stored} stored"
