"""What every request passes through: its id, where it comes from, and the browser's policy for pages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from deliveries import audit
from deliveries.receiving.source import through_trusted_proxy

GetResponse = Callable[[HttpRequest], HttpResponse]

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# Unfold's Alpine evaluates expressions ('unsafe-eval') and sets style attributes; nothing comes from elsewhere.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def request_id(get_response: GetResponse) -> GetResponse:
    """Give each request an id, the sender's if it is sane; it is on the answer and on every log line."""

    def middleware(request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        request.request_id = offered if _SANE_ID.fullmatch(offered) else uuid.uuid4().hex  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):  # type: ignore[attr-defined]
            response = get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response

    return middleware


def origin(get_response: GetResponse) -> GetResponse:
    """Let the audit log know where each order comes from."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with audit.coming_from(audit.origin_of(request)):
            return get_response(request)

    return middleware


def forwarded_scheme(get_response: GetResponse) -> GetResponse:
    """Believe ``X-Forwarded-Proto`` of ``HUB_TRUSTED_PROXIES``, so that `HttpRequest.is_secure` is right behind TLS."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.META.get("HTTP_X_FORWARDED_PROTO") == "https" and through_trusted_proxy(request):
            request.META["wsgi.url_scheme"] = "https"
        return get_response(request)

    return middleware


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Set the page policy unless the view has set a stricter one."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
        return response

    return middleware
