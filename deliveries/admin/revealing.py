"""Show on its page what a sensitive endpoint received, once, to who may see it and says so."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path, reverse

from deliveries.admin.history import HistoryAdmin
from deliveries.models import Event, EventVariant, Rejection
from deliveries.models.sealing import SealedRequest
from deliveries.revealing import MAY_REVEAL, REASON_CHARACTERS, reveal


class RevealingAdmin(HistoryAdmin):
    """Pages of rows with a body that may be hidden. What was revealed is in the answer to the order alone."""

    def reveal_urls(self) -> list[URLPattern]:
        """Return the address that takes the order."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_reveal"
        return [path("<uuid:pk>/reveal/", self.admin_site.admin_view(self.reveal_one), name=name)]

    def reveal_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Answer with the row's page, nothing hidden on it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        reveal(row, by=request.user, what="the body", reason=request.POST.get("reason", ""))
        request.reveals = True  # type: ignore[attr-defined]
        answer = self.row_page(request, row)
        answer["Cache-Control"] = "private, no-store"
        return answer

    def is_revealed(self, request: HttpRequest) -> bool:
        """Return whether this answer shows what is hidden."""
        return getattr(request, "reveals", False)

    def hiding(self, request: HttpRequest, row: Event | Rejection) -> dict[str, Any]:
        """Return what the page says of a hidden body, and whether the user may reveal it."""
        if not row.hides_body or row.raw_body is None:
            return {}
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_reveal"
        return {
            "hides_body": True,
            "is_revealed": self.is_revealed(request),
            "may_reveal": request.user.has_perm(MAY_REVEAL),
            "reveal_url": reverse(name, args=[row.pk]),
            "reason_characters": REASON_CHARACTERS,
        }


def refuse_unasked(request: HttpRequest, row: SealedRequest) -> HttpResponse | None:
    """Return the refusal of a download of what is hidden that is not ordered by POST; else note it, and return None.

    Raises `PermissionDenied` for who may not reveal it.
    """
    if not row.hides_body:
        return None
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if isinstance(row, Event | EventVariant | Rejection):
        reveal(row, by=request.user, what="the raw body", reason=request.POST.get("reason", ""))
    return None
