"""The part of a page that shows a legal hold, and its buttons for who may place and end one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from deliveries.admin.confirming import Question, ask, is_confirmed
from deliveries.retention import legal_hold

if TYPE_CHECKING:
    from integrations.admin.base import HubAdmin

    _Admin = HubAdmin
else:
    _Admin = object


class LegalHoldAdmin(_Admin):
    """Pages of rows that can be put under a legal hold."""

    def legal_hold_urls(self) -> list[URLPattern]:
        """Return the address that takes the orders."""
        return [path("<uuid:pk>/legal-hold/", self.admin_site.admin_view(self.hold_one), name=self._name("legal_hold"))]

    def hold_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Place a legal hold for the reason that is posted, or end it where ``lift`` is posted."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        back = reverse(f"admin:{self._name('change')}", args=[pk])
        if not request.POST.get("lift"):
            self._place(request, row)
        elif is_confirmed(request) or not row.legal_hold:
            legal_hold.lift(row, by=request.user)
            messages.success(request, gettext("The legal hold is ended: what is old enough is removed again."))
        else:
            if not request.user.has_perm(legal_hold.PERMISSION):
                raise PermissionDenied
            return ask(self, request, _lifting(row), back=back, row=row, hidden=[("lift", "yes")])
        return HttpResponseRedirect(back)

    def legal_holding(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page says of the legal hold on ``row``."""
        may = request.user.has_perm(legal_hold.PERMISSION)
        return {
            "legal_hold": row.legal_hold,
            "legal_hold_url": reverse(f"admin:{self._name('legal_hold')}", args=[row.pk]) if may else "",
            "hold_reason_characters": legal_hold.REASON_CHARACTERS,
        }

    def _place(self, request: HttpRequest, row: Any) -> None:
        try:
            legal_hold.place(row, reason=request.POST.get("reason", ""), by=request.user)
        except ValueError as exc:
            messages.error(request, str(exc))
        else:
            messages.success(request, gettext("Under a legal hold: nothing of it is removed."))

    def _name(self, view: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{view}"


def _lifting(row: Any) -> Question:
    return Question(
        gettext("End the legal hold"),
        gettext("End the legal hold on %(row)s?") % {"row": row},
        (
            gettext("It was put on for this reason: %(reason)s") % {"reason": row.legal_hold},
            gettext("What is older than it is kept for goes with the next round of retention, and cannot be had back."),
        ),
        gettext("End the legal hold"),
    )
