"""One live key of an endpoint."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, gettext_lazy

from integrations.encryption import EncryptedTextField
from integrations.errors import ReferenceMissing
from integrations.identifiers import uuid7
from integrations.models.endpoint import Endpoint
from integrations.models.endpoint_group import OfEndpointsQuerySet
from integrations.providers import providers
from integrations.references import resolve

#: The window of a provider that does not document for how long it sends again.
DEFAULT_RETRY_HOURS = 7 * 24


class SecretQuerySet(OfEndpointsQuerySet["Secret"]):
    """Secrets by whether they count."""

    def live(self, now: datetime) -> SecretQuerySet:
        """Return those that have not expired, the newest first."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by("-created_at", "-id")


class Secret(models.Model):
    """One live key of an endpoint; several may be live at once, so that a key can be changed without losing an event.

    ``value`` is what the operator pasted, or a reference to it (``env:NAME``, ``file:NAME``). ``signing_key`` is the
    private half of a key pair that the hub made for test events of an asymmetric provider; otherwise "".
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="secrets")
    label = models.CharField(
        max_length=100, blank=True, help_text=gettext_lazy("To tell several apart, such as 2026-11.")
    )
    value = EncryptedTextField(
        help_text=gettext_lazy(
            "What the provider shows, or env:HUB_SECRET_NAME, or file:NAME. Shown to nobody after it is saved."
        )
    )
    signing_key = EncryptedTextField(blank=True, default="", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text=gettext_lazy("No longer accepted from then on."))
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = SecretQuerySet.as_manager()

    def __str__(self) -> str:
        return self.label or f"secret of {self.created_at:%Y-%m-%d}"

    def clean(self) -> None:
        """Refuse a value that the endpoint's scheme cannot use, an empty one above all."""
        preset = providers.get(self.endpoint.provider)
        if preset is None:
            raise ValidationError(
                gettext("There is no provider %(provider)s.") % {"provider": f"{self.endpoint.provider!r}"}
            )
        try:
            preset.scheme_for(self.endpoint.settings).check_key(self.resolved())
        except (ValueError, ReferenceMissing) as exc:
            raise ValidationError({"value": str(exc)}) from exc

    def resolved(self) -> str:
        """Return the key itself, following a reference; raises `ReferenceMissing`."""
        return resolve(self.value)

    def safe_to_retire(self, siblings: Iterable[Secret], *, now: datetime) -> bool:
        """Return whether nothing is lost if this secret ends now; ``siblings`` are the endpoint's live secrets.

        It was not used (or, never used, not entered) within the time in which the provider sends again, and the
        provider has used another one since: that another is only entered shows nothing.
        """
        preset = providers.get(self.endpoint.provider)
        hours = (preset.retry_hours if preset else None) or DEFAULT_RETRY_HOURS
        last = self.last_used_at or self.created_at
        return now - last > timedelta(hours=hours) and any(
            sibling.pk != self.pk and sibling.last_used_at is not None and sibling.last_used_at > last
            for sibling in siblings
        )
