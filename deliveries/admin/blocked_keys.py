"""The page of ordering keys that stand still, and the order to let a parked one go on."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext

from deliveries.admin import orders
from deliveries.blocked_keys import MOST_SHOWN, blocked_keys, let_go_on
from deliveries.models import ParkedKey
from integrations.admin.base import HubAdmin
from integrations.models import groups_of

PAGE = "deliveries_parkedkey_changelist"


@admin.register(ParkedKey)
class BlockedKeyAdmin(HubAdmin):
    """One page, and one order; replaying and discarding what is in the way are orders about that delivery."""

    def get_urls(self) -> list[Any]:
        """Leave nothing but the page and the order."""
        view = self.admin_site.admin_view
        return [
            path("", view(self.page), name=PAGE),
            path("<int:pk>/order/let_go_on/", view(self.let_go_on), name="deliveries_parkedkey_let_go_on"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may look: not who is restricted to groups, as the keys of all routes are there."""
        return super().has_view_permission(request, obj) and groups_of(request.user) is None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a key is parked by a delivery that gave up."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the page has its own orders."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the page has its own orders."""
        return False

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the keys, those first that need an order."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        keys = blocked_keys()
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Blocked keys"),
            "keys": keys,
            "is_cut": len(keys) == MOST_SHOWN,
            "may_order": request.user.has_perm(orders.PERMISSION),
            "replayable": orders.REPLAY.legal,
            "discardable": orders.DISCARD.legal,
        }
        return TemplateResponse(request, "admin/deliveries/blocked_keys.html", context)

    def let_go_on(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask whether a parked key is to go on without its dead letter; when confirmed, let it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(orders.PERMISSION) or groups_of(request.user) is not None:
            raise PermissionDenied
        back = HttpResponseRedirect(reverse(f"admin:{PAGE}"))
        parked = ParkedKey.objects.select_related("route", "delivery").filter(pk=pk).first()
        if parked is None:
            messages.warning(request, gettext("That key is not parked any more."))
            return back
        if request.POST.get("confirmed") == "yes":
            moved = let_go_on(parked, by=cast(User, request.user))
            messages.success(request, gettext("The key goes on (%(moved)s released).") % {"moved": moved})
            return back
        context = {**self.admin_site.each_context(request), "title": gettext("Let go on"), "parked": parked}
        return TemplateResponse(request, "admin/deliveries/let_go_on.html", context)
