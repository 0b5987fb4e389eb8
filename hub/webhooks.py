"""What a webhook passes through on its way to the view, in one piece.

Each middleware is two or three calls more than its work, and an error's turning into an answer is one around each. A
site that adds a middleware, or a setting of Django's that is not looked at here, gets the chain as Django makes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.exception import response_for_exception
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.security import SecurityMiddleware

from deliveries import audit
from deliveries.log_context import lines_with
from deliveries.overload.gate import gate
from deliveries.receiving.source import through_trusted_proxy
from deliveries.receiving.view import ReceiveView
from hub.middleware import POLICY, id_for

GetResponse = Callable[[HttpRequest], HttpResponse]
#: Headers as Django keeps them: their names in small letters, and what goes out.
Headers = Mapping[str, tuple[str, str]]

#: What `chain` does the work of, in the order of the settings.
DONE_HERE = (
    "hub.middleware.request_id",
    "deliveries.overload.gate.gate",
    "hub.middleware.origin",
    "hub.middleware.forwarded_scheme",
    "django.middleware.security.SecurityMiddleware",
    "hub.middleware.content_security_policy",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
_PATH = re.compile(r"/hooks/([-a-zA-Z0-9_]+)/?")


def can_do(middleware: Sequence[str]) -> bool:
    """Return whether `chain` does what these do, with the settings as they are."""
    return (
        tuple(middleware) == DONE_HERE
        and settings.ROOT_URLCONF == "hub.urls"
        and not settings.SECURE_SSL_REDIRECT
        and not settings.PREPEND_WWW
        and not settings.DISALLOWED_USER_AGENTS
        and not settings.USE_X_FORWARDED_HOST
        and not any(connection.settings_dict["ATOMIC_REQUESTS"] for connection in connections.all())
    )


def chain(get_response: GetResponse) -> GetResponse:
    """Return what answers a webhook; ``get_response`` does it where the view is not that of an endpoint's address."""
    of_http, of_https = _constant_headers("http"), _constant_headers("https")
    frames = {"x-frame-options": ("X-Frame-Options", settings.X_FRAME_OPTIONS.upper())}

    def within(request: HttpRequest) -> HttpResponse:
        environ = request.META
        if environ.get("HTTP_X_FORWARDED_PROTO") == "https" and through_trusted_proxy(request):
            environ["wsgi.url_scheme"] = "https"
        try:
            if not _is_ours(environ.get("HTTP_HOST"), tuple(settings.ALLOWED_HOSTS)):
                request.get_host()  # raises, or knows better
            response = _answer(request, get_response)
            _add(response, {**frames, "content-length": ("Content-Length", str(len(response.content)))})
        except DisallowedHost as exc:
            response = response_for_exception(request, exc)
        _add(response, of_https if request.is_secure() else of_http)
        return response

    within_gate = gate(within)

    def whole(request: HttpRequest) -> HttpResponse:
        name = id_for(request)
        request.has_lines_of_its_own = True  # type: ignore[attr-defined]
        with lines_with(request_id=name), audit.coming_from(request):
            response = within_gate(request)
        response.headers["X-Request-ID"] = name
        return response

    return whole


def _constant_headers(scheme: str) -> Headers:
    """Return what is set on every answer over ``scheme`` that does not say otherwise."""
    request = HttpRequest()
    request._get_scheme = lambda: scheme  # type: ignore[attr-defined]
    answer = HttpResponse()
    del answer["Content-Type"]
    answer = SecurityMiddleware(lambda _: answer).process_response(request, answer)
    answer.headers.setdefault("Content-Security-Policy", POLICY)
    return {name.lower(): (name, value) for name, value in answer.headers.items()}


def _add(response: HttpResponse, headers: Headers) -> None:
    """Set those of ``headers`` that ``response`` has not; they are known to be what a header may be."""
    kept = response.headers._store
    for name, header in headers.items():
        if name not in kept:
            kept[name] = header


def _answer(request: HttpRequest, get_response: GetResponse) -> HttpResponse:
    """Return the view's answer, or what becomes of its error."""
    found = _PATH.fullmatch(request.path_info)
    if found is None:
        return get_response(request)
    try:
        view = ReceiveView()
        view.setup(request, slug=found[1])
        return cast(HttpResponse, view.dispatch(request, slug=found[1]))
    except Exception as exc:
        return response_for_exception(request, exc)


@lru_cache(256)
def _is_ours(host: str | None, allowed: tuple[str, ...]) -> bool:
    """Return whether the Host header names the hub; False where Django has to look at it."""
    if host is None or not allowed:
        return False
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)
