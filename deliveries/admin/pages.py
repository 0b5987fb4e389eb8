"""What all pages about rows of ours have in common: whose rows they show, and that each change is on record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Manager, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext
from unfold.admin import checkbox

from deliveries import audit
from deliveries.admin.frame import frame
from deliveries.audit import Action
from deliveries.models import AuditEntry
from deliveries.models.audit import AuditEntryQuerySet
from deliveries.racing import validated_again
from integrations.admin.base import HubAdmin

#: Entries on one page of a row's log.
_ENTRIES = 50


@lru_cache(maxsize=8)
def _box(_language: str | None) -> tuple[SafeString, SafeString]:
    """Return what stands before and after the row's id in the box that ticks it."""
    before, _, after = checkbox.render(ACTION_CHECKBOX_NAME, "ROW").partition("ROW")
    return mark_safe(before), mark_safe(after)  # noqa: S308 - drawn by Django just now


class HubPages(HubAdmin):
    """Pages of a model whose rows belong to endpoints, unless ``of_endpoints`` says otherwise."""

    #: Whether the rows are seen by those only who may see their endpoint, through the model's ``visible_to``.
    of_endpoints: ClassVar[bool] = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the user may see: what is not among them is in no list, on no page, and in no order."""
        rows: Any = super().get_queryset(request)
        visible: QuerySet[Any] = rows.visible_to(request.user) if self.of_endpoints else rows
        return visible

    @admin.display(description=HubAdmin.action_checkbox.short_description)  # type: ignore[attr-defined]
    def action_checkbox(self, obj: Model) -> SafeString:
        """Return the box that ticks a row: Unfold's, drawn once and not for each row of a page."""
        before, after = _box(get_language())
        return format_html("{}{}{}", before, obj.pk, after)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list under the name of what is in it; Django's own title says "Select event to view"."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show the form, or save it; of two that take one name at once the second is shown again, and says why."""
        return validated_again(super().changeform_view, request, *args, **kwargs)

    # -- the audit log ------------------------------------------------------------------------------------------------
    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row; before a form changes it, remember how it was."""
        row = super().get_object(request, object_id, from_field)
        if row is not None and request.method == "POST":
            request.row_before = audit.snapshot(row)  # type: ignore[attr-defined]
        return row

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note that the row was made, with all of it."""
        change = audit.difference(obj, None, audit.snapshot(obj))
        audit.record(Action.MADE, obj, by=request.user, message=_in_words(message), change=change)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note that the row was changed, with the differences."""
        before = getattr(request, "row_before", None)
        change = audit.difference(obj, before, audit.snapshot(obj)) if before is not None else (None, None)
        audit.record(Action.CHANGED, obj, by=request.user, message=_in_words(message), change=change)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        """Note that the rows are removed, with all that they were."""
        for row in queryset:
            change = audit.difference(row, audit.snapshot(row), None)
            audit.record(Action.REMOVED, row, by=request.user, message=self.removed, change=change)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out an action on ticked rows; what deletes them is one transaction with the notes of it."""
        if "delete_selected" not in request.POST.getlist("action"):
            return super().response_action(request, queryset, *args, **kwargs)
        with transaction.atomic():
            return super().response_action(request, queryset, *args, **kwargs)

    #: What becomes of a row that is deleted.
    removed: ClassVar[str] = "Removed."

    def log_order(self, request: HttpRequest, row: Model, message: str) -> None:
        """Note an order about the row."""
        audit.record(Action.ORDERED, row, by=request.user, message=message)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the rows that stand on the page of another; note each that was made, changed or ended."""
        super().save_formset(request, form, formset, change)
        for row in formset.new_objects:
            after = audit.difference(row, None, audit.snapshot(row))
            audit.record(Action.MADE, row, by=request.user, message="Added.", change=after)
        for row, names in formset.changed_objects:
            before = _initial(formset, row, names)
            after = audit.difference(row, before, audit.snapshot(row))
            audit.record(Action.CHANGED, row, by=request.user, message="Changed.", change=after)
        for row in formset.deleted_objects:
            gone = audit.difference(row, audit.snapshot(row), None)
            audit.record(Action.REMOVED, row, by=request.user, message="Ended.", change=gone)

    def entries(self, request: HttpRequest) -> AuditEntryQuerySet:
        """Return the entries of the log among which those about a row are shown on its page."""
        return AuditEntry.objects.visible_to(request.user)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the row's part of the audit log, the latest entry first; addresses only to who may read all of it."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        entries = self.entries(request).about(audit.kind_of(row), row.pk)
        return TemplateResponse(
            request,
            "admin/deliveries/history.html",
            {
                **frame(self, request, gettext("Log"), row=row),
                "page": Paginator(entries.order_by("-at", "-pk"), _ENTRIES).get_page(request.GET.get("p")),
                "may_see_sources": request.user.has_perm("deliveries.view_auditentry"),
                **(extra_context or {}),
            },
        )


def _in_words(message: Any) -> str:
    # Django hands over a list of what changed, and has the words for it here alone.
    text = message if isinstance(message, str) else json.dumps(message)
    return LogEntry(change_message=text).get_change_message()


def _initial(formset: Any, row: Model, names: Iterable[str]) -> Mapping[str, Any]:
    form = next(form for form in formset.forms if form.instance.pk == row.pk)
    return {name: _as_snapshot(form.initial.get(name)) for name in names}


def _as_snapshot(value: Any) -> Any:
    is_many = isinstance(value, list) and bool(value) and isinstance(value[0], Model)
    return sorted(map(str, value)) if is_many or isinstance(value, Manager) else value
