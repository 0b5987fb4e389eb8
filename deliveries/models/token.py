"""What there is to know of an API token besides Knox's own row: its scopes, and when it was last used."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

#: The time of last use may be behind by as much: one write a minute, not one for each request.
NOTED_EVERY = timedelta(minutes=1)


class TokenTermsQuerySet(models.QuerySet["TokenTerms"]):
    """Terms by token."""

    def note_use(self, digest: str, *, now: datetime) -> None:
        """Note that the token was used, unless that is on record for the last minute."""
        if not self.filter(token=digest).exists():
            self.get_or_create(token_id=digest)
        before = Q(last_used_at=None) | Q(last_used_at__lte=now - NOTED_EVERY)
        self.filter(before, token=digest).update(last_used_at=now)


class TokenTerms(models.Model):
    """Beside the row of a token. ``scopes`` None, and no row at all, mean everything that the user may do."""

    token = models.OneToOneField("knox.AuthToken", primary_key=True, on_delete=models.CASCADE, related_name="terms")
    scopes = models.JSONField(null=True)
    last_used_at = models.DateTimeField(null=True)

    objects = TokenTermsQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return "everything" if self.scopes is None else ", ".join(self.scopes)
