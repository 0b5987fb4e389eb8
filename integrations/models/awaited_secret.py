"""The wait for a secret that the provider delivers itself, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext

from integrations.encryption import EncryptedTextField
from integrations.identifiers import uuid7
from integrations.models.endpoint import Endpoint
from integrations.models.secret import Secret

#: How long an endpoint waits.
WAIT = timedelta(minutes=15)
#: For a secret that nobody confirmed: long enough to come back to, not for ever.
_KEPT = timedelta(days=7)


class AwaitedSecretQuerySet(models.QuerySet["AwaitedSecret"]):
    """Waits by how far they have come; the clock is passed in."""

    def waiting(self, now: datetime) -> AwaitedSecretQuerySet:
        """Return those that still take a secret."""
        return self.filter(received_at=None, expires_at__gt=now)

    def pending(self, now: datetime) -> AwaitedSecretQuerySet:
        """Return those whose secret has come and is not live: an operator has to confirm it."""
        return self.filter(received_at__gt=now - _KEPT)

    def start(self, endpoint: Endpoint, *, by: str, now: datetime) -> AwaitedSecret:
        """Begin to wait, for `WAIT`; an earlier wait, and a secret that nobody confirmed, are dropped."""
        with transaction.atomic():
            self.filter(endpoint=endpoint).delete()
            return self.create(endpoint=endpoint, started_by=by[:150], started_at=now, expires_at=now + WAIT)

    def take(self, endpoint: Endpoint, value: str, *, source: str, now: datetime) -> bool:
        """Keep ``value`` if the endpoint waits for one; return whether it did. Only the first of a wait is taken."""
        waiting = self.waiting(now).filter(endpoint=endpoint)
        if not waiting.exists():  # anybody can ask, at any time: that must not cost a lock for writing
            return False
        return bool(waiting.update(value=value, source=source[:64], received_at=now))


class AwaitedSecret(models.Model):
    """One wait of one endpoint: started by an operator, ended by the first delivery, by time, or by confirmation.

    ``value`` came unsigned: whoever knew the URL within the wait could have sent it, which is why an operator looks at
    ``source`` and ``received_at`` and confirms it before it is live.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.OneToOneField(Endpoint, on_delete=models.CASCADE, related_name="awaited_secret", editable=False)
    started_by = models.CharField(max_length=150, editable=False)
    started_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(editable=False)
    value = EncryptedTextField(null=True, blank=True, editable=False)
    source = models.CharField(max_length=64, blank=True, default="", editable=False)
    received_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AwaitedSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(received_at=None, value__isnull=True) | Q(received_at__isnull=False, value__isnull=False),
                name="awaited_secret_received_with_value",
            ),
        ]

    def __str__(self) -> str:
        return f"awaited secret of {self.endpoint}"

    def confirm(self, *, now: datetime) -> Secret:
        """Make the delivered secret live and end the wait; raises ValidationError if there is none, or it is unusable.

        Of two operators who confirm at once, one gets the error.
        """
        with transaction.atomic():
            found = AwaitedSecret.objects.select_for_update().pending(now).filter(pk=self.pk).first()
            if found is None:
                raise ValidationError(gettext("There is no delivered secret to confirm."))
            label = f"delivered {found.received_at:%Y-%m-%d %H:%M}"
            secret = Secret(endpoint=found.endpoint, label=label, value=found.value or "")
            secret.full_clean()
            secret.save()
            found.delete()
        return secret
