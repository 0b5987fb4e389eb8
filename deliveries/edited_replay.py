"""Replay with an edited payload: a new event, derived from a stored one, with deliveries of its own.

The event that came stays as it is, and so do its deliveries.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID, uuid4

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.differences import Kind, difference, same
from deliveries.models import Event, Verdict
from deliveries.models.event import EDITED_PAYLOAD
from deliveries.models.rollup import Measure
from deliveries.models.sealing import MASK
from deliveries.receiving import endpoints, ingest
from deliveries.receiving.drafts import drafted, sealed
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.queueing import Wanted
from deliveries.receiving.refusals import Unavailable
from deliveries.shapes.paths import type_of
from deliveries.stats.counting import counting
from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import HubError, MalformedPayload
from integrations.models import EndpointState, Route
from integrations.payloads import decode
from integrations.providers import Description

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

_JSON = "application/json"
#: Headers that say something of the body that came, and nothing of this one. Proofs are masked, and not taken over.
_OF_THE_BODY = re.compile(r"content-|transfer-encoding\Z|(?:repr-|want-)?digest\Z", re.IGNORECASE)
#: As JSON writes a NUL: behind backslashes that are a pair each, another one.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
#: Places of a payload that the audit log names.
_NOTED = 20


class NotEdited(HubError):
    """The event cannot be replayed with another payload; the message says why, for the operator."""


class WrongPayload(NotEdited):
    """It cannot be with this payload."""


class UnknownRoute(NotEdited):
    """It is ordered for a route that the event's endpoint does not have, or that is switched off."""


@dataclass(frozen=True)
class Edit:
    """An order that can be carried out: the payload, how it is written, and the routes that run with it."""

    payload: Any
    body: bytes
    endpoint: LiveEndpoint
    routes: Sequence[Route]


def obstacle(event: Event) -> str:
    """Return why ``event`` cannot be replayed with another payload, in a sentence; "" if it can, as far as is known.

    Its body has not been read then.
    """
    if event.endpoint.retired_at is not None or event.endpoint.state == EndpointState.DISABLED:
        return gettext("Its endpoint is switched off.")
    if event.raw_body is None:
        return event.why_no_body or gettext("Its body has not been kept.")
    if event.hides_body:
        return gettext("What its endpoint receives is marked as sensitive, and would have to be shown to be edited.")
    if event.needs_batch_to_mask:
        return gettext("It came in a batch, and what is a credential in it cannot be told without the rest.")
    return ""


def payload_of(event: Event) -> Any:
    """Return the payload to edit, which hides nothing; raises `NotEdited` if there is none."""
    if reason := obstacle(event):
        raise NotEdited(reason)
    try:
        stored, shown = event.payload, event.shown_payload
    except ImproperlyConfigured as exc:
        raise NotEdited(gettext("Its body cannot be decrypted; was a key of HUB_ENCRYPTION_KEYS removed?")) from exc
    if stored is None:
        raise NotEdited(gettext("Its body is not one that the hub can read."))
    if not same(stored, shown):
        raise NotEdited(gettext("Some of it is masked, as it is a credential; an edited payload would be without it."))
    return stored


