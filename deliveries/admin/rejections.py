"""The pages of refused requests, with the exact reason that the sender was not told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from deliveries import display
from deliveries.admin.events import attachment, may_download
from deliveries.admin.filters import EndpointFilter, MomentFilter, ReasonFilter
from deliveries.admin.history import HistoryAdmin, search
from deliveries.models import Rejection


@admin.register(Rejection)
class RejectionAdmin(HistoryAdmin):
    """Refused requests, the newest first; a bounded number of them for a bounded time."""

    page_template = "admin/deliveries/rejection/page.html"
    list_display = ("reason_shown", "endpoint_shown", "source_shown", "size_shown", "received_shown")
    list_display_links = ("reason_shown",)
    list_filter = (EndpointFilter, ReasonFilter, ("received_at", MomentFilter))
    list_select_related = ("endpoint",)
    never_loaded = ("sealed",)
    list_defer = ("raw_body", "headers", "query_string")
    ordering = ("-received_at",)
    search_fields = ("request_id",)
    search_help_text = "A request id or the rejection's own id, whole."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by id."""
        return search(queryset, search_term, uuids=("pk",), texts=("request_id",)), False

    def get_urls(self) -> list[Any]:
        """Add the download of the raw body."""
        return [
            path("<uuid:pk>/body/", self.admin_site.admin_view(self.rejection_body), name="deliveries_rejection_body"),
            *super().get_urls(),
        ]

    def rejection_body(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Hand out what was kept of the body."""
        row = Rejection.objects.filter(pk=pk).first()
        if not self.has_view_permission(request) or (row and not may_download(request, row)):
            raise PermissionDenied
        if row is None or row.raw_body is None:
            raise Http404
        return attachment(row.body, f"rejection-{pk}.bin")

    def page_context(self, request: HttpRequest, row: Rejection) -> dict[str, Any]:
        """Return the reason in words, the headers and the body."""
        downloadable = row.raw_body is not None and may_download(request, row)
        return {
            "body": display.body(row),
            "body_url": reverse("admin:deliveries_rejection_body", args=[row.pk]) if downloadable else "",
            "headers": sorted(row.headers.items()),
        }

    @admin.display(description="Reason")
    def reason_shown(self, row: Rejection) -> str:
        """Return the reason's code."""
        return row.reason

    @admin.display(description="Endpoint")
    def endpoint_shown(self, row: Rejection) -> str:
        """Return the endpoint's slug."""
        return row.endpoint.slug

    @admin.display(description="Source")
    def source_shown(self, row: Rejection) -> str:
        """Return the sender's address."""
        return row.source or "–"

    @admin.display(description="Body")
    def size_shown(self, row: Rejection) -> str:
        """Return how large the body was."""
        return display.size(row.body_bytes)

    @admin.display(description="Received")
    def received_shown(self, row: Rejection) -> SafeString:
        """Return when it came."""
        return display.moment(row.received_at)
