"""The first look at a request for an endpoint: what is refused for want of room shall cost next to nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from deliveries.overload.flow import HIGHEST
from deliveries.overload.judging import Room
from deliveries.overload.shedding import refuse_overload
from deliveries.overload.standing import overload
from deliveries.receiving import endpoints, rejections
from deliveries.receiving.refusals import Shed, Unavailable

GetResponse = Callable[[HttpRequest], HttpResponse]

_PATH = re.compile(r"/hooks/([-a-zA-Z0-9_]{1,100})/?")
_FIRST_BYTES = re.compile(rb"POST /hooks/([-a-zA-Z0-9_]{1,100})/?[ ?]")


def is_urgent(first_bytes: bytes) -> bool:
    """Return whether a request that begins so is for an endpoint of the highest priority.

    Asks no database: of an endpoint that has not been asked for yet the answer is no.
    """
    found = _FIRST_BYTES.match(first_bytes)
    return found is not None and endpoints.last_priority(found[1].decode()) == HIGHEST


def gate(get_response: GetResponse) -> GetResponse:
    """Answer what is refused for want of room before the rest of the hub has a look; all else goes on as ever.

    The shared URL is not its matter: whose a request is there shows later, and so does what it is refused for.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        standing = overload.now
        if standing.is_shedding or standing.room == Room.NONE:
            refused = _refused(request)
            if refused is not None:
                return refused
        return get_response(request)

    return middleware


def _refused(request: HttpRequest) -> HttpResponse | None:
    found = _PATH.fullmatch(request.path_info)
    if found is None or request.method != "POST":
        return None
    try:
        endpoint = endpoints.at(found[1])
    except (Error, Unavailable):
        return None  # the view says so
    if endpoint is None:
        return None
    try:
        refuse_overload(endpoint.row.priority, is_test=False)
    except Shed as refusal:
        rejections.count(endpoint, refusal, at=timezone.now())
        answer = HttpResponse(b'{"error":"unavailable"}', status=503, content_type="application/json")
        answer["Content-Length"] = str(len(answer.content))  # Django's own middleware for it comes later
        answer["Retry-After"] = str(refusal.retry_after)
        answer._has_been_logged = True  # type: ignore[attr-defined]
        return answer
    request.let_in_by_gate = True  # type: ignore[attr-defined]  # the dice are thrown once
    return None
