"""One thing that a provider told us, stored once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.models import Q

from deliveries.models.sealing import SealedRequest, masked
from integrations.contracts import InboundEvent
from integrations.errors import MalformedPayload
from integrations.identifiers import uuid7
from integrations.models import Endpoint
from integrations.payloads import decode
from integrations.providers import providers
from integrations.routing import search


class Verdict(models.TextChoices):
    """How the hub knows where an event came from."""

    VERIFIED = "verified", "Verified"
    UNVERIFIED = "unverified", "Unverified"
    INTERNAL = "internal", "Internal"
    BACKFILLED = "backfilled", "Backfilled"
    REVERIFIED = "reverified", "Reverified"


class Event(SealedRequest):
    """One thing that a provider told us, stored once: raw body, headers, verdict, dedupe key.

    It never changes, but for ``duplicates`` and ``flags``, which say what else came under the same key, and for the
    key of a body whose time as a duplicate is over, which makes way.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="events")
    provider = models.CharField(max_length=50)
    verdict = models.CharField(max_length=12, choices=Verdict)
    flags = models.JSONField(default=list)
    event_id = models.CharField(max_length=255, blank=True)
    event_type = models.CharField(max_length=255, blank=True)
    dedupe_key = models.CharField(max_length=120)
    body_sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField()
    request_id = models.CharField(max_length=128, blank=True)
    source = models.CharField(max_length=45, blank=True)
    duplicates = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "dedupe_key"], name="event_once_per_dedupe_key"),
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values), name="event_verdict_known"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "body_sha256"], name="event_by_body"),
            models.Index(fields=["received_at"], name="event_by_arrival"),
            models.Index(fields=["endpoint", "-received_at"], name="event_by_endpoint"),
            models.Index(fields=["event_id"], name="event_by_event_id"),
        ]

    def __str__(self) -> str:
        return self.event_type or str(self.id)

    @property
    def payload(self) -> Any:
        """The decoded body, or None where it is opaque or not kept."""
        preset = providers.get(self.provider)
        media_type = self.content_type.split(";", 1)[0].strip().lower()
        try:
            return decode(media_type, self.body, json_field=preset.json_field if preset else "")
        except MalformedPayload:
            return None

    @property
    def shown_payload(self) -> Any:
        """The payload with the provider's credentials in it masked: what views, lists and the API show."""
        payload = self.payload
        preset = providers.get(self.provider)
        if payload is None or preset is None or not preset.sensitive_fields:
            return payload
        found = [search(expression, payload) for expression in preset.sensitive_fields]
        return masked(payload, set(_scalars(found)))

    def inbound(self) -> InboundEvent:
        """Return the event as handlers see it."""
        return InboundEvent(
            id=str(self.id),
            endpoint=self.endpoint.slug,
            provider=self.provider,
            verdict=self.verdict,
            event_id=self.event_id,
            event_type=self.event_type,
            received_at=self.received_at,
            content_type=self.content_type,
            headers=self.original_headers,
            body=self.body,
            payload=self.payload,
            query_string=self.original_query_string,
        )


class EventVariant(SealedRequest):
    """Another body that came under the dedupe key of ``event``; bounded in number, kept for the operator to judge."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="variants")
    body_sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "body_sha256"], name="event_variant_once_per_body")]

    def __str__(self) -> str:
        return f"another body of {self.event_id}"


def _scalars(value: Any) -> Iterator[str | int | float]:
    """Yield the texts and numbers in a JSON value; the others (true, null) hide nothing and stand everywhere."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _scalars(child)
