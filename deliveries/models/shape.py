"""What the payloads of one event type look like at one endpoint, as far as it was learned, and what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, gettext_lazy

from integrations.identifiers import uuid7
from integrations.models import Endpoint, OfEndpointsQuerySet


class ChangeKind(models.TextChoices):
    """What can change."""

    APPEARED = "appeared", gettext_lazy("New field")
    VANISHED = "vanished", gettext_lazy("Field is gone")
    TYPE = "type", gettext_lazy("Other type")
    NEW_TYPE = "new_type", gettext_lazy("New event type")


class KnownField(TypedDict):
    """A field as the column keeps it.

    ``seen`` counts events that had it and ``types`` those by type, of about the last two thousand; ``missing`` those
    since, one after the other, that might have had it and had not.
    """

    parent: str
    types: dict[str, int]
    seen: int
    missing: int
    first_at: str
    first_event: str
    last_at: str


class Change(TypedDict):
    """A change as the column keeps it: what is there now (``types``), and what was before.

    ``below`` is how many fields in it came or went with it. ``ended_at`` is when it was as before again,
    ``accepted_at`` when somebody said that it is right; None for neither.
    """

    kind: str
    path: str
    types: list[str]
    before: list[str]
    below: int
    at: str
    event: str
    ended_at: str | None
    accepted_at: str | None
    accepted_by: str


class ShapeQuerySet(OfEndpointsQuerySet["Shape"]):
    """Shapes by who may see them, and by what is shown of them."""

    def shown(self) -> ShapeQuerySet:
        """Return those of endpoints whose payloads may be seen: of others nothing is told, and soon nothing is kept."""
        return self.filter(endpoint__sensitive=False)

    def changed_since(self, since: datetime) -> ShapeQuerySet:
        """Return those with a change since then that nobody has accepted."""
        return self.filter(changed_at__gte=since)

    def prune(self, *, before: datetime, limit: int) -> int:
        """Remove up to ``limit`` of types that did not come since, and of endpoints that are sensitive by now."""
        old = self.filter(Q(last_seen_at__lt=before) | Q(endpoint__sensitive=True))
        ids = list(old.values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class Shape(models.Model):
    """The fields of one event type: names, types and how often, no values.

    ``fields`` are `KnownField` by path, ``folded`` the paths of objects whose names are data, ``changes`` the latest
    `Change`, the oldest first; ``changed_at`` is when the latest of those was found that are open, None without one.
    ``looked_at`` counts the events that it was learned from. Nothing counts as a change before ``learned_at``, which is
    None for as long as it learns; that began at ``learns_since`` with the event of the number ``learns_from``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="shapes", db_index=False)
    event_type = models.CharField(max_length=255, blank=True)
    fields = models.JSONField(default=dict)
    folded = models.JSONField(default=list)
    changes = models.JSONField(default=list)
    is_cut = models.BooleanField(default=False, help_text=gettext_lazy("Whether there are more fields than are kept."))
    looked_at = models.PositiveBigIntegerField(default=0, help_text=gettext_lazy("How many events were looked at."))
    counted = models.PositiveIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    learns_since = models.DateTimeField()
    learns_from = models.PositiveBigIntegerField(default=0)
    learned_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)

    objects = ShapeQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("accept_shape", "Can accept how payloads have changed")]
        constraints = [models.UniqueConstraint(fields=["endpoint", "event_type"], name="shape_once_per_type")]
        indexes = [
            models.Index(fields=["changed_at"], name="shape_changed", condition=Q(changed_at__isnull=False)),
            models.Index(fields=["last_seen_at"], name="shape_by_last"),
        ]

    def __str__(self) -> str:
        return self.event_type or gettext("(no type)")

    @property
    def open_changes(self) -> list[Change]:
        """The changes that are still the case and that nobody has accepted, the oldest first."""
        return [change for change in self.changes if is_open(change)]


class ShapeCursor(models.Model):
    """The one row by which workers agree who looks next, and up to which event all is looked at."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    looked_until = models.UUIDField(null=True)
    next_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="shape_cursor_alone")]

    def __str__(self) -> str:
        return f"until {self.looked_until}"


def is_open(change: Change) -> bool:
    """Return whether ``change`` is still the case, and nobody has accepted it."""
    return change["ended_at"] is None and change["accepted_at"] is None


def moment(text: str) -> datetime:
    """Return a moment as the columns keep it."""
    return datetime.fromisoformat(text)


def newest(changes: list[Change]) -> Any:
    """Return when the latest of ``changes`` was found, or None."""
    return max((moment(change["at"]) for change in changes), default=None)
