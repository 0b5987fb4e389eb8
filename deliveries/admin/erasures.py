"""The page of erasures: the order to count, to confirm what was counted, and the proofs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext

from deliveries import erasing
from deliveries.models import Erasure
from integrations.admin.base import HubAdmin
from integrations.models import groups_of

PAGE = "deliveries_erasure_changelist"
_MOST_SHOWN = 50
#: Ids of a proof that its page names; the command and the database have them all.
_MOST_IDS = 500


@admin.register(Erasure)
class ErasureAdmin(HubAdmin):
    """One page of orders and proofs, one of each proof, and the orders."""

    def get_urls(self) -> list[Any]:
        """Leave nothing but the pages and the orders."""
        view = self.admin_site.admin_view
        return [
            path("", view(self.page), name=PAGE),
            path("<uuid:pk>/change/", view(self.proof), name="deliveries_erasure_change"),
            path("order/", view(self.order), name="deliveries_erasure_order"),
            path("<uuid:pk>/order/confirm/", view(self.confirm), name="deliveries_erasure_confirm"),
            path("<uuid:pk>/order/cancel/", view(self.cancel), name="deliveries_erasure_cancel"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may look: not who is restricted to groups, as events of all endpoints are named."""
        return super().has_view_permission(request, obj) and groups_of(request.user) is None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: the page has its own orders."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a proof stays as it is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a proof stays."""
        return False

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the latest orders, and the form for another."""
        return self._page(request, "admin/deliveries/erasures.html", rows=Erasure.objects.order_by("-pk")[:_MOST_SHOWN])

    def proof(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show one order: who, when, how many, and of which rows."""
        row = get_object_or_404(Erasure, pk=pk)
        ids = [(kind, found[:_MOST_IDS], len(found)) for kind, found in row.found.items()]
        return self._page(request, "admin/deliveries/erasure.html", row=row, ids=ids)

    def order(self, request: HttpRequest) -> HttpResponse:
        """Have everything counted that holds the value which is posted."""

        def give(by: User) -> str:
            erasing.order(request.POST.get("value", ""), path=request.POST.get("path", "").strip(), by=by)
            return gettext("The workers count what holds it; nothing is erased before you confirm.")

        return self._ordered(request, give)

    def confirm(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Have what was counted erased."""

        def give(by: User) -> str:
            erasing.confirm(get_object_or_404(Erasure, pk=pk), by=by)
            return gettext("The workers erase it.")

        return self._ordered(request, give)

    def cancel(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """End an order."""

        def give(by: User) -> str:
            was_under_way = erasing.cancel(get_object_or_404(Erasure, pk=pk), by=by)
            return gettext("Cancelled.") if was_under_way else gettext("It had ended already.")

        return self._ordered(request, give)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        shown = {
            **self.admin_site.each_context(request),
            "title": gettext("Erasures"),
            "may_erase": request.user.has_perm(erasing.PERMISSION),
            **context,
        }
        return TemplateResponse(request, template, shown)

    def _ordered(self, request: HttpRequest, give: Callable[[User], str]) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            messages.success(request, give(cast(User, request.user)))
        except erasing.NotErased as exc:
            messages.error(request, str(exc))
        return HttpResponseRedirect(reverse(f"admin:{PAGE}"))
