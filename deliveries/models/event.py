"""One thing that a provider told us, stored once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from deliveries.models.inbound import LateInboundEvent
from deliveries.models.keeping import Keepable, Part
from deliveries.models.sealing import SealedRequest, masked, masked_within
from integrations import tracing
from integrations.contracts import InboundEvent, case_insensitive
from integrations.errors import MalformedPayload
from integrations.identifiers import uuid7
from integrations.models import Endpoint, OfEndpointsQuerySet
from integrations.payloads import decode
from integrations.providers import providers
from integrations.routing import search

_JSON = "application/json"

#: The flag of an event that an operator made of another, with a payload of their own.
EDITED_PAYLOAD = "edited_payload"
#: The flag of an event that came under the key of another, and was accepted by an operator as one of its own.
ACCEPTED_BODY = "accepted_body"


class Verdict(models.TextChoices):
    """How the hub knows where an event came from."""

    VERIFIED = "verified", gettext_lazy("Verified")
    UNVERIFIED = "unverified", gettext_lazy("Unverified")
    INTERNAL = "internal", gettext_lazy("Internal")
    BACKFILLED = "backfilled", gettext_lazy("Backfilled")
    REVERIFIED = "reverified", gettext_lazy("Reverified")


class Batch(SealedRequest):
    """A request that told of several things at once, kept once as it came; its events hold their own part of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="batches")
    provider = models.CharField(max_length=50)
    item_count = models.PositiveIntegerField(help_text=gettext_lazy("How many things it told of, known ones included."))
    received_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "batches"
        default_permissions = ()  # it is seen through its events

    def __str__(self) -> str:
        return f"{self.item_count} at once"

    @property
    def payload(self) -> Any:
        """The decoded body, or None where it is not kept."""
        return _decoded(self.provider, self.content_type, self.body)

    @property
    def shown_payload(self) -> Any:
        """The payload with the provider's credentials in it masked."""
        payload = self.payload
        return _masked(self.provider, payload, payload)


class EventQuerySet(OfEndpointsQuerySet["Event"]):
    """Events by who may see them, and by what is kept of them."""

    def have_attempts_again(self) -> int:
        """Note that there are attempts to keep again, of which retention has removed what the earlier ones said."""
        return self.filter(keeps__lt=Part.ATTEMPTS.value).update(keeps=F("keeps") + Part.ATTEMPTS.value)


class EventVariantQuerySet(OfEndpointsQuerySet["EventVariant"]):
    """Variants by who may see their event."""

    group_path: ClassVar[str] = "event__endpoint__group"


