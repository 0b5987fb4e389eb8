"""One public URL for one source."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.encryption import EncryptedJSONField
from integrations.identifiers import uuid7
from integrations.models.endpoint_group import EndpointGroup, OfEndpointsQuerySet
from integrations.models.keeping import Keeping
from integrations.providers import provider_choices, providers
from integrations.validation import (
    validate_content_types,
    validate_dedupe,
    validate_networks,
    validate_provider,
    validate_provider_settings,
    validate_shared_url,
)

if TYPE_CHECKING:
    from integrations.providers import Provider


class EndpointState(models.TextChoices):
    """What happens to a request that comes in."""

    ACTIVE = "active", gettext_lazy("Active")
    PAUSED = "paused", gettext_lazy("Paused (stored, deliveries held)")
    DISABLED = "disabled", gettext_lazy("Disabled (answers 404)")


class Batching(models.TextChoices):
    """What becomes of a request that tells of several things at once."""

    WHOLE = "whole", gettext_lazy("Whole (one event)")
    SPLIT = "split", gettext_lazy("Split (an event for each item)")


class EndpointQuerySet(OfEndpointsQuerySet["Endpoint"]):
    """Endpoints by what they are to a request."""

    group_path: ClassVar[str] = "group"

    def live(self) -> EndpointQuerySet:
        """Return those that have not been retired."""
        return self.filter(retired_at=None)

    def receiving(self) -> EndpointQuerySet:
        """Return those that answer at their public URL."""
        return self.live().exclude(state=EndpointState.DISABLED).exclude(provider="internal")

    def at_shared_url(self) -> EndpointQuerySet:
        """Return those that answer at the shared URL too, the oldest first."""
        return self.receiving().filter(shared_url=True).order_by("created_at", "pk")


class Endpoint(Keeping):
    """One public URL, ``/hooks/<slug>``, for one source."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=100, help_text=gettext_lazy("The last part of the public URL, /hooks/<slug>."))
    name = models.CharField(
        max_length=200, blank=True, help_text=gettext_lazy("For people; the slug is used where it is empty.")
    )
    group = models.ForeignKey(
        EndpointGroup,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="endpoints",
        help_text=gettext_lazy("Who is restricted to groups sees it only in one of these."),
    )
    provider = models.CharField(
        max_length=50,
        choices=provider_choices,
        validators=[validate_provider],
        help_text=gettext_lazy("Who sends, and so how a request proves its origin."),
    )
    # Encrypted, for some are credentials; `integrations.masking` has them as they may be shown.
    settings = EncryptedJSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy("The provider's own settings, as a JSON object. Credentials are masked."),
    )
    state = models.CharField(max_length=10, choices=EndpointState, default=EndpointState.ACTIVE)
    allowed_networks = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_networks],
        help_text=gettext_lazy('Networks that may send, such as ["192.0.2.0/24"]; empty means any.'),
    )
    rate_per_second = models.FloatField(
        null=True, blank=True, help_text=gettext_lazy("Verified requests a second; empty means no limit.")
    )
    source_rate_per_second = models.FloatField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Requests a second from one address, verified or not; empty means no limit."),
    )
    max_body_bytes = models.PositiveIntegerField(default=10 * 1024 * 1024)
    accepted_status = models.PositiveSmallIntegerField(
        default=200, help_text=gettext_lazy("The status of the answer to an accepted event.")
    )
    content_types = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_content_types],
        help_text=gettext_lazy('Media types that are taken, such as ["application/json"]; empty means any.'),
    )
    dedupe = models.CharField(
        max_length=500,
        default="id",
        validators=[validate_dedupe],
        help_text=gettext_lazy(
            '"id" (the provider\'s event id, else the body), "body", or a JMESPath over the payload.'
        ),
    )
    dedupe_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=gettext_lazy("How long an identical body counts as a duplicate; empty means 24 hours."),
    )
    batch = models.CharField(
        max_length=5,
        choices=Batching,
        default=Batching.WHOLE,
        help_text=gettext_lazy(
            "Where the provider sends several events in one request: one event of all, or one of each."
        ),
    )
    shared_url = models.BooleanField(
        gettext_lazy("takes from the shared URL"),
        default=False,
        help_text=gettext_lazy(
            "Requests to /hooks, without a slug, are taken too if they are this provider's and the proof fits."
        ),
    )
    handshake_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=gettext_lazy("When it last answered the provider's check of the URL, to the minute."),
    )
    priority = models.PositiveSmallIntegerField(
        default=5, help_text=gettext_lazy("0 to 9, 9 first; routes add their own.")
    )
    sensitive = models.BooleanField(
        default=False, help_text=gettext_lazy("Payloads are stored encrypted and masked in lists.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slug"],
                condition=Q(retired_at=None),
                name="endpoint_slug_unique_while_live",
                violation_error_message=gettext_lazy("An endpoint with this slug exists already."),
            ),
            models.CheckConstraint(condition=Q(state__in=EndpointState.values), name="endpoint_state_known"),
            models.CheckConstraint(
                condition=Q(accepted_status__gte=200, accepted_status__lte=299),
                name="endpoint_accepted_status_2xx",
                violation_error_message=gettext_lazy("The status of an accepted event has to be from 200 to 299."),
            ),
            models.CheckConstraint(condition=Q(batch__in=Batching.values), name="endpoint_batch_known"),
            models.CheckConstraint(condition=Q(priority__lte=9), name="endpoint_priority_0_to_9"),
            models.CheckConstraint(
                condition=(Q(rate_per_second=None) | Q(rate_per_second__gt=0))
                & (Q(source_rate_per_second=None) | Q(source_rate_per_second__gt=0)),
                name="endpoint_rates_positive",
                violation_error_message=gettext_lazy("A rate has to be more than 0."),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.slug

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the constraints; that of the slug is about live rows, and no form has the field that says so."""
        super().validate_constraints(exclude=set(exclude or ()) - {"retired_at"})

    def clean(self) -> None:
        """Check ``settings`` against the provider's own schema, and whether the shared URL can know its requests."""
        validate_provider_settings(self.provider, self.settings)
        validate_shared_url(self.provider, self.settings, shared_url=self.shared_url)

    @property
    def preset(self) -> Provider:
        """The provider's preset; raises KeyError for one that no longer exists (a system check names it)."""
        return providers[self.provider]

    @property
    def url(self) -> str | None:
        """The public URL, or None where the endpoint has none (``internal``)."""
        if self.provider == "internal":
            return None
        return f"{settings.HUB_BASE_URL}/hooks/{self.slug}"

    @property
    def needs_secret(self) -> bool:
        """Whether requests are proven with its secrets; also True where its settings cannot work or be decrypted."""
        preset = providers.get(self.provider)
        try:
            return preset is None or preset.scheme_for(self.settings).needs_key
        except (ValueError, ImproperlyConfigured):
            return True

    def retire(self, *, now: datetime) -> None:
        """Take the endpoint out of service for good; its history stays, its slug is free again."""
        self.retired_at = now
        self.state = EndpointState.DISABLED
        self.save(update_fields=["retired_at", "state", "updated_at"])
