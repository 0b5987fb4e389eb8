"""The pages of the audit log: who did what, when, and from where; to be read, by administrators."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from deliveries import audit, display
from deliveries.admin.filters import ChoiceFilter, Choices, EndpointFilter, MomentFilter, WordFilter
from deliveries.admin.history import HistoryAdmin, search
from deliveries.models import Action, AuditEntry

_KINDS: dict[str, str] = {
    Action.MADE: "success",
    Action.CHANGED: "info",
    Action.REMOVED: "warning",
    Action.ORDERED: "info",
    Action.LOGIN_FAILED: "danger",
    Action.TOKEN_REFUSED: "danger",
}


class ActionFilter(ChoiceFilter):
    """By what was done."""

    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every action."""
        return Action.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the entries of the chosen action."""
        value = self.value()
        return queryset.filter(action=value) if value else queryset


class ObjectFilter(ChoiceFilter):
    """By what it was done to."""

    title = gettext_lazy("object")
    parameter_name = "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every kind of object that has a page."""
        kinds = {audit.kind_of(model) for model in admin.site._registry} | {"secret", "restriction"}
        return [(kind, kind.replace("_", " ")) for kind in sorted(kinds - {"auditentry"})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the entries about the chosen kind of object."""
        value = self.value()
        return queryset.filter(object_type=value) if value else queryset


class WhoFilter(WordFilter):
    """By the user's name."""

    title = gettext_lazy("who")
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing: the text is free."""
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the entries of the name that was entered."""
        value = (self.value() or "").strip()
        return queryset.filter(who=value) if value else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(HistoryAdmin):
    """Entries, the newest first."""

    page_template = "admin/deliveries/auditentry/page.html"
    empty_hint = gettext_lazy("Nothing was changed yet.")
    list_display = ("what_shown", "action_shown", "object_column", "who_shown", "from_shown", "at_shown")
    list_display_links = ("what_shown",)
    list_filter = (WhoFilter, ActionFilter, ObjectFilter, EndpointFilter, ("at", MomentFilter))
    list_defer = ("before", "after")
    ordering = ("-at", "-id")
    keyset = "at"
    export_permission = "deliveries.export_auditentry"
    without_index = ("action", "object_type", "endpoint")
    search_fields = ("object_id",)
    search_help_text = gettext_lazy("The id of an object, a request id, or an address; whole.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by id or address."""
        return search(queryset, search_term, uuids=("pk",), texts=("object_id", "request_id", "source")), False

    def page_context(self, request: HttpRequest, row: AuditEntry) -> dict[str, Any]:
        """Return what it was done to, and each field before and after."""
        before, after = row.before or {}, row.after or {}
        names = sorted({*before, *after})
        return {
            "object_shown": _object(row),
            "rows": [
                {"name": name.replace("_", " "), "before": _text(before, name), "after": _text(after, name)}
                for name in names
            ],
        }

    @admin.display(description=gettext_lazy("What"))
    def what_shown(self, row: AuditEntry) -> str:
        """Return the message."""
        return row.message or row.get_action_display()

    @admin.display(description=gettext_lazy("Action"))
    def action_shown(self, row: AuditEntry) -> SafeString:
        """Return the action."""
        return display.label(row.get_action_display(), _KINDS.get(row.action, "neutral"))

    @admin.display(description=gettext_lazy("Object"))
    def object_column(self, row: AuditEntry) -> SafeString | str:
        """Return what it was done to."""
        return _object(row) if row.object_type else "–"

    @admin.display(description=gettext_lazy("Who"))
    def who_shown(self, row: AuditEntry) -> str:
        """Return the user's name."""
        return row.who or "–"

    @admin.display(description=gettext_lazy("From"))
    def from_shown(self, row: AuditEntry) -> str:
        """Return the surface and the address."""
        return f"{row.via} {row.source}".strip()

    @admin.display(description=gettext_lazy("When"))
    def at_shown(self, row: AuditEntry) -> SafeString:
        """Return when."""
        return display.moment(row.at)


def _object(row: AuditEntry) -> SafeString | str:
    """Return the kind and name of the object, as a link where it has a page of its own."""
    text = f"{row.object_type.replace('_', ' ')} {row.object_name or row.object_id}"
    for model in _with_pages():
        if audit.kind_of(model) == row.object_type:
            return display.link(f"{model._meta.app_label}_{model._meta.model_name}_change", row.object_id, text)
    return text


def _with_pages() -> Iterable[Any]:
    token = apps.get_model("knox", "AuthToken")  # its one page is the list
    return (model for model in admin.site._registry if model not in {token, AuditEntry})


def _text(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return ""
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
