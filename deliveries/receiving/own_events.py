"""Events that the hub makes itself, on endpoints of the provider internal: by schedule, and to tell people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.translation import gettext

from deliveries.models import Event, Verdict
from deliveries.models.rollup import Measure
from deliveries.receiving import endpoints, ingest
from deliveries.receiving.drafts import drafted, sealed
from deliveries.receiving.refusals import Unavailable
from deliveries.stats.counting import counting
from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import HubError
from integrations.models import Endpoint
from integrations.providers import Description


class NotMade(HubError):
    """The event cannot be stored now; the message says why, for the operator."""


@dataclass(frozen=True)
class OwnEvent:
    """What is to be stored: ``key`` is its dedupe key, ``event_id`` what people find it by."""

    event_type: str
    payload: Any
    key: str
    event_id: str
    headers: Mapping[str, str] = field(default_factory=dict)


def make(row: Endpoint, wanted: OwnEvent, *, now: datetime) -> Event:
    """Store the event at ``row``, with the deliveries of its routes, in the caller's transaction; raises `NotMade`.

    One whose key is known is counted as a duplicate.
    """
    body = json.dumps(wanted.payload, ensure_ascii=False, separators=(",", ":")).encode()
    headers = case_insensitive({"Content-Type": "application/json", **wanted.headers})
    request = InboundRequest(method="POST", url="", query_string="", headers=headers, body=body, received_at=now)
    try:
        endpoint = endpoints.live(row)
        event = drafted(
            endpoint,
            request,
            Description(wanted.event_id[:255], wanted.event_type),
            payload=wanted.payload,
            body_hash=hashlib.sha256(body).digest(),
            verdict=Verdict.INTERNAL,
            columns=sealed(endpoint, request),
        )
    except (Unavailable, ImproperlyConfigured) as exc:
        raise NotMade(gettext("The endpoint cannot be used now.")) from exc
    event.dedupe_key = wanted.key
    stored = ingest.store(event, ingest.wanted_of(event, endpoint, wanted.payload), endpoint, request, now=now)
    if stored is None:
        endpoints.forget()
        raise NotMade(gettext("The event could not be stored; its routes have just changed."))
    measure = Measure.DUPLICATE if stored.is_duplicate else Measure.ACCEPTED
    transaction.on_commit(partial(counting.add, measure, endpoint.row.pk, at=now, names=stored.types))
    return event
