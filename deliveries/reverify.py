"""Refused requests once more: checked again with today's secrets, and what passes becomes an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from deliveries import audit
from deliveries.models import Rejection, Verdict
from deliveries.receiving import endpoints, ingest, last_use
from deliveries.receiving.authentication import Proof, prove
from deliveries.receiving.drafts import Acceptance
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.refusals import Unavailable
from deliveries.receiving.rejections import HEADERS_LEFT_OUT, METHOD, PATH
from integrations.contracts import InboundRequest
from integrations.errors import HubError, MalformedPayload, RequestRejected
from integrations.models import EndpointState
from integrations.verification import Reason, explanation

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

#: The detail of a rejection that names the event that it became.
EVENT = "event"
_HANDSHAKE = gettext_noop("It is a handshake, whose answer nobody waits for any more.")


class NotReverified(HubError):
    """The request cannot be checked again, or does not pass today either; the message says why, for the operator."""


@dataclass
class Outcome:
    """What became of several rejections: those that made an event, those that were known, and why others stay."""

    accepted: list[UUID] = field(default_factory=list)
    duplicates: list[UUID] = field(default_factory=list)
    refused: dict[UUID, str] = field(default_factory=dict)


def obstacle(rejection: Rejection) -> str:
    """Return why the request cannot be checked again, in a sentence; "" if it can."""
    if rejection.detail.get(EVENT):
        return _became(rejection.detail[EVENT])
    if rejection.reason == Reason.TOKEN_USED:
        return gettext(
            "Its one-time token had been used with another body; a valid signature does not tell that today."
        )
    if rejection.raw_body is None:
        return gettext("Its body was not kept (not read, or larger than HUB_REJECTION_BODY_BYTES).")
    if rejection.detail.get(HEADERS_LEFT_OUT):
        return gettext("Some of its headers were not kept.")
    if rejection.detail.get(METHOD):
        return gettext("It is no event: events come by POST.")
    if rejection.endpoint.retired_at is not None or rejection.endpoint.state == EndpointState.DISABLED:
        return gettext("Its endpoint is switched off.")
    return ""


def stored_request(rejection: Rejection) -> InboundRequest:
    """Return the request as it came; raises `ImproperlyConfigured` if the key that encrypted it is lost."""
    query_string = rejection.original_query_string
    path = rejection.detail.get(PATH) or f"/hooks/{rejection.endpoint.slug}"
    return InboundRequest(
        method=rejection.detail.get(METHOD) or "POST",
        url=f"{settings.HUB_BASE_URL}{path}{'?' if query_string else ''}{query_string}",
        query_string=query_string,
        headers=rejection.original_headers,
        body=rejection.body,
        received_at=rejection.received_at,
        source=rejection.source,
        request_id=rejection.request_id,
    )


def reverify(rejection: Rejection, *, by: User, now: datetime | None = None, via: str = "") -> Acceptance:
    """Check the stored request again; if it passes, store its event with the deliveries, and return what became of it.

    The secrets are today's; timestamps are judged at the original arrival, which is also the event's. It is
    deduplicated as usual. The rejection notes its event, and the log ``by`` and ``via``. Rates are not asked: an
    operator orders it. Raises `NotReverified`, also for what was taken in already; nothing has changed then.
    """
    now = now or timezone.now()
    if reason := obstacle(rejection):
        raise NotReverified(reason)
    try:
        endpoint = endpoints.live(rejection.endpoint)
        request = stored_request(rejection)
        payload, proof = checked(endpoint, request, now=now)
    except (ImproperlyConfigured, Unavailable) as exc:
        raise NotReverified(
            gettext("A stored value cannot be decrypted; was a key of HUB_ENCRYPTION_KEYS removed?")
        ) from exc
    except RequestRejected as exc:
        raise NotReverified(_still_fails(exc)) from exc
    accepted = _accept(rejection, endpoint, request, payload, proof=proof, by=by, now=now, via=via)
    last_use.note(proof.secret_id, at=rejection.received_at)
    log.info(
        "rejection.reverified",
        endpoint=endpoint.row.slug,
        rejection=str(rejection.pk),
        event_uuid=str(accepted.event_id),
    )
    return accepted


def reverify_all(rejections: Iterable[Rejection], *, by: User, via: str = "") -> Outcome:
    """Do `reverify` with each, in the given order; one that fails keeps none of the others from it."""
    outcome = Outcome()
    for rejection in rejections:
        try:
            accepted = reverify(rejection, by=by, via=via)
        except NotReverified as exc:
            outcome.refused[rejection.pk] = str(exc)
        else:
            (outcome.duplicates if accepted.is_duplicate else outcome.accepted).append(rejection.pk)
    return outcome


def checked(endpoint: LiveEndpoint, request: InboundRequest, *, now: datetime) -> tuple[Any, Proof]:
    """Return payload and proof of a request that came earlier; timestamps are judged at its arrival.

    Raises `RequestRejected`, or `NotReverified` for a handshake and for what the endpoint does not take.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise NotReverified(gettext("Its body is compressed, which the hub does not take."))
    if endpoint.row.content_types and request.content_type not in endpoint.row.content_types:
        raise NotReverified(gettext("The endpoint does not take its media type."))
    if len(request.body) > endpoint.row.max_body_bytes:
        raise NotReverified(gettext("Its body is larger than the endpoint takes."))
    handshake = endpoint.handshake_with(endpoint.secrets_at(now))
    if handshake and handshake.unsigned(request, endpoint.row.settings):
        raise NotReverified(gettext(_HANDSHAKE))
    proof = prove(endpoint, request, now=now)
    payload = endpoint.preset.decode(request.content_type, request.body)
    if handshake and handshake.signed(request, payload, endpoint.row.settings):
        raise NotReverified(gettext(_HANDSHAKE))
    return payload, proof


def _became(event: str) -> str:
    return gettext("It became the event %(event)s already.") % {"event": event}


def _still_fails(exc: RequestRejected) -> str:
    said = gettext("It still fails (%(reason)s).") % {"reason": exc.reason}
    return f"{said} {explanation(exc.reason)}".rstrip()


@transaction.atomic
def _accept(
    rejection: Rejection,
    endpoint: LiveEndpoint,
    request: InboundRequest,
    payload: Any,
    *,
    proof: Proof,
    by: User,
    now: datetime,
    via: str,
) -> Acceptance:
    """Store the event and note it on the rejection, both or neither."""
    detail = Rejection.objects.select_for_update().filter(pk=rejection.pk).values_list("detail", flat=True).first()
    if detail is None:
        raise NotReverified(gettext("It is not there any more."))
    if detail.get(EVENT):
        raise NotReverified(_became(detail[EVENT]))
    # What proves nothing also proves nothing the second time.
    verdict = Verdict.REVERIFIED if proof.verdict == Verdict.VERIFIED else proof.verdict
    try:
        accepted = ingest.accept(endpoint, request, payload, verdict=verdict, now=now)
    except MalformedPayload as exc:
        raise NotReverified(_still_fails(exc)) from exc
    except Unavailable as exc:
        raise NotReverified(gettext("The endpoint was changed at the same moment; try again.")) from exc
    rejection.detail = {**detail, EVENT: str(accepted.event_id)}
    Rejection.objects.filter(pk=rejection.pk).update(detail=rejection.detail)
    message = f"Reverified: event {accepted.event_id}."
    audit.record(audit.Action.ORDERED, rejection, by=by, message=message, via=via)
    return accepted