class Event(Keepable, SealedRequest):
    """One thing that a provider told us, stored once: raw body, headers, verdict, dedupe key.

    One that came with others in a `Batch`, at an endpoint that splits them, has its own part as its body, written as
    JSON; ``body_sha256`` is then that of the part with its fields sorted, as their order says nothing. Whoever runs one
    event of ten thousand does not read ten thousand for it.

    One that a handler emitted is ``derived_from`` the event that the handler was given, and ``hops`` counts how many
    handlers lie between it and what came from outside. So is one that an operator (``requested_by``) made of another:
    with an edited payload, or of another body under its key; the flags `EDITED_PAYLOAD` and `ACCEPTED_BODY` say which.

    ``traceparent`` (W3C) is that of its receipt, within the sender's trace if that named one, or of the attempt that
    emitted it; "" where no traces are collected.

    It never changes, but for ``duplicates`` and ``flags``, which say what else came under the same key, for the key of
    a body whose time as a duplicate is over, which makes way, and for what is removed of it, as `Keepable` says.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexes below, no more of them than are read: every index is written for each event.
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="events", db_index=False)
    provider = models.CharField(max_length=50)
    verdict = models.CharField(max_length=12, choices=Verdict)
    flags = models.JSONField(default=list)
    event_id = models.CharField(max_length=255, blank=True)
    event_type = models.CharField(max_length=255, blank=True)
    dedupe_key = models.CharField(max_length=120)
    body_sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField()
    request_id = models.CharField(max_length=128, blank=True)
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="")
    source = models.CharField(max_length=45, blank=True)
    duplicates = models.PositiveIntegerField(default=0)
    batch = models.ForeignKey(
        Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    batch_index = models.PositiveIntegerField(
        null=True, blank=True, help_text=gettext_lazy("Its place in the batch, from 0.")
    )
    derived_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="derived", db_index=False
    )
    hops = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=gettext_lazy("How many handlers lie between it and what came from outside.")
    )
    requested_by = models.CharField(
        max_length=150,
        blank=True,
        default="",
        db_default="",
        help_text=gettext_lazy("Who made it of another event, by hand."),
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        permissions = [
            ("reveal_event", "Can reveal what sensitive endpoints received"),
            ("legal_hold", "Can put endpoints and events under a legal hold, and end it"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "dedupe_key"], name="event_once_per_dedupe_key"),
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values), name="event_verdict_known"),
        ]
        indexes = [
            models.Index(fields=["body_sha256", "endpoint"], name="event_by_body"),
            models.Index(fields=["received_at"], name="event_by_arrival"),
            models.Index(fields=["endpoint", "-received_at"], name="event_by_endpoint"),
            models.Index(fields=["event_id"], name="event_by_event_id"),
            models.Index(fields=["batch"], name="event_by_batch", condition=Q(batch__isnull=False)),
            models.Index(fields=["derived_from"], name="event_by_origin", condition=Q(derived_from__isnull=False)),
            # What retention has something to do with; who has nothing left to remove is not in it.
            models.Index(
                fields=["endpoint", "keeps", "received_at"], name="event_to_strip", condition=Q(keeps__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.event_type or str(self.id)

    @property
    def payload(self) -> Any:
        """The decoded body, or None where it is opaque or not kept."""
        return self._payload_of(self.body)

    def _payload_of(self, body: bytes) -> Any:
        if self.batch_id is not None or self.verdict == Verdict.INTERNAL:
            return decode(_JSON, body)  # the hub wrote it, whatever else the preset reads
        return _decoded(self.provider, self.content_type, body)

    @property
    def trace_id(self) -> str:
        """The id of the trace that it belongs to, 32 hexadecimal digits; "" where no traces are collected."""
        return tracing.trace_id_of(self.traceparent, self.pk)

    @property
    def shown_payload(self) -> Any:
        """The payload as views, lists and the API show it; None where it `hides_body`."""
        return None if self.hides_body else self.revealed_payload

    @property
    def revealed_payload(self) -> Any:
        """The payload with the provider's credentials in it masked, for who may see what is sensitive.

        None too for part of a batch in which they would have to be looked up, and which is not kept; and where the
        provider's preset is not installed any more.
        """
        payload = self.payload
        if not self.needs_batch_to_mask:
            return _masked(self.provider, payload, payload)
        whole = self.batch.payload if self.batch is not None else None
        return None if whole is None else _masked(self.provider, payload, whole, payload)

    def without_credentials(self, value: Any) -> Any:
        """Return ``value``, JSON that was made of the payload, with the provider's credentials in it masked.

        None where nobody knows what there is to mask (`revealed_payload`).
        """
        preset = providers.get(self.provider)
        if preset is None or (self.needs_batch_to_mask and self.batch is None):
            return None
        if not preset.sensitive_fields or value is None:
            return value
        documents = [self.payload, *([self.batch.payload] if self.batch is not None else [])]
        return masked_within(value, _credentials(preset.sensitive_fields, documents))

    @property
    def needs_batch_to_mask(self) -> bool:
        """Whether what is a credential in the event shows in its batch alone: presets name places in the whole."""
        preset = providers.get(self.provider)
        return self.batch_id is not None and preset is not None and bool(preset.sensitive_fields)

    def inbound(self, body: Callable[[], bytes] | None = None) -> InboundEvent:
        """Return the event as handlers see it; ``body`` reads what is not here yet.

        Body and payload are read, decrypted and decoded when the handler looks at them.
        """
        return LateInboundEvent.of(
            {
                "id": str(self.id),
                "endpoint": self.endpoint.slug,
                "provider": self.provider,
                "verdict": self.verdict,
                "event_id": self.event_id,
                "event_type": self.event_type,
                "received_at": self.received_at,
                "content_type": self.content_type,
                "headers": _ReadLate(lambda: self._headers_of_body),
                "query_string": self.original_query_string,
            },
            {"body": body or (lambda: self.body), "payload": lambda: self._payload_of(body() if body else self.body)},
        )

    @property
    def _headers_of_body(self) -> Mapping[str, str]:
        headers = self.original_headers
        return headers if self.batch_id is None else case_insensitive({**headers, "Content-Type": _JSON})

    @property
    def as_received(self) -> Event | Batch:
        """The row that has the request byte for byte: the event itself, or the batch that it came in."""
        return self if self.batch is None else self.batch


class EventVariant(SealedRequest):
    """Another body that came under the dedupe key of ``event``; bounded in number, kept for the operator to judge.

    It has what it would have had as an event of its own, which it can become (`deliveries.variants`): ``described_id``
    and ``described_type`` are the event's id and type. One with an empty ``verdict`` was kept before that was noted.
    """

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="variants")
    body_sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField()
    verdict = models.CharField(max_length=12, choices=Verdict, blank=True, default="", db_default="")
    described_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    described_type = models.CharField(max_length=255, blank=True, default="", db_default="")
    request_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    source = models.CharField(max_length=45, blank=True, default="", db_default="")

    objects = EventVariantQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "body_sha256"], name="event_variant_once_per_body")]

    def __str__(self) -> str:
        return f"another body of {self.event_id}"

    @classmethod
    def of(cls, first: UUID, event: Event, columns: Mapping[str, Any]) -> EventVariant:
        """Return ``event``, which was not stored, as a variant of ``first``; ``columns`` keep its request."""
        return cls(
            **columns,
            event_id=first,
            body_sha256=event.body_sha256,
            received_at=event.received_at,
            verdict=event.verdict,
            described_id=event.event_id,
            described_type=event.event_type,
            request_id=event.request_id,
            source=event.source,
        )

    @property
    def hides_body(self) -> bool:
        """Whether the body is shown to those only who reveal it."""
        return self.event.hides_body

    @property
    def payload(self) -> Any:
        """The decoded body, or None where it is opaque or not kept."""
        return _decoded(self.event.provider, self.content_type, self.body)

    @property
    def shown_payload(self) -> Any:
        """The payload with credentials masked; None where that cannot be done, or where it `hides_body`."""
        if self.hides_body or self.event.needs_batch_to_mask:
            return None
        payload = self.payload
        return _masked(self.event.provider, payload, payload)


class _ReadLate(Mapping[str, str]):
    """Headers that are decrypted when somebody looks: most handlers do not."""

    def __init__(self, read: Callable[[], Mapping[str, str]]) -> None:
        self._read = read

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        return self._read()

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return "<headers, credentials included>"


def _decoded(provider: str, content_type: str, body: bytes) -> Any:
    preset = providers.get(provider)
    media_type = content_type.split(";", 1)[0].strip().lower()
    try:
        return preset.decode(media_type, body) if preset else decode(media_type, body)
    except MalformedPayload:
        return None


def _masked(provider: str, payload: Any, *documents: Any) -> Any:
    """Return ``payload`` with what the preset's sensitive places hold in any of ``documents`` masked.

    None where the preset is not installed any more: nobody knows what there is to mask.
    """
    preset = providers.get(provider)
    if payload is None or preset is None:
        return None
    if not preset.sensitive_fields:
        return payload
    return masked(payload, _credentials(preset.sensitive_fields, documents))


def _credentials(places: Iterable[str], documents: Iterable[Any]) -> set[str | int | float]:
    """Return what stands at ``places`` of any of ``documents``."""
    return set(_scalars([search(place, document) for document in documents for place in places]))


def _scalars(value: Any) -> Iterator[str | int | float]:
    """Yield the texts and numbers in a JSON value; the others (true, null) hide nothing and stand everywhere."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _scalars(child)
