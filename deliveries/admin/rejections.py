"""The pages of refused requests, with the exact reason that the sender was not told."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries import display
from deliveries.admin import orders
from deliveries.admin.counted_filters import RefusedReasonFilter, RefusingEndpointFilter
from deliveries.admin.events import attachment
from deliveries.admin.filters import MomentFilter, ReceivedWhenFilter
from deliveries.admin.frame import frame
from deliveries.admin.history import search
from deliveries.admin.revealing import RevealingAdmin, refuse_unasked
from deliveries.forensics import diagnose
from deliveries.models import Rejection
from deliveries.reverify import EVENT, Outcome, obstacle, reverify_all

#: Reasons why single rejections stay that a message names; of more, the first.
_NAMED_REASONS = 3


@admin.register(Rejection)
class RejectionAdmin(RevealingAdmin):
    """Refused requests, the newest first; a bounded number of them for a bounded time."""

    page_template = "admin/deliveries/rejection/page.html"
    list_before_template = "admin/deliveries/list_before.html"
    empty_hint = gettext_lazy("Nothing was refused. Requests without a valid proof show here, with the reason.")
    list_display = ("reason_shown", "meaning_shown", "endpoint_shown", "source_shown", "size_shown", "received_shown")
    list_display_links = ("reason_shown",)
    list_filter = (ReceivedWhenFilter, RefusingEndpointFilter, RefusedReasonFilter, ("received_at", MomentFilter))
    list_select_related = ("endpoint",)
    never_loaded = ("sealed",)
    list_defer = ("raw_body", "headers", "query_string")
    ordering = ("-received_at",)
    keyset = "received_at"
    without_index = ("reason",)
    search_fields = ("request_id",)
    search_help_text = gettext_lazy("A request id or the rejection's own id, whole.")
    actions = ("reverify",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by id."""
        return search(queryset, search_term, uuids=("pk",), texts=("request_id",)), False

    def get_urls(self) -> list[Any]:
        """Add the download of the raw body, and the address that takes the order to reverify."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/body/", view(self.rejection_body), name="deliveries_rejection_body"),
            *self.reveal_urls(),
            path("<uuid:pk>/reverify/", view(self.reverify_one), name="deliveries_rejection_reverify"),
            *super().get_urls(),
        ]

    # -- reverify -----------------------------------------------------------------------------------------------------
    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may make events of rejections; what the action asks for."""
        return request.user.has_perm(orders.PERMISSION)

    @admin.action(description=gettext_lazy("Reverify"), permissions=["replay"])
    def reverify(self, request: HttpRequest, queryset: QuerySet[Rejection]) -> HttpResponse:
        """Check the selected requests again."""
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)[: self.list_per_page]
        hidden = [("action", "reverify"), *((ACTION_CHECKBOX_NAME, pk) for pk in selected)]
        return self._reverify(request, queryset.filter(pk__in=selected), back=request.get_full_path(), hidden=hidden)

    def reverify_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Check one request again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        back = reverse("admin:deliveries_rejection_change", args=[pk])
        return self._reverify(request, self.get_queryset(request).filter(pk=pk), back=back, hidden=[])

    def _reverify(
        self, request: HttpRequest, rows: QuerySet[Rejection], *, back: str, hidden: list[tuple[str, str]]
    ) -> HttpResponse:
        """Ask whether it is meant; when confirmed, carry it out, the oldest request first."""
        if not self.has_replay_permission(request):
            raise PermissionDenied
        chosen = list(rows.order_by("received_at", "pk"))
        if request.POST.get("confirmed") == "yes":
            _report(request, reverify_all(chosen, by=cast(User, request.user)))
            return HttpResponseRedirect(back)
        obstacles = [(row, obstacle(row)) for row in chosen]
        context = {
            **frame(self, request, gettext("Reverify"), row=chosen[0] if len(chosen) == 1 else None),
            "rows": obstacles,
            "possible": sum(not reason for _, reason in obstacles),
            "back": back,
            "hidden": hidden,
        }
        return TemplateResponse(request, "admin/deliveries/rejection/confirm.html", context)

    # -- one rejection ------------------------------------------------------------------------------------------------

    def rejection_body(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Hand out what was kept of the body."""
        if not self.has_view_permission(request) or not may_read_bodies(request):
            raise PermissionDenied
        row = Rejection.objects.visible_to(request.user).filter(pk=pk).first()
        if row is None or row.raw_body is None:
            raise Http404
        return refuse_unasked(request, row) or attachment(row.body, f"rejection-{pk}.bin")

    def page_context(self, request: HttpRequest, row: Rejection) -> dict[str, Any]:
        """Return the reason in words, what would match, the headers and the body."""
        hindrance = obstacle(row)
        may_read = may_read_bodies(request)
        downloadable = row.raw_body is not None and may_read
        return {
            "body": display.refused_body(row, may_read=may_read, revealed=self.is_revealed(request)),
            **(self.hiding(request, row) if may_read else {}),
            "body_url": reverse("admin:deliveries_rejection_body", args=[row.pk]) if downloadable else "",
            "headers": sorted(row.headers.items()),
            "diagnosis": diagnose(row, viewer=request.user),
            "details": [
                (name.replace("_", " ").capitalize(), value) for name, value in row.detail.items() if name != EVENT
            ],
            "became": row.detail.get(EVENT),
            "obstacle": hindrance,
            "may_reverify": not hindrance and self.has_replay_permission(request),
        }

    @admin.display(description=gettext_lazy("Reason"))
    def reason_shown(self, row: Rejection) -> str:
        """Return the reason's code."""
        return row.reason

    @admin.display(description=gettext_lazy("What it means"))
    def meaning_shown(self, row: Rejection) -> str:
        """Return the reason in words."""
        return row.explanation or "–"

    @admin.display(description=gettext_lazy("Endpoint"))
    def endpoint_shown(self, row: Rejection) -> str:
        """Return the endpoint's slug."""
        return row.endpoint.slug

    @admin.display(description=gettext_lazy("Source"))
    def source_shown(self, row: Rejection) -> str:
        """Return the sender's address."""
        return row.source or "–"

    @admin.display(description=gettext_lazy("Body"))
    def size_shown(self, row: Rejection) -> str:
        """Return how large the body was."""
        return display.size(row.body_bytes)

    @admin.display(description=gettext_lazy("Received"))
    def received_shown(self, row: Rejection) -> SafeString:
        """Return when it came."""
        return display.moment(row.received_at)


def may_read_bodies(request: HttpRequest) -> bool:
    """Return whether the user may read what was refused: it may hold credentials that were meant for others."""
    return request.user.has_perm("integrations.change_endpoint")


def _report(request: HttpRequest, outcome: Outcome) -> None:
    if made := len(outcome.accepted):
        messages.success(
            request,
            ngettext(
                "%(count)d request is an event now.",
                "%(count)d requests are events now.",
                made,
            )
            % {"count": made},
        )
    if known := len(outcome.duplicates):
        messages.info(
            request,
            ngettext(
                "%(count)d was an event already: nothing runs twice.",
                "%(count)d were an event already: nothing runs twice.",
                known,
            )
            % {"count": known},
        )
    if stay := len(outcome.refused):
        reasons = " ".join(list(dict.fromkeys(outcome.refused.values()))[:_NAMED_REASONS])
        messages.warning(
            request,
            ngettext(
                "%(count)d stays refused. %(reasons)s",
                "%(count)d stay refused. %(reasons)s",
                stay,
            )
            % {"count": stay, "reasons": reasons},
        )
