"""Beside a route's form: what it would do with a stored event, as the form stands."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from deliveries.handler_preview import preview
from deliveries.models import Event
from integrations.admin.route_form import config_part, entered_config
from integrations.models import Endpoint

_OFFERED = 10


def may_preview(request: HttpRequest) -> bool:
    """Return whether the user fills in routes, and may see events."""
    return may_fill_in(request) and request.user.has_perm("deliveries.view_event")


def may_fill_in(request: HttpRequest) -> bool:
    """Return whether the user makes or changes routes."""
    return request.user.has_perm("integrations.change_route") or request.user.has_perm("integrations.add_route")


def preview_route(request: HttpRequest) -> HttpResponse:
    """Return the inner part of the panel: the form's fields tried on ``event`` of ``endpoint`` ("": the newest)."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not may_preview(request):
        raise PermissionDenied
    endpoint = get_object_or_404(Endpoint.objects.visible_to(request.user), pk=_uuid(request.POST.get("endpoint", "")))
    rows = Event.objects.visible_to(request.user).filter(endpoint=endpoint).select_related("endpoint")
    offered = list(rows.order_by("-received_at").defer("sealed", "raw_body", "headers")[:_OFFERED])
    wanted = _uuid(request.POST.get("event", ""))
    chosen = rows.filter(pk=wanted).first() if wanted else None
    event = chosen or (rows.filter(pk=offered[0].pk).first() if offered else None)
    made = event and preview(
        event,
        expression=request.POST.get("filter", "").strip(),
        handler=request.POST.get("handler", ""),
        config=_config(request),
        ordering_key=request.POST.get("ordering_key", "").strip(),
        route=_uuid(request.POST.get("route", "")),
    )
    context = {"offered": offered, "event": event, "made": made}
    return TemplateResponse(request, "admin/integrations/route/preview.html", context)


def show_config(request: HttpRequest) -> HttpResponse:
    """Return the inputs of the config for the handler that is chosen in the form, with what was entered before."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not may_fill_in(request):
        raise PermissionDenied
    return HttpResponse(config_part(request.POST, cast(User, request.user)))


def _config(request: HttpRequest) -> str:
    """Return the config as JSON; what is none as it was written, so that the preview can say where it goes wrong."""
    try:
        found: Any = entered_config(request.POST, cast(User, request.user))
    except (ValueError, RecursionError):
        return request.POST.get("config", "")
    return json.dumps(found)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
