"""Address and credentials of an outside system that handlers call."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from integrations.connectors.addresses import join, validate_proxy
from integrations.connectors.headers import validate_header_name, validate_headers
from integrations.connectors.kinds import kind_choices, kinds, validate_address, validate_kind
from integrations.connectors.proofs import check_proof, proof_choices
from integrations.connectors.reach import validate_egress
from integrations.connectors.tries import default_tries, validate_tries
from integrations.encryption import EncryptedJSONField
from integrations.errors import GiveUp
from integrations.identifiers import uuid7
from integrations.models.endpoint import Endpoint
from integrations.models.endpoint_group import EndpointGroup, OfEndpointsQuerySet
from integrations.references import resolve

_MOST_KEPT_BYTES = 64 * 1024


class ConnectionState(models.TextChoices):
    """Whether calls are made."""

    ACTIVE = "active", gettext_lazy("Active")
    PAUSED = "paused", gettext_lazy("Paused (deliveries wait)")


class ConnectionQuerySet(OfEndpointsQuerySet["Connection"]):
    """Connections by whether they are in service; each belongs to a group of endpoints, or to none."""

    group_path: ClassVar[str] = "group"

    def live(self) -> ConnectionQuerySet:
        """Return those that have not been retired."""
        return self.filter(retired_at=None)


class Connection(models.Model):
    """One outside system: where it is, how the hub proves itself to it, and how hard the hub may press it.

    ``credentials`` are texts by name, each itself or a reference (``env:NAME``, ``file:NAME``).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(
        max_length=100,
        help_text=gettext_lazy('What handlers know it by: context.http("name"). Letters, digits, - and _.'),
    )
    description = models.CharField(max_length=300, blank=True)
    group = models.ForeignKey(
        EndpointGroup,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="connections",
        help_text=gettext_lazy("Who is restricted to groups sees it, and routes to it, only in one of these."),
    )
    kind = models.CharField(max_length=50, default="http", choices=kind_choices, validators=[validate_kind])
    base_url = models.CharField(
        "base URL",
        max_length=500,
        validators=[validate_address],
        help_text=gettext_lazy(
            "Such as https://api.example.com/v1; calls name paths below it and can go nowhere else. What other kinds "
            "than HTTP take is in the reference of connections."
        ),
    )
    auth = models.CharField("proof", max_length=30, default="none", choices=proof_choices)
    auth_settings = models.JSONField(
        gettext_lazy("settings of the proof"),
        default=dict,
        blank=True,
        help_text=gettext_lazy("What the proof needs that is no secret."),
    )
    credentials = EncryptedJSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy(
            "By name; each the value, env:HUB_SECRET_NAME or file:NAME. Shown to nobody after they are saved."
        ),
    )
    headers = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_headers],
        help_text=gettext_lazy("Sent with every call; no credentials."),
    )
    connect_timeout_seconds = models.FloatField(default=5, help_text=gettext_lazy("How long connecting may take."))
    read_timeout_seconds = models.FloatField(
        default=15, help_text=gettext_lazy("How long the other side may be silent.")
    )
    timeout_seconds = models.FloatField(default=30, help_text=gettext_lazy("How long one try may take in all."))
    retry = models.JSONField(
        default=default_tries,
        blank=True,
        validators=[validate_tries],
        help_text=gettext_lazy(
            "max_attempts (of one call, the first included), initial_seconds, max_seconds. Tried again are calls "
            "that cannot do harm twice, and only while the attempt of the delivery has time."
        ),
    )
    rate_per_second = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001), MaxValueValidator(100_000)],
        help_text=gettext_lazy("Calls a second, all workers together; empty means no limit."),
    )
    burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text=gettext_lazy("Calls that may come at once; empty: those of one second."),
    )
    breaker_failures = models.PositiveIntegerField(
        default=5,
        validators=[MaxValueValidator(1000)],
        help_text=gettext_lazy("After so many failures in a row no call is made for a while; 0: never stop."),
    )
    breaker_seconds = models.FloatField(
        default=30,
        help_text=gettext_lazy("For how long, at first; doubled, up to ten minutes, while it does not recover."),
    )
    egress = models.JSONField(
        null=True,
        blank=True,
        validators=[validate_egress],
        help_text=gettext_lazy(
            "Private networks that it may reach, within what the hub's environment allows; null: what "
            "HUB_EGRESS_ALLOW names; []: public addresses only."
        ),
    )
    proxy = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_proxy],
        help_text=gettext_lazy("http://host:port of a proxy; empty: none."),
    )
    follow_redirects = models.BooleanField(
        default=False,
        help_text=gettext_lazy("Each hop is guarded, and credentials stay with the connection's own host."),
    )
    idempotency_header = models.CharField(
        max_length=100,
        blank=True,
        validators=[validate_header_name],
        help_text=gettext_lazy(
            "Where the other side acts once for one key, such as Idempotency-Key: then a POST, too, is tried "
            "again. Empty: it knows none."
        ),
    )
    kept_response_bytes = models.PositiveIntegerField(
        default=4096,
        validators=[MaxValueValidator(_MOST_KEPT_BYTES)],
        help_text=gettext_lazy("How much of an answer's body is kept with the attempt; 0: none."),
    )
    test_path = models.CharField(
        max_length=500, blank=True, help_text=gettext_lazy("What “Test this connection” GETs, below the base URL.")
    )
    state = models.CharField(max_length=10, choices=ConnectionState, default=ConnectionState.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        permissions = [("test_connection", "Can test a connection")]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(retired_at=None),
                name="connection_name_unique_while_live",
                violation_error_message=gettext_lazy("A connection with this name exists already."),
            ),
            models.CheckConstraint(condition=Q(state__in=ConnectionState.values), name="connection_state_known"),
            models.CheckConstraint(
                condition=Q(
                    connect_timeout_seconds__gt=0,
                    connect_timeout_seconds__lte=60,
                    read_timeout_seconds__gt=0,
                    read_timeout_seconds__lte=3600,
                    timeout_seconds__gt=0,
                    timeout_seconds__lte=3600,
                ),
                name="connection_timeouts_in_bounds",
                violation_error_message=gettext_lazy(
                    "A timeout has to be more than 0, and at most 3600 seconds (60 to connect)."
                ),
            ),
            models.CheckConstraint(
                condition=(Q(rate_per_second=None) | Q(rate_per_second__gt=0)) & (Q(burst=None) | Q(burst__gte=1)),
                name="connection_rate_positive",
                violation_error_message=gettext_lazy("A rate has to be more than 0, a burst at least 1."),
            ),
            models.CheckConstraint(
                condition=Q(breaker_seconds__gt=0, breaker_seconds__lte=3600),
                name="connection_breaker_up_to_an_hour",
                violation_error_message=gettext_lazy(
                    "The pause after failures has to be more than 0 and at most 3600 seconds."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the constraints; that of the name is about live rows, and no form has the field that says so."""
        super().validate_constraints(exclude=set(exclude or ()) - {"retired_at"})

    def clean(self) -> None:
        """Check what belongs together: the proof with its credentials, the proxy with its own, the test's path."""
        check_proof(self.auth, self.auth_settings, self.credentials)
        kind = kinds.get(self.kind)
        if kind is None:
            return
        kind.check(self)
        if not kind.is_http:
            return
        try:
            join(self.base_url, self.test_path)
        except GiveUp as exc:
            raise ValidationError({"test_path": str(exc)}) from exc

    @property
    def destinations(self) -> tuple[Any, ...]:
        """Where the credentials go and in what form: who changes that has to enter them again."""
        try:
            token_url = self.auth_settings.get("token_url", "")
        except AttributeError:  # it is not valid: nothing goes anywhere
            token_url = ""
        return self.auth, self.base_url.rstrip("/"), token_url, self.proxy.rstrip("/")

    def is_for(self, endpoint: Endpoint) -> bool:
        """Return whether it may be called for ``endpoint``: it is in service, and of no group or of the endpoint's."""
        return self.retired_at is None and self.group_id in {None, endpoint.group_id}

    def resolved(self) -> dict[str, str]:
        """Return the credentials themselves, references followed; raises `ReferenceMissing`."""
        return {name: resolve(value) for name, value in self.credentials.items()}

    def retire(self, *, now: datetime) -> None:
        """Take the connection out of service for good; its name is free again, its credentials are gone."""
        self.retired_at = now
        self.state = ConnectionState.PAUSED
        self.credentials = {}
        self.save(update_fields=["retired_at", "state", "credentials", "updated_at"])
