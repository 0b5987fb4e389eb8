"""Follow-up events: what a handler emits becomes events of the hub's own, stored as its delivery succeeds.

Everything that can fail for a reason of its own is done in `prepared`, in the handler's thread: whether the endpoints
are there, which routes take the events. What is left for the transaction that closes the attempt are the inserts.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from deliveries.models import Delivery, Event, Verdict
from deliveries.models.ordering import Key
from deliveries.models.rollup import Measure
from deliveries.receiving import endpoints, ingest
from deliveries.receiving.drafts import drafted, sealed
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.queueing import Wanted
from deliveries.stats.counting import counting
from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import GiveUp, HubError
from integrations.models import Endpoint, EndpointState
from integrations.providers import Description

#: A chain of events, each emitted by a handler of the one before, ends after so many: it would go on for ever.
MOST_HOPS = 16

_INTERNAL = "internal"


class NoInternalEndpoint(HubError):
    """A handler emits to an endpoint that is not there, is switched off, or is not of preset ``internal``."""


class FollowUpsNotStored(HubError):
    """Events could be neither stored nor counted on those that there are."""


class ChainTooLong(GiveUp):
    """A handler emits at the end of a chain of `MOST_HOPS` events; another run would do so again."""


@dataclass(frozen=True)
class Emission:
    """What a handler has emitted: ``body`` is the payload as JSON, ``endpoint`` a slug or "" for the event's own."""

    event_type: str
    body: bytes
    endpoint: str = ""


@dataclass(frozen=True)
class FollowUp:
    """An event, not yet stored, with the deliveries that are wanted of it."""

    event: Event
    wanted: Sequence[Wanted]
    endpoint: LiveEndpoint
    request: InboundRequest


@dataclass(frozen=True)
class FollowUps:
    """The events of one attempt; `deliveries.models.closing.FollowUps`."""

    items: Sequence[FollowUp]

    @property
    def endpoints(self) -> set[UUID]:
        """Their endpoints."""
        return {item.endpoint.row.pk for item in self.items}

    @property
    def keys(self) -> list[Key]:
        """The ordering keys of their deliveries."""
        return [wanted.key for item in self.items for wanted in item.wanted if wanted.key]

    def store(self, *, now: datetime) -> None:
        """Store them with their deliveries, due at ``now``; those of an earlier success are counted as duplicates."""
        for item in self.items:
            stored = ingest.store(item.event, item.wanted, item.endpoint, item.request, now=now)
            if stored is None:
                raise FollowUpsNotStored(f"The event {item.event.event_type!r} could not be stored.")
            measure = Measure.DUPLICATE if stored.is_duplicate else Measure.ACCEPTED
            transaction.on_commit(partial(counting.add, measure, item.endpoint.row.pk, at=now, names=stored.types))


def prepared(emissions: Sequence[Emission], *, cause: Event, delivery: Delivery, now: datetime) -> FollowUps | None:
    """Return what has to be stored if ``delivery`` of ``cause`` succeeds; None if its handler emitted nothing.

    Raises `NoInternalEndpoint`, `ChainTooLong`, `Unavailable` if an endpoint cannot be decrypted, and Django's database
    errors.
    """
    if not emissions:
        return None
    if cause.hops >= MOST_HOPS:
        raise ChainTooLong(
            f"The event {cause.event_type!r} is the last of a chain of {MOST_HOPS}, each emitted by a handler of the "
            "one before. Does a route lead back to its own handler? Nothing was emitted."
        )
    places = {slug: _endpoint(slug, cause) for slug in {emission.endpoint for emission in emissions}}
    found = zip(emissions, _ids(emissions, delivery.idempotency_key), strict=True)
    drafts = [_draft(emission, pair, places[emission.endpoint], cause, now) for emission, pair in found]
    # What a bulk replay sets off goes behind live traffic, as the replay does.
    return FollowUps([replace(item, wanted=[replace(w, bulk=delivery.bulk) for w in item.wanted]) for item in drafts])


def _endpoint(slug: str, cause: Event) -> LiveEndpoint:
    if slug in {"", cause.endpoint.slug}:
        return endpoints.live(cause.endpoint)
    row = Endpoint.objects.live().filter(slug=slug, provider=_INTERNAL).exclude(state=EndpointState.DISABLED).first()
    if row is None:
        raise NoInternalEndpoint(f"There is no endpoint {slug!r} of the preset {_INTERNAL}, or it is switched off.")
    return endpoints.live(row)


def _ids(emissions: Iterable[Emission], origin: UUID) -> Iterable[tuple[str, str]]:
    """Yield (event id, dedupe key) of each: the same for the same content, of several alike for the same place.

    ``origin`` stays the same over retries and replays. The order in which a handler emits different things says
    nothing: one that does several at once may finish them in another order each time.
    """
    seen: Counter[str] = Counter()
    for emission in emissions:
        content = [emission.endpoint, emission.event_type, json.loads(emission.body)]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        place = seen[digest]
        seen[digest] += 1
        yield str(uuid5(origin, f"{digest}:{place}")), f"emit:{origin.hex}:{digest}:{place}"


def _draft(emission: Emission, ids: tuple[str, str], endpoint: LiveEndpoint, cause: Event, now: datetime) -> FollowUp:
    event_id, dedupe_key = ids
    payload: Any = json.loads(emission.body)
    request = InboundRequest(
        method="POST",
        url="",
        query_string="",
        headers=case_insensitive({"Content-Type": "application/json"}),
        body=emission.body,
        received_at=now,
        request_id=cause.request_id,
    )
    event = drafted(
        endpoint,
        request,
        Description(event_id, emission.event_type),
        payload=payload,
        body_hash=hashlib.sha256(emission.body).digest(),
        verdict=Verdict.INTERNAL,
        columns=sealed(endpoint, request),
    )
    event.dedupe_key = dedupe_key
    event.derived_from_id = cause.pk
    event.hops = cause.hops + 1
    return FollowUp(event, ingest.wanted_of(event, endpoint, payload), endpoint, request)
