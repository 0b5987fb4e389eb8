"""What stands on an endpoint's page: its secrets and its routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy
from unfold.forms import PaginationInlineFormSet

from integrations.admin.base import HubStackedInline, HubTabularInline
from integrations.admin.forms import RouteForm, SecretForm
from integrations.admin.moments import shown_moment
from integrations.models import Endpoint, Route, Secret

ROUTE_FIELDSETS: Any = (
    (None, {"fields": ("name", ("events", "filter"), "handler", ("config", "retry"))}),
    (None, {"fields": (("timeout_seconds", "priority"), "concurrency", ("ordering_key", "ordering_failure"))}),
    (None, {"fields": (("enabled", "paused"),)}),
)


class SecretFormSet(PaginationInlineFormSet):  # type: ignore[misc]
    """Secrets are ended, not deleted: which one a provider last used stays to be seen."""

    def delete_existing(self, obj: Secret, commit: bool = True) -> None:
        """End the secret now."""
        if obj.expires_at is None or obj.expires_at > timezone.now():
            obj.expires_at = timezone.now()
            obj.save(update_fields=["expires_at"])


class SecretInline(HubTabularInline):
    """Secrets: a new one is written once, an old one shows when it was made, last used, and when it ends."""

    model = Secret
    form = SecretForm
    formset = SecretFormSet
    extra = 0
    verbose_name = "secret"
    readonly_fields = ("state", "created", "last_used")
    template_before = "admin/integrations/endpoint/secret_help.html"
    hide_title = True

    def get_formset(self, request: HttpRequest, obj: Endpoint | None = None, **kwargs: Any) -> Any:
        """Return the forms, which know who fills them in."""
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.user = request.user  # a class made for this request
        return formset

    def get_queryset(self, request: HttpRequest) -> QuerySet[Secret]:
        """Return the secrets without their values: nothing on the page needs them."""
        return super().get_queryset(request).defer("value", "signing_key").order_by("-created_at", "-id")

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """Return the columns; the value is a field for writing, and no column for those who only read."""
        if may_write_secrets(request, obj):
            return ("label", "value", "expires_at", "state", "created", "last_used")
        return ("label", "expires", "state", "created", "last_used")

    def get_readonly_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """Return the columns that are never written."""
        shown = ("state", "created", "last_used")
        return shown if may_write_secrets(request, obj) else ("expires", *shown)

    def has_add_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        """Return whether secrets may be added; without the right to change them there is no field to write to."""
        return may_write_secrets(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        """Return whether secrets may be changed."""
        return may_write_secrets(request, obj)

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Secret) -> SafeString | str:
        """Return whether it counts."""
        if row._state.adding:
            return gettext("new")
        now = timezone.now()
        if row.expires_at is not None and row.expires_at <= now:
            return _label("neutral", gettext("ended"))
        live = row.endpoint.secrets.live(now).defer("value", "signing_key")
        if row.safe_to_retire(live, now=now):
            return format_html("{} {}", _label("success", gettext("live")), _label("info", gettext("safe to retire")))
        return _label("success", gettext("live"))

    @admin.display(description=gettext_lazy("Expires"))
    def expires(self, row: Secret) -> SafeString:
        """Return when it ends."""
        return _minute(row.expires_at)

    @admin.display(description=gettext_lazy("Created"))
    def created(self, row: Secret) -> SafeString:
        """Return when it was entered."""
        return _minute(None if row._state.adding else row.created_at)

    @admin.display(description=gettext_lazy("Last used"))
    def last_used(self, row: Secret) -> SafeString:
        """Return when a request was last proven with it."""
        return _minute(row.last_used_at)


def may_write_secrets(request: HttpRequest, endpoint: Endpoint | None) -> bool:
    """Return whether the user may add and end secrets of ``endpoint``."""
    needed = ("integrations.add_secret", "integrations.change_secret", "integrations.change_endpoint")
    return request.user.has_perms(needed) and (endpoint is None or endpoint.retired_at is None)


def _label(kind: str, text: str) -> SafeString:
    return format_html('<span class="hub-label hub-{}">{}</span>', kind, text)


def _minute(moment: datetime | None) -> SafeString:
    return shown_moment(moment, "%Y-%m-%d %H:%M")


class RouteInline(HubStackedInline):
    """Live routes; one is retired on its own page."""

    model = Route
    form = RouteForm
    extra = 0
    can_delete = False
    show_change_link = True
    collapsible = True
    fieldsets = ROUTE_FIELDSETS

    def get_formset(self, request: HttpRequest, obj: Endpoint | None = None, **kwargs: Any) -> Any:
        """Return the forms, which know who fills them in."""
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.user = request.user  # a class made for this request
        return formset

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        """Return the routes that are in service."""
        return super().get_queryset(request).filter(retired_at=None).order_by("created_at", "id")
