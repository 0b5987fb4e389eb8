"""The page on which one logs out everywhere else: of a machine that one has left, or that is gone."""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from deliveries import audit
from deliveries.signing_in import sessions


def page(request: HttpRequest) -> HttpResponseBase:
    """Say in how many other places one is logged in; with ``POST`` end that."""
    return admin.site.admin_view(_page)(request)


def _page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _ended(request)
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    frame = admin.site.each_context(request)
    context = {**frame, "title": gettext("Log out elsewhere"), "count": len(sessions.others(request))}
    return TemplateResponse(request, "admin/deliveries/signing_in/sessions.html", context)


@transaction.atomic
def _ended(request: HttpRequest) -> HttpResponse:
    found = sessions.others(request)
    for session in found:
        session.delete()
    if found:
        message = f"Logged out in {len(found)} other {'place' if len(found) == 1 else 'places'}."
        user = cast(User, request.user)
        audit.record(audit.Action.LOGGED_OUT, user, by=user, message=message)
    text = ngettext(
        "You are logged out in %(count)d other place.", "You are logged out in %(count)d other places.", len(found)
    )
    messages.success(request, text % {"count": len(found)})
    return HttpResponseRedirect(reverse("own-sessions"))
