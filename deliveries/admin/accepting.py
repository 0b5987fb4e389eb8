"""The order to accept another body under a known id as an event: the routes are named, then it is done."""

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
from deliveries.models import EventVariant
from deliveries.variants import NotAccepted, accept, wanted_of
from integrations.admin.base import HubAdmin


def give(admin: HubAdmin, request: HttpRequest, variant: EventVariant) -> HttpResponse:
    """Ask whether ``variant`` is meant to become an event, naming the routes that take it; when confirmed, do it.

    Raises `PermissionDenied` without the permission to replay, or to see events.
    """
    if not (request.user.has_perm(orders.PERMISSION) and admin.has_view_permission(request)):
        raise PermissionDenied
    back = reverse("admin:deliveries_event_change", args=[variant.event_id])
    try:
        if request.POST.get("confirmed") == "yes":
            return _accepted(request, variant)
        event, _, wanted = wanted_of(variant)
    except NotAccepted as exc:
        messages.warning(request, gettext("No event was made. %(exc)s") % {"exc": exc})
        return HttpResponseRedirect(back)
    context = {
        **frame(admin, request, gettext("Accept as a new event"), row=variant.event),
        "variant": variant,
        "event": event,
        "routes": [item.route for item in wanted],
        "back": back,
    }
    return TemplateResponse(request, "admin/deliveries/event/accept.html", context)


def _accepted(request: HttpRequest, variant: EventVariant) -> HttpResponse:
    stored = accept(variant, by=cast(User, request.user))
    if stored.is_duplicate:
        messages.info(request, gettext("It had been accepted already: this is the event."))
    else:
        text = ngettext(
            "It is an event of its own now, with %(count)d delivery.",
            "It is an event of its own now, with %(count)d deliveries.",
            stored.deliveries,
        )
        messages.success(request, text % {"count": stored.deliveries})
    return HttpResponseRedirect(reverse("admin:deliveries_event_change", args=[stored.event_id]))
