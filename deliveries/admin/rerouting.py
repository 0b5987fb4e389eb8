"""The order to route an event again: first the routes that would get it are named, then it is carried out by POST."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from deliveries.admin import orders
from deliveries.admin.frame import frame
from deliveries.admin.trying import named_back
from deliveries.models import Event
from deliveries.reroute import NotRerouted, reroute, unserved
from integrations.admin.base import HubAdmin


def give(admin: HubAdmin, request: HttpRequest, event: Event) -> HttpResponse:
    """Ask whether deliveries of ``event`` are meant to be made, naming the routes; when confirmed, make them.

    Raises `PermissionDenied` without the permission.
    """
    if not request.user.has_perm(orders.PERMISSION):
        raise PermissionDenied
    back = named_back(request) or reverse("admin:deliveries_event_change", args=[event.pk])
    try:
        if request.POST.get("confirmed") == "yes":
            _report(request, len(reroute(event, by=cast(User, request.user))))
            return HttpResponseRedirect(back)
        routes = [wanted.route for wanted in unserved(event)]
    except NotRerouted as exc:
        messages.warning(request, gettext("No delivery was made. %(exc)s") % {"exc": exc})
        return HttpResponseRedirect(back)
    context = {
        **frame(admin, request, gettext("Reroute"), row=event),
        "routes": routes,
        "back": back,
    }
    return TemplateResponse(request, "admin/deliveries/event/reroute.html", context)


def _report(request: HttpRequest, made: int) -> None:
    if made:
        messages.success(
            request,
            ngettext(
                "%(count)d delivery was made.",
                "%(count)d deliveries were made.",
                made,
            )
            % {"count": made},
        )
    else:
        messages.info(request, gettext("No delivery was made: no other route matches."))
