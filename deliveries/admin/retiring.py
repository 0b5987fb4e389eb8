"""Rows that others' history names: deleting one takes it out of service and removes nothing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries.admin.pages import HubPages


class RetiringAdmin(HubPages):
    """Pages of a model with ``retire()``, for which "delete" means that; a retired row is read-only."""

    removed = "Retired."
    delete_confirmation_template = "admin/deliveries/retire.html"
    delete_selected_confirmation_template = "admin/deliveries/retire_selected.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the row may be changed; a retired one not."""
        return super().has_change_permission(request, obj) and (obj is None or obj.retired_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the row may be retired; it can be once."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.retired_at is None)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask whether it is meant, under the word that all pages have for it."""
        return super().delete_view(request, object_id, {"title": gettext("Retire"), **(extra_context or {})})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return that nothing goes with it: no row is removed."""
        return [str(obj) for obj in objs], {}, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Retire the row."""
        obj.retire(now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Retire the rows."""
        for obj in queryset.filter(retired_at=None):
            obj.retire(now=timezone.now())

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """Say what happened, and go back to the list."""
        messages.success(
            request, gettext("%(obj_display)s is retired; its history stays.") % {"obj_display": obj_display}
        )
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
