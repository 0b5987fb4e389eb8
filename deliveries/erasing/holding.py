"""Whether a row holds a value: in its body, its headers, or in anything that was kept of handling it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from deliveries.models import Attempt, Batch, Delivery, Event, EventVariant, FlowStep, Rejection, StepResult
from deliveries.models.sealing import SealedRequest
from deliveries.payload_search import needles
from deliveries.sent_calls import opaque_in, told_in
from integrations.routing import search


@dataclass(frozen=True)
class Sought:
    """A value, and the JMESPath that has to find it in a payload; "" is any occurrence anywhere."""

    value: str
    path: str = ""

    @cached_property
    def needles(self) -> Collection[bytes]:
        """The value as it stands in JSON and in forms, with and without escapes."""
        return needles(self.value)

    def is_in(self, text: str) -> bool:
        """Return whether ``text`` has it, as it is or in the form of an address."""
        return self.value in text or self.value in unquote_plus(text)

    def is_in_value(self, value: Any) -> bool:
        """Return whether a JSON value has it, anywhere."""
        return value is not None and self.is_in(json.dumps(value, ensure_ascii=False, default=str).replace("\\/", "/"))

    def is_in_bytes(self, content: bytes) -> bool:
        """Return whether ``content`` has it, in any form."""
        return any(needle in content for needle in self.needles)

    def is_in_request(self, row: SealedRequest) -> bool:
        """Return whether body, headers or query string of ``row`` have it; one that no key decrypts has nothing."""
        try:
            if self.is_in_bytes(row.body):
                return True
            return self.is_in_value(dict(row.original_headers)) or self.is_in(row.original_query_string)
        except ImproperlyConfigured:
            return False

    def is_at_path(self, row: Event) -> bool:
        """Return whether the path finds it in the payload of ``row``."""
        try:
            found = search(self.path, row.payload)
        except ImproperlyConfigured:
            return False
        return any(str(each) == self.value for each in (found if isinstance(found, list) else [found]))


def holding_events(events: Collection[Event], sought: Sought) -> list[UUID]:
    """Return those of ``events`` that hold what is ``sought``, in themselves or in what was kept with them."""
    if sought.path:
        return [event.pk for event in events if sought.is_at_path(event)]
    found = {event.pk for event in events if _event_holds(event, sought)}
    ids = [event.pk for event in events]
    found |= {row.event_id for row in EventVariant.objects.filter(event__in=ids) if sought.is_in_request(row)}
    found |= set(_with_told(ids, sought))
    return [pk for pk in ids if pk in found]


def holding_batches(batches: Collection[Batch], sought: Sought) -> list[UUID]:
    """Return those of ``batches`` that hold it; none for a path, which is one of an event's payload."""
    return [] if sought.path else [row.pk for row in batches if sought.is_in_request(row)]


def holding_rejections(rejections: Collection[Rejection], sought: Sought) -> list[UUID]:
    """Return those of ``rejections`` that hold it; none for a path, as what was refused is not read."""
    if sought.path:
        return []
    return [row.pk for row in rejections if sought.is_in_request(row) or sought.is_in_value([row.detail, row.source])]


def _event_holds(event: Event, sought: Sought) -> bool:
    texts = (event.event_id, event.event_type, event.dedupe_key, event.source)
    return any(map(sought.is_in, texts)) or sought.is_in_request(event) or sought.is_in_value(_payload(event))


def _payload(event: Event) -> Any:
    """Return the payload, in which no escape hides the value; None where no key decrypts it."""
    try:
        return event.payload
    except ImproperlyConfigured:
        return None


def _with_told(events: Collection[UUID], sought: Sought) -> Iterator[UUID]:
    """Yield the events of which a delivery, an attempt or a step tells it."""
    for row in Delivery.objects.filter(event__in=events).only("event_id", "last_error", "ordering_key"):
        if sought.is_in(row.last_error) or sought.is_in(row.ordering_key):
            yield row.event_id
    of = {"delivery__event__in": events}
    for attempt in Attempt.objects.filter(**of).select_related("delivery").iterator():
        told = [attempt.error_message, attempt.traceback, attempt.log, attempt.response, told_in(attempt)]
        if sought.is_in_value(told) or any(sought.is_in_bytes(each) for each in opaque_in(attempt)):
            yield attempt.delivery.event_id
    for result in StepResult.objects.filter(**of).select_related("delivery").iterator():
        if sought.is_in_value(result.value) or sought.is_in_bytes(bytes(result.data or b"")):
            yield result.delivery.event_id
    for step in FlowStep.objects.filter(**of).select_related("delivery").iterator():
        if sought.is_in_value([step.input, step.kept, step.error]):
            yield step.delivery.event_id
