"""Pages of what happened: lists without a COUNT, one page a row, nothing to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext

from deliveries import display, saved_views
from deliveries.admin import exports, views
from deliveries.admin.keyset import LOOKED_THROUGH, KeysetChangeList, SafeChangeList
from deliveries.admin.list_tools import list_tools
from deliveries.admin.pages import HubPages
from deliveries.admin.quiet_pages import InfinitePaginator

__all__ = ["HistoryAdmin", "SafeChangeList", "same", "search"]


class HistoryAdmin(HubPages):
    """Facts: to be read by those who may view them. Rows go by retention only.

    A subclass names the template of a row's page in ``page_template`` and fills it in `page_context`.
    """

    page_template: ClassVar[str] = ""
    #: Columns that no page needs: large ones, and sealed ones, which a lost key would turn into an error.
    never_loaded: ClassVar[tuple[str, ...]] = ()
    #: Large columns that a list does without.
    list_defer: ClassVar[tuple[str, ...]] = ()
    #: The moment that a list of a large table is ordered by, the newest first; "" is for a small one.
    keyset: ClassVar[str] = ""
    #: What it takes to write the list of a large table into a file.
    export_permission: ClassVar[str] = exports.PERMISSION
    #: Parameters of filters that no index serves.
    without_index: ClassVar[tuple[str, ...]] = ()
    #: Rows that such a filter looks through for one page; fewer where each takes a look at another table.
    looked_through: ClassVar[int] = LOOKED_THROUGH
    show_facets = ShowFacets.NEVER  # each would count the whole table
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    list_disable_select_all = True
    sortable_by = ()  # the tables are large, and only the order of arrival has an index
    actions: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows with what their pages name, and without what none shows."""
        rows = super().get_queryset(request)
        if self.list_select_related:
            rows = rows.select_related(*cast(Sequence[str], self.list_select_related))
        return rows.defer(*self.never_loaded)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return KeysetChangeList if self.keyset else SafeChangeList

    def checked(self, params: Mapping[str, Any]) -> Callable[[Sequence[UUID]], Iterator[UUID]] | None:
        """Return what leaves, of ids of rows, those that a filter means which the database alone cannot tell; or None.

        Such a filter is one ``without_index``.
        """
        return None

    def get_urls(self) -> list[Any]:
        """Add the addresses that export a large table's list, and keep views of it."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        if not self.keyset:
            return super().get_urls()
        export = path("export/", self.admin_site.admin_view(self.export), name=name)
        kept = views.urls(self) if saved_views.is_kept(self.opts.model_name or "") else []
        return [export, *kept, *super().get_urls()]

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the list's filters under a name."""
        return views.refuse_get(request) or views.save(self, request)

    def forget_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Remove what was kept."""
        return views.refuse_get(request) or views.forget(self, request, pk)

    def export(self, request: HttpRequest) -> Any:
        """Write what the list's filters match into a file."""
        return exports.export(self, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list, with what can be done about all of it."""
        return super().changelist_view(request, {**list_tools(self, request), **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return False: facts come from outside."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: history is never rewritten."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: retention removes whole rows by age."""
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one row."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.page_template:
            raise Http404
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            messages.warning(
                request,
                gettext("There is no such %(verbose_name)s any more.") % {"verbose_name": self.opts.verbose_name},
            )
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        return self.row_page(request, row, extra_context)

    def row_page(self, request: HttpRequest, row: Any, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Return the page of one row; who may see it has been checked."""
        return TemplateResponse(
            request,
            self.page_template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "original": row,
                "title": str(self.opts.verbose_name).capitalize(),
                "subtitle": str(display.title(row)),
                **self.page_context(request, row),
                **(extra_context or {}),
            },
        )

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of ``row`` shows besides the row itself."""
        raise NotImplementedError


def same(term: str, *, uuids: tuple[str, ...], texts: tuple[str, ...]) -> Q:
    """Return the condition that ``term`` is exactly the value of one of the columns.

    A text that is no UUID asks no UUID column. Hence any text can be searched for.
    """
    found = Q()
    for name in texts:
        found |= Q(**{name: term})
    try:
        identifier = UUID(term)
    except ValueError:
        return found
    for name in uuids:
        found |= Q(**{name: identifier})
    return found


def search(rows: QuerySet[Model], term: str, *, uuids: tuple[str, ...], texts: tuple[str, ...]) -> QuerySet[Model]:
    """Return those of ``rows`` that carry ``term`` as one of their ids; all of them for an empty one."""
    term = term.strip()
    return rows.filter(same(term, uuids=uuids, texts=texts)) if term else rows
