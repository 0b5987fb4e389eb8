"""Access tokens of OAuth 2.0, fetched by one worker and used by all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from integrations.encryption import EncryptedTextField
from integrations.models.connection import Connection


class ConnectionTokenQuerySet(models.QuerySet["ConnectionToken"]):
    """Conditional updates, so that of several workers one fetches."""

    def take(self, connection: Connection, *, holder: str, now: datetime, lease: timedelta) -> bool:
        """Take the right to fetch a token for ``lease``; return False if another worker has it."""
        self.get_or_create(connection=connection)
        free = self.filter(Q(free_at=None) | Q(free_at__lte=now) | Q(holder=holder), pk=connection.pk)
        return bool(free.update(holder=holder, free_at=now + lease))

    def give_back(self, connection: Connection, *, holder: str, **values: Any) -> bool:
        """Write ``values`` and give the right back; return False, and write nothing, if another has it by now."""
        row = self.filter(pk=connection.pk, holder=holder).first()
        if row is None:
            return False
        for name, value in values.items():
            setattr(row, name, value)
        row.holder, row.free_at = "", None
        row.save(update_fields=[*values, "holder", "free_at"])
        return True


class ConnectionToken(models.Model):
    """The token of one connection. ``made_for`` tells the credentials apart that it was fetched with.

    ``refresh_token`` is the latest one that the server has given out; it takes the place of the entered one.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="token")
    access_token = EncryptedTextField(blank=True, default="")
    refresh_token = EncryptedTextField(blank=True, default="")
    made_for = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=150, blank=True)
    free_at = models.DateTimeField(null=True)

    objects = ConnectionTokenQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"token of {self.connection_id}"

    def is_good(self, *, made_for: str, now: datetime) -> bool:
        """Return whether it can be used for another few seconds, with the credentials ``made_for``."""
        return (
            bool(self.access_token)
            and self.made_for == made_for
            and (self.expires_at is None or self.expires_at > now + timedelta(seconds=10))
        )
