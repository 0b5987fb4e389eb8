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
from django.utils.translation import gettext, ngettext

from deliveries import erasing
from deliveries.admin.confirming import Question, ask, is_confirmed
from deliveries.models import Erasure, ErasureState
from deliveries.models.erasure import ErasurePhase
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
        rows = [(row, _counted(row)) for row in Erasure.objects.order_by("-pk")[:_MOST_SHOWN]]
        return self._page(request, "admin/deliveries/erasures.html", rows=rows)

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
        """Have what was counted erased; unless it is confirmed, say first how much that is."""
        row = get_object_or_404(Erasure, pk=pk)
        if request.method == "POST" and row.state == ErasureState.COUNTED and not is_confirmed(request):
            if not self.has_view_permission(request) or not request.user.has_perm(erasing.PERMISSION):
                raise PermissionDenied
            return ask(self, request, _erasing(row), back=reverse(f"admin:{PAGE}"))

        def give(by: User) -> str:
            erasing.confirm(row, by=by)
            return gettext("The workers erase it. Its page names what went, as they get on.")

        return self._ordered(request, give)

    def cancel(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """End an order."""

        def give(by: User) -> str:
            row = get_object_or_404(Erasure, pk=pk)
            if not erasing.cancel(row, by=by):
                return gettext("It had ended already.")
            if row.confirmed_by:
                return gettext("Cancelled: what was erased until now stays erased.")
            return gettext("Cancelled: nothing was erased.")

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


def _counted(row: Erasure) -> str:
    """Return how many rows of each kind hold the value, in words."""
    counts = row.counts
    events, batches = counts.get(ErasurePhase.EVENTS, 0), counts.get(ErasurePhase.BATCHES, 0)
    rejections = counts.get(ErasurePhase.REJECTIONS, 0)
    said = [
        (events, ngettext("%(count)s event", "%(count)s events", events)),
        (batches, ngettext("%(count)s batch", "%(count)s batches", batches)),
        (rejections, ngettext("%(count)s refused request", "%(count)s refused requests", rejections)),
    ]
    return ", ".join(text % {"count": f"{count:,}"} for count, text in said if count) or gettext("nothing yet")


def _erasing(row: Erasure) -> Question:
    return Question(
        gettext("Erase"),
        gettext("Erase everything that holds the value for good?"),
        (
            gettext("Counted: %(counted)s. What comes to hold it until the workers get there goes, too.")
            % {"counted": _counted(row)},
            gettext(
                "Events lose their bodies, their headers and what attempts kept of them; refused requests go whole. "
                "What has not run yet ends as a dead letter. What is under a legal hold, or running just then, is left."
            ),
            gettext("Nothing brings it back."),
        ),
        gettext("Erase for good"),
    )
