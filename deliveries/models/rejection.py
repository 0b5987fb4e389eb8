"""What was refused, kept for a short time and in bounded number; and the count of all of it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from deliveries.models.sealing import SealedRequest
from integrations.identifiers import uuid7
from integrations.models import Endpoint, OfEndpointsQuerySet
from integrations.verification.reasons import explanation

#: The reasons that are not about proof or form; those are the schemes' own.
_EXPLANATIONS = {
    "source_not_allowed": gettext_noop("The request came from an address outside the endpoint's allowed networks."),
    "source_rate_limited": gettext_noop(
        "One address sent more requests a second than the endpoint takes from one address."
    ),
    "endpoint_rate_limited": gettext_noop("More proven requests a second came than the endpoint's rate allows."),
    "announced_too_large": gettext_noop("The body was announced as larger than the endpoint's limit; it was not read."),
    "too_large": gettext_noop("The body, sent without an announced length, went over the endpoint's limit."),
    "length_invalid": gettext_noop("The announced length of the body is not a number."),
    "body_too_slow": gettext_noop("The body did not arrive within the time that the hub waits for one."),
    "content_encoding": gettext_noop("The body is compressed; the hub takes it only as it is (identity)."),
    "content_type": gettext_noop("The body's media type is none of those that the endpoint takes."),
    "shed": gettext_noop(
        "There was more than the hub can take, and other endpoints have a higher priority; the sender was told to "
        "come again."
    ),
    "disk_full": gettext_noop("The database's disk is all but full; the sender was told to come again."),
    "settings_unusable": gettext_noop(
        "The provider's preset cannot work with the endpoint's settings, or is no longer installed."
    ),
}


class RejectionQuerySet(OfEndpointsQuerySet["Rejection"]):
    """Rejections by who may see them."""


class RejectionCountQuerySet(OfEndpointsQuerySet["RejectionCount"]):
    """Counts by who may see them."""


class Rejection(SealedRequest):
    """A request that was refused, with the exact reason; the body is kept up to a size (``raw_body`` may be None)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="rejections")
    reason = models.CharField(max_length=60)
    detail = models.JSONField(default=dict)
    received_at = models.DateTimeField()
    request_id = models.CharField(max_length=128, blank=True)
    source = models.CharField(max_length=45, blank=True)
    kept_bytes = models.PositiveIntegerField(default=0, help_text=gettext_lazy("About how much the row takes."))

    objects = RejectionQuerySet.as_manager()

    class Meta:
        indexes = [
            # All that keeping the bounds asks for: a flood's rows are counted without being read.
            models.Index(
                fields=["endpoint", "reason", "source", "received_at", "kept_bytes"], name="rejection_by_group"
            ),
            models.Index(fields=["received_at"], name="rejection_by_arrival"),
        ]

    def __str__(self) -> str:
        return self.reason

    @property
    def explanation(self) -> str:
        """What the reason means and what mends it, in one line for the operator."""
        text = _EXPLANATIONS.get(self.reason)
        return gettext(text) if text else explanation(self.reason)


class RejectionCount(models.Model):
    """How many requests an endpoint refused for one reason in one hour; every refusal counts, stored or not."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="rejection_counts")
    reason = models.CharField(max_length=60)
    hour = models.DateTimeField(help_text=gettext_lazy("The hour's beginning."))
    count = models.PositiveBigIntegerField(default=0)

    objects = RejectionCountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "reason", "hour"], name="rejection_count_once_per_hour")
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.reason}"


class RefusalTotal(models.Model):
    """How many requests an endpoint has ever refused for one reason; never removed: metrics want what only grows."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="refusal_totals")
    reason = models.CharField(max_length=60)
    count = models.PositiveBigIntegerField(default=0)

    objects = RejectionCountQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # as with the counts by the hour
        constraints = [models.UniqueConstraint(fields=["endpoint", "reason"], name="refusal_total_once")]

    def __str__(self) -> str:
        return f"{self.count} {self.reason}"
