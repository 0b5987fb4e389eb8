"""Who did what, when and from where: the log of every change, order and login. Rows are added, and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.identifiers import uuid7
from integrations.models import Endpoint, OfEndpointsQuerySet


class Action(models.TextChoices):
    """What somebody did."""

    MADE = "made", gettext_lazy("Made")
    CHANGED = "changed", gettext_lazy("Changed")
    REMOVED = "removed", gettext_lazy("Removed, retired or ended")
    ORDERED = "ordered", gettext_lazy("Ordered")
    LOGGED_IN = "logged_in", gettext_lazy("Logged in")
    LOGGED_OUT = "logged_out", gettext_lazy("Logged out")
    LOGIN_FAILED = "login_failed", gettext_lazy("Failed to log in")
    TOKEN_REFUSED = "token_refused", gettext_lazy("Was refused with a token")


#: Actions about who comes in, not about anything in the hub.
LOGINS = (Action.LOGGED_IN, Action.LOGGED_OUT, Action.LOGIN_FAILED, Action.TOKEN_REFUSED)


class AuditEntryQuerySet(OfEndpointsQuerySet["AuditEntry"]):
    """Entries by what they are about. Who is restricted to groups sees those about their endpoints alone."""

    def about(self, kind: str, pk: object) -> AuditEntryQuerySet:
        """Return the entries about one row."""
        return self.filter(object_type=kind, object_id=str(pk))

    def changes(self) -> AuditEntryQuerySet:
        """Return what was done, without who came in."""
        return self.exclude(action__in=LOGINS)

    def update(self, **kwargs: Any) -> NoReturn:
        """Raise `TypeError`: what is on record stays as it is."""
        raise TypeError("the audit log is only added to")

    def delete(self) -> NoReturn:
        """Raise `TypeError`; `prune` removes by age."""
        raise TypeError("the audit log is only added to")

    def prune(self, *, before: datetime, limit: int) -> int:
        """Remove up to ``limit`` entries from before that moment, the oldest first; return how many."""
        ids = list(self.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:limit])
        if not ids:
            return 0
        removed: int = self.model._base_manager.filter(pk__in=ids)._raw_delete(self.db)
        return removed


class AuditEntry(models.Model):
    """One thing that somebody did. It names who and what as they were called then, and holds on to no other row.

    ``before`` and ``after`` are the columns that changed, as they may be read: credentials are masked. ``who`` is ""
    where nobody is known, ``via`` is ``admin``, ``api``, ``command`` or ``hub``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    who = models.CharField(max_length=150, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    via = models.CharField(max_length=20)
    source = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    action = models.CharField(max_length=15, choices=Action)
    object_type = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=128, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    endpoint = models.ForeignKey(
        Endpoint, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    message = models.CharField(max_length=500, blank=True)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("audit entry")
        verbose_name_plural = gettext_lazy("audit log")
        default_permissions = ("view", "export")
        constraints = [models.CheckConstraint(condition=Q(action__in=Action.values), name="audit_action_known")]
        indexes = [
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["object_type", "object_id"], name="audit_by_object"),
            models.Index(fields=["who", "-at"], name="audit_by_who"),
        ]

    def __str__(self) -> str:
        return f"{self.who or 'somebody'}: {self.message or self.get_action_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; raises `TypeError` for one that is on record."""
        if not self._state.adding:
            raise TypeError("the audit log is only added to")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `TypeError`."""
        raise TypeError("the audit log is only added to")
