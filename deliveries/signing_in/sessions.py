"""How long a login lasts: so long at most, so long without a click, and until it is ended from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models.signals import post_save
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
#: When the login was, and when its owner was last seen to do something; in seconds since 1970.
SINCE, SEEN = "hub_since", "hub_seen"
#: A click is noted no more often: each note is a write.
_NOTED_SECONDS = 60
#: Where a session counts for anything.
PAGES = ("/admin/", "/api/docs", "/api/schema")


def begin(request: HttpRequest) -> None:
    """Let the session of a login begin now."""
    request.session[SINCE] = request.session[SEEN] = int(time.time())


def watch() -> None:
    """End the sessions of whoever is switched off: they do not go on when the user is switched on again."""
    post_save.connect(_end_of_who_is_out, sender=User, dispatch_uid="hub.sessions")


def others(request: HttpRequest) -> list[Session]:
    """Return the sessions in which the user of ``request`` is logged in beside this one."""
    here = request.session.session_key
    return [session for session in _sessions_of(request.user.pk) if session.session_key != here]


def limits(get_response: GetResponse) -> GetResponse:
    """End a session that is older than ``HUB_SESSION_HOURS``, or idle for ``HUB_SESSION_IDLE_MINUTES``."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if is_page(request) and request.user.is_authenticated:
            _look_after(request, now=int(time.time()))
        return get_response(request)

    return middleware


def is_page(request: HttpRequest) -> bool:
    """Return whether a session counts where the request goes, and it has one."""
    return request.path_info.startswith(PAGES) and settings.SESSION_COOKIE_NAME in request.COOKIES


def is_over(session: Mapping[str, Any], *, now: int) -> bool:
    """Return whether the time of ``session`` is over; one without a beginning is."""
    since, seen = session.get(SINCE), session.get(SEEN)
    if not isinstance(since, int) or not isinstance(seen, int):
        return True
    return now - since >= settings.HUB_SESSION_HOURS * 3600 or now - seen >= settings.HUB_SESSION_IDLE_MINUTES * 60


def _look_after(request: HttpRequest, *, now: int) -> None:
    if is_over(request.session, now=now):
        logger.info("session.ended")
        logout(request)
    elif _is_a_click(request) and now - request.session[SEEN] >= _NOTED_SECONDS:
        request.session[SEEN] = now


def _is_a_click(request: HttpRequest) -> bool:
    """Return whether somebody is there: what a page fetches by itself comes while nobody looks, too."""
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def _sessions_of(user: int | None) -> list[Session]:
    """Look through all that are not over, as many as logins: whose one is stands in what it holds."""
    rows = Session.objects.filter(expire_date__gt=timezone.now()).iterator(chunk_size=500)
    return [row for row in rows if row.get_decoded().get(SESSION_KEY) == str(user)]


def _end_of_who_is_out(instance: User, *, created: bool, raw: bool = False, **_: Any) -> None:
    if not (created or raw) and not (instance.is_active and instance.is_staff):
        for session in _sessions_of(instance.pk):
            session.delete()
