"""What every request passes through: its id, where it comes from, the viewer's time zone, the browser's policy."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.shortcuts import render
from django.utils import timezone, translation

from deliveries import audit
from deliveries.log_context import lines_with
from deliveries.receiving.source import client_address, is_within, through_trusted_proxy

GetResponse = Callable[[HttpRequest], HttpResponse]

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
#: Where admin.js writes the browser's time zone.
ZONE_COOKIE = "hub_zone"
# Names of zones as IANA has them. A path that leads elsewhere is none; what is left is looked for among the zones.
_SANE_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z0-9_+-]{1,30}){0,2}")

# What each page of the admin needs, and no more. Unfold's Alpine evaluates expressions that stand in attributes
# ('unsafe-eval'; no script that is written into a page runs) and sets style attributes; nothing comes from elsewhere.
_ADMIN_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
#: What people use in a browser: it is where ``HUB_ADMIN_HOSTS`` and ``HUB_ADMIN_NETWORKS`` say.
_FOR_PEOPLE = ("/admin", "/api/docs")
# All else is JSON, text or a file; a page with needs of its own sets its own policy.
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: What went wrong is said by a page with a style of its own, and an icon that asks for nothing.
_ERROR_POLICY = f"{POLICY}; style-src 'unsafe-inline'; img-src data:"


def request_id(get_response: GetResponse) -> GetResponse:
    """Give each request an id, the sender's if it is sane; it is on the answer and on every log line."""

    def middleware(request: HttpRequest) -> HttpResponse:
        name = id_for(request)
        with lines_with(request_id=name):
            response = get_response(request)
        response["X-Request-ID"] = name
        return response

    return middleware


def id_for(request: HttpRequest) -> str:
    """Return the id of ``request`` from here on, which it has as ``request_id``: the sender's if it is sane."""
    offered = request.META.get("HTTP_X_REQUEST_ID", "")
    name = offered if offered and _SANE_ID.fullmatch(offered) else uuid.uuid4().hex
    request.request_id = name  # type: ignore[attr-defined]
    return name


def origin(get_response: GetResponse) -> GetResponse:
    """Let the audit log know where each order comes from."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with audit.coming_from(request):
            return get_response(request)

    return middleware


def forwarded_scheme(get_response: GetResponse) -> GetResponse:
    """Believe ``X-Forwarded-Proto`` of ``HUB_TRUSTED_PROXIES``, so that `HttpRequest.is_secure` is right behind TLS."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.META.get("HTTP_X_FORWARDED_PROTO") == "https" and through_trusted_proxy(request):
            request.META["wsgi.url_scheme"] = "https"
        return get_response(request)

    return middleware


def admin_place(get_response: GetResponse) -> GetResponse:
    """Answer for people only at ``HUB_ADMIN_HOSTS`` and to ``HUB_ADMIN_NETWORKS``; 404 to all others.

    Raises `MiddlewareNotUsed` where neither is set.
    """
    if not settings.HUB_ADMIN_HOSTS and not settings.HUB_ADMIN_NETWORKS:
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponse:
        is_for_people = request.path_info == "/" or request.path_info.startswith(_FOR_PEOPLE)
        if is_for_people and not _is_where_the_admin_is(request):
            # As what is not there: nobody learns from it where the admin is.
            return HttpResponse("Not found.\n", status=404, content_type="text/plain")
        return get_response(request)

    return middleware


def _is_where_the_admin_is(request: HttpRequest) -> bool:
    hosts = settings.HUB_ADMIN_HOSTS
    whole = request.get_host()
    if hosts and not validate_host(split_domain_port(whole)[0], hosts) and whole not in hosts:
        return False
    address = client_address(request)
    networks = settings.HUB_ADMIN_NETWORKS
    return not networks or (address is not None and is_within(address, networks))


def viewer_zone(get_response: GetResponse) -> GetResponse:
    """Show and understand times of the admin in the zone that the browser names; without one, in ``TIME_ZONE``."""

    def middleware(request: HttpRequest) -> HttpResponse:
        zone = zone_named(request.COOKIES.get(ZONE_COOKIE, "")) if request.path_info.startswith("/admin/") else None
        if zone is None:
            return get_response(request)
        with timezone.override(zone):
            return get_response(request)

    return middleware


def english(get_response: GetResponse) -> GetResponse:
    """Answer the API in English, whatever language its caller or ``LANGUAGE_CODE`` names: programs read it.

    Some of its texts are those of the admin, and marked for translation.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/"):
            return get_response(request)
        with translation.override("en"):
            return get_response(request)

    return middleware


def zone_named(name: str) -> ZoneInfo | None:
    """Return the time zone of that name; None for what is none on this machine. Any text may come."""
    if not _SANE_ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last for the folders that zones lie in
        return None


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Set the policy of the admin's pages, or that of all else, unless the view has set its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        policy = POLICY
        if request.path_info.startswith("/admin/"):
            response, policy = _in_words(request, response), _ADMIN_POLICY
        elif response.status_code == 404 and response.headers.get("Content-Type", "").startswith("text/html"):
            policy = _ERROR_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


def _in_words(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    # Who logs in again on the way to an order, or opens its address from the history, would see the browser's own page.
    if response.status_code != 405 or request.method != "GET" or response.content:
        return response
    page = render(request, "405.html", status=405)
    page.headers["Allow"] = response.headers["Allow"]
    return page
