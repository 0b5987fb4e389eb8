"""The page of the load: what is refused for now, how much room there is, and the switch of accept-only mode."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries.models import AcceptOnly
from deliveries.overload import accept_only
from deliveries.overload.flow import HIGHEST
from deliveries.overload.judging import Room
from deliveries.overload.standing import limits, overload
from integrations.admin.base import HubAdmin
from integrations.models import groups_of

PAGE = "deliveries_acceptonly_changelist"
_MAY_LOOK, _MAY_SWITCH = "deliveries.view_worker", "deliveries.accept_only"


@admin.register(AcceptOnly)
class LoadAdmin(HubAdmin):
    """One page, and the switch."""

    of_endpoints = False

    def get_urls(self) -> list[Any]:
        """Leave nothing but the page and the switch."""
        view = self.admin_site.admin_view
        return [
            path("", view(self.page), name=PAGE),
            path("order/<str:order>/", view(self.switch), name="deliveries_acceptonly_order"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may look: who may see workers."""
        return bool(request.user.has_perm(_MAY_LOOK))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: the page has its own switch."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the page has its own switch."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the page has its own switch."""
        return False

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show how the hub stands, as the process that answers knows it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        standing = overload.now
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Load"),
            "standing": standing,
            "bar": standing.bar,
            "highest": HIGHEST,
            "limits": limits(),
            "disk_is_full": standing.room == Room.NONE,
            "disk_is_low": standing.room == Room.LITTLE,
            "row": AcceptOnly.objects.first(),
            "may_switch": _may_switch(request),
        }
        return TemplateResponse(request, "admin/deliveries/load.html", context)

    def switch(self, request: HttpRequest, order: str) -> HttpResponse:
        """Switch accept-only mode on or off."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not _may_switch(request):
            raise PermissionDenied
        by, now = cast(User, request.user), timezone.now()
        if order == "on":
            note = request.POST.get("note", "").replace("\x00", "").strip()
            done = accept_only.switch_on(by=by, note=note, now=now)
        else:
            done = accept_only.switch_off(by=by, now=now)
        messages.success(request, _said(is_on=AcceptOnly.objects.exists(), was_done=done))
        return HttpResponseRedirect(reverse(f"admin:{PAGE}"))


def _may_switch(request: HttpRequest) -> bool:
    """Return whether the user may switch: not who is restricted to groups, as it stops the routes of all."""
    return bool(request.user.has_perm(_MAY_SWITCH)) and groups_of(request.user) is None


def _said(*, is_on: bool, was_done: bool) -> str:
    if is_on:
        return gettext("Accept-only mode is on.") if was_done else gettext("Accept-only mode is on, as before.")
    return gettext("Accept-only mode is off.") if was_done else gettext("Accept-only mode is off, as before.")
