"""The live tail: a page that shows what comes, and what becomes of it, as it happens."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import display
from deliveries.live_tail import Cursor, look
from deliveries.tailing import RECEIVED, REFUSED, STATUSES, Line
from integrations.models import Endpoint

#: All of these: it shows what came, what was refused, and what became of it.
PERMISSIONS = ("deliveries.view_event", "deliveries.view_delivery", "deliveries.view_rejection")
#: Endpoints that are offered to choose from.
_OFFERED = 500


def page(request: HttpRequest) -> HttpResponseBase:
    """Show the page; it asks for the lines itself."""
    return admin.site.admin_view(_page)(request)


def lines(request: HttpRequest) -> HttpResponseBase:
    """Return as JSON what is new since ``cursor``, and the next cursor; without one, where to begin."""
    return admin.site.admin_view(_lines)(request)


def _page(request: HttpRequest) -> HttpResponse:
    _check(request)
    endpoints = Endpoint.objects.live().visible_to(request.user).order_by("slug").values_list("slug", flat=True)
    context = {
        **admin.site.each_context(request),
        "title": gettext("Live tail"),
        "endpoints": endpoints[:_OFFERED],
        "chosen": request.GET.get("endpoint", ""),
        "statuses": _statuses(),
        "texts": _texts(),
        "lines_url": reverse("live-tail-lines"),
    }
    return TemplateResponse(request, "admin/deliveries/live_tail.html", context)


def _lines(request: HttpRequest) -> HttpResponse:
    _check(request)
    now = timezone.now()
    cursor = Cursor.from_text(request.GET.get("cursor", ""))
    endpoint = request.GET.get("endpoint", "").replace("\x00", "")
    if cursor is None:
        return JsonResponse({"lines": [], "cursor": Cursor.begin(now).text, "is_cut": False})
    found = look(cursor, user=request.user, endpoint=endpoint, now=now)
    shown = [_as_json(line) for line in found.lines]
    return JsonResponse({"lines": shown, "cursor": found.cursor.text, "is_cut": found.is_cut})


def _statuses() -> dict[str, str]:
    own = {RECEIVED: gettext("Received"), REFUSED: gettext("Refused")}
    return {status: own.get(status) or display.state_name(status) for status in STATUSES}


def _texts() -> dict[str, Any]:
    """Return what the page's script says."""
    return {
        "live": gettext("live"),
        "cut": gettext("live, some left out"),
        "away": gettext("no answer, trying again"),
        "paused": gettext("paused"),
        "pause": gettext("Pause"),
        "go_on": gettext("Go on"),
        "no_type": gettext("(no type)"),
        "statuses": _statuses(),
    }


def _check(request: HttpRequest) -> None:
    if not request.user.has_perms(PERMISSIONS):
        raise PermissionDenied


def _as_json(line: Line) -> dict[str, Any]:
    kind = {RECEIVED: "event", REFUSED: "rejection"}.get(line.status, "delivery")
    return {
        **line.as_json(),
        "key": f"{line.status} {line.id} {line.at.isoformat()}",
        "url": reverse(f"admin:deliveries_{kind}_change", args=[line.id]),
    }