def read(text: str) -> Any:
    """Return the JSON value that ``text`` is; raises `WrongPayload`, which says at which line and column it is none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        raise WrongPayload(
            gettext("This is not JSON: %(problem)s, at line %(line)s, column %(column)s.")
            % {"problem": exc.msg, "line": exc.lineno, "column": exc.colno}
        ) from exc
    except RecursionError as exc:
        raise WrongPayload(gettext("This is nested too deeply.")) from exc
    except ValueError as exc:  # more digits than Python takes
        raise WrongPayload(gettext("This holds a number that is too long.")) from exc


def prepared(event: Event, payload: Any, *, routes: Collection[UUID] | None = None) -> Edit:
    """Return what an order with ``payload`` would do now; raises `NotEdited`, `WrongPayload` or `UnknownRoute`.

    It runs on the ``routes`` that are named, whatever they filter by; with None on those that take the new payload.
    """
    if same(payload_of(event), payload):
        raise WrongPayload(gettext("The payload has not been changed; a replay runs it again as it is."))
    body = _written(payload)
    if len(body) > event.endpoint.max_body_bytes:
        raise WrongPayload(
            gettext("It has %(bytes)s bytes; the endpoint takes %(most)s.")
            % {"bytes": f"{len(body):,}", "most": f"{event.endpoint.max_body_bytes:,}"}
        )
    try:
        endpoint = endpoints.live(event.endpoint)
    except Unavailable as exc:
        raise NotEdited(gettext("The endpoint cannot be used now; was a key of HUB_ENCRYPTION_KEYS removed?")) from exc
    return Edit(payload, body, endpoint, _routes(event, endpoint, payload, named=routes))


def edited_replay(
    event: Event,
    payload: Any,
    *,
    by: User,
    routes: Collection[UUID] | None = None,
    order: UUID | None = None,
    via: str = "",
    now: datetime | None = None,
) -> Event:
    """Store an event like ``event`` with ``payload``, and a delivery for each route that `prepared` names; return it.

    It keeps the event's id, type and headers, those aside that prove or describe the body that came. Of one ``order``
    there is one event: the second time that is returned. The log names ``by``, what was changed, and ``via`` as with
    `replay`. Raises as `prepared` does; nothing is stored then.
    """
    key = f"edited:{(order or uuid4()).hex}"
    if made := Event.objects.filter(endpoint=event.endpoint_id, dedupe_key=key).first():
        return _again(made, event, payload)
    at = now or timezone.now()
    edit = prepared(event, payload, routes=routes)
    made, request = _draft(event, edit, now=at)
    made.dedupe_key, made.requested_by = key, by.get_username()
    wanted = [Wanted(made, route, payload) for route in edit.routes]
    with transaction.atomic():
        stored = ingest.store(made, wanted, edit.endpoint, request, now=at)
        if stored is None:
            endpoints.forget()
            raise NotEdited(gettext("Its endpoint was changed at the same moment; try again."))
        if stored.is_duplicate:
            return _again(Event.objects.get(pk=stored.event_id), event, payload)
        _note(event, made, by=by, via=via)
    transaction.on_commit(partial(counting.add, Measure.ACCEPTED, edit.endpoint.row.pk, at=at, names=stored.types))
    log.info(
        "event.edited",
        endpoint=event.endpoint.slug,
        event_uuid=str(event.pk),
        made=str(made.pk),
        deliveries=len(wanted),
    )
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise WrongPayload(gettext("This is not JSON: %(name)s is no JSON value.") % {"name": name})


def _written(payload: Any) -> bytes:
    """Return ``payload`` as a body; raises `WrongPayload` for what would not come back as it is, and for masks."""
    try:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except RecursionError as exc:
        raise WrongPayload(gettext("This is nested too deeply.")) from exc
    except ValueError as exc:
        raise WrongPayload(gettext("It holds a number that JSON cannot write.")) from exc
    if MASK in text:
        raise WrongPayload(gettext("It holds %(mask)s, which stands for a value that is not shown.") % {"mask": MASK})
    if _NUL.search(text):
        raise WrongPayload(gettext("A NUL character cannot be stored."))
    try:
        body = text.encode()
        comes_back = same(decode(_JSON, body), payload)
    except UnicodeEncodeError as exc:
        raise WrongPayload(gettext("It holds half of a character (a lone surrogate), which cannot be stored.")) from exc
    except MalformedPayload as exc:
        raise WrongPayload(gettext("This is nested too deeply.")) from exc
    if payload is None:
        raise WrongPayload(gettext("A payload that is null is none."))
    if not comes_back:
        raise WrongPayload(gettext("It holds a number that is too long."))
    return body


def _routes(event: Event, endpoint: LiveEndpoint, payload: Any, *, named: Collection[UUID] | None) -> list[Route]:
    if named is None:
        found = [route for route in endpoint.routes if route.takes(event.event_type, payload)]
        if not found:
            raise WrongPayload(gettext("No route of its endpoint takes this payload."))
        return found
    if not named:
        raise UnknownRoute(gettext("No route is named."))
    if unknown := [pk for pk in named if pk not in {route.pk for route in endpoint.routes}]:
        raise UnknownRoute(
            gettext("Its endpoint has no route %(route)s, or it is switched off.") % {"route": unknown[0]}
        )
    return [route for route in endpoint.routes if route.pk in named]


def _draft(event: Event, edit: Edit, *, now: datetime) -> tuple[Event, InboundRequest]:
    query = "&".join(part for part in event.query_string.split("&") if MASK not in part)
    kept = {name: value for name, value in event.headers.items() if value != MASK and not _OF_THE_BODY.match(name)}
    request = InboundRequest(
        method="POST",
        url="",
        query_string=query,
        headers=case_insensitive({**kept, "Content-Type": _JSON}),
        body=edit.body,
        received_at=now,
        request_id=event.request_id,
    )
    made = drafted(
        edit.endpoint,
        request,
        Description(event.event_id, event.event_type),
        payload=edit.payload,
        body_hash=hashlib.sha256(edit.body).digest(),
        verdict=Verdict.INTERNAL,
        columns=sealed(edit.endpoint, request),
    )
    made.derived_from_id, made.hops, made.flags = event.pk, event.hops, [EDITED_PAYLOAD]
    return made, request


def _again(made: Event, event: Event, payload: Any) -> Event:
    """Return what the same order has made before; raises `WrongPayload` if it is not the same."""
    if made.derived_from_id != event.pk or not same(made.payload, payload):
        raise WrongPayload(gettext("This order was carried out already, with another payload."))
    return made


def _note(event: Event, made: Event, *, by: User, via: str) -> None:
    """Note on both events what was made of which, and where they differ, by type.

    The values stand in the two bodies alone: what an erasure or the end of their retention takes away is gone then.
    """
    found = difference(event.shown_payload, made.shown_payload, limit=_NOTED)
    before = {change.path: type_of(change.before) for change in found.changes if change.kind != Kind.ADDED}
    after = {change.path: type_of(change.after) for change in found.changes if change.kind != Kind.REMOVED}
    more = "; more places differ than are named" if found.is_cut else ""
    change = (before, after)
    message = f"Replayed with an edited payload: event {made.pk}{more}."
    audit.record(audit.Action.ORDERED, event, by=by, message=message, change=change, via=via)
    message = f"Made from the event {event.pk} with an edited payload{more}."
    audit.record(audit.Action.MADE, made, by=by, message=message, change=change, via=via)
