"""Accept another body that came under a known event's key as an event of its own.

The sender has used one id for two things, or has corrected itself; which of it, the operator knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit, payload_index
from deliveries.models import Event, EventVariant, Verdict
from deliveries.models.event import ACCEPTED_BODY
from deliveries.models.rollup import Measure
from deliveries.models.sealing import SealedRequest
from deliveries.receiving import endpoints, ingest
from deliveries.receiving.drafts import Acceptance
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.queueing import Wanted
from deliveries.receiving.refusals import Unavailable
from deliveries.stats.counting import counting
from integrations.contracts import InboundRequest
from integrations.errors import HubError
from integrations.models import EndpointState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

_KEPT = [field.name for field in SealedRequest._meta.get_fields()]


class NotAccepted(HubError):
    """The body cannot become an event; the message says why, for the operator."""


def obstacle(variant: EventVariant) -> str:
    """Return why ``variant`` cannot become an event, in a sentence; "" if it can, as far as is known unread."""
    endpoint = variant.event.endpoint
    if endpoint.retired_at is not None or endpoint.state == EndpointState.DISABLED:
        return gettext("Its endpoint is switched off.")
    if variant.raw_body is None:
        return gettext("It has not been kept.")
    if variant.event.needs_batch_to_mask:
        return gettext("It came in a batch, and what is a credential in it cannot be told without the rest.")
    return ""


def accepted(variants: Iterable[EventVariant]) -> dict[int, UUID]:
    """Return the events that those of ``variants``, all of one event, have become, by the variants' keys."""
    rows = {key_of(variant): variant for variant in variants}
    first = next((variant.event for variant in rows.values()), None)
    if first is None:
        return {}
    made = Event.objects.filter(endpoint=first.endpoint_id, dedupe_key__in=rows)
    return {rows[key].pk: pk for key, pk in made.values_list("dedupe_key", "pk")}


def key_of(variant: EventVariant) -> str:
    """Return the dedupe key of the event that ``variant`` becomes."""
    return f"variant:{variant.event_id.hex}:{bytes(variant.body_sha256).hex()}"


def wanted_of(variant: EventVariant) -> tuple[Event, LiveEndpoint, list[Wanted]]:
    """Return the event that ``variant`` would become now, not yet stored, with the deliveries to make of it.

    Raises `NotAccepted`.
    """
    if reason := obstacle(variant):
        raise NotAccepted(reason)
    try:
        endpoint = endpoints.live(variant.event.endpoint)
        event = _draft(variant)
        payload = event.payload
    except (ImproperlyConfigured, Unavailable) as exc:
        raise NotAccepted(
            gettext("A stored value cannot be decrypted; was a key of HUB_ENCRYPTION_KEYS removed?")
        ) from exc
    return event, endpoint, ingest.wanted_of(event, endpoint, payload)


def accept(variant: EventVariant, *, by: User, via: str = "", now: datetime | None = None) -> Acceptance:
    """Store ``variant`` as an event with a delivery for each route that takes it; return what became of it.

    It is ``derived_from`` the first, has exactly the bytes and headers that came, and counts as received when they
    came. The second time it is a duplicate, of the event that it has become. The log names ``by``, and ``via`` as with
    `replay`. Raises `NotAccepted`; nothing is stored then.
    """
    at = now or timezone.now()
    if known := accepted([variant]):
        return Acceptance(known[variant.pk], 0, is_duplicate=True)
    event, endpoint, wanted = wanted_of(variant)
    event.requested_by = by.get_username()
    with transaction.atomic():
        stored = ingest.store(event, wanted, endpoint, _request(variant), now=at)
        if stored is None:
            endpoints.forget()
            raise NotAccepted(gettext("Its endpoint was changed at the same moment; try again."))
        if stored.is_duplicate:
            return stored
        payload_index.take_in([event.pk])
        message = f"Accepted another body under its id as the event {event.pk}."
        audit.record(audit.Action.ORDERED, variant.event, by=by, message=message, via=via)
        message = f"Accepted as an event of its own, beside the event {variant.event_id} of the same id."
        audit.record(audit.Action.MADE, event, by=by, message=message, via=via)
    transaction.on_commit(partial(counting.add, Measure.ACCEPTED, endpoint.row.pk, at=at, names=stored.types))
    log.info("event.body_accepted", endpoint=endpoint.row.slug, event_uuid=str(variant.event_id), made=str(event.pk))
    return stored


def _draft(variant: EventVariant) -> Event:
    first = variant.event
    is_described = bool(variant.verdict)
    if is_described:
        verdict = variant.verdict
    else:  # what a backfill fetched says nothing of what came by itself
        verdict = Verdict.UNVERIFIED if first.verdict == Verdict.BACKFILLED else first.verdict
    return Event(
        **{name: getattr(variant, name) for name in _KEPT},
        endpoint=first.endpoint,
        provider=first.provider,
        verdict=verdict,
        flags=[ACCEPTED_BODY],
        event_id=variant.described_id if is_described else first.event_id,
        event_type=variant.described_type if is_described else first.event_type,
        dedupe_key=key_of(variant),
        body_sha256=variant.body_sha256,
        received_at=variant.received_at,
        request_id=variant.request_id,
        source=variant.source,
        derived_from_id=first.pk,
        hops=first.hops,
    )


def _request(variant: EventVariant) -> InboundRequest:
    return InboundRequest(
        method="POST",
        url=variant.event.endpoint.url or "",
        query_string=variant.original_query_string,
        headers=variant.original_headers,
        body=variant.body,
        received_at=variant.received_at,
        source=variant.source,
        request_id=variant.request_id,
    )
