"""The pages of connections: outside systems that handlers call, and how they do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import display
from deliveries.admin.history import SafeChangeList
from deliveries.admin.retiring import RetiringAdmin
from deliveries.callers import backfills_by, callers_of
from integrations.admin.connections import CREDENTIALS, ConnectionForm
from integrations.calling.callers import routes_that_call
from integrations.calling.trying import try_connection
from integrations.connectors.proofs import PROXY_CREDENTIALS
from integrations.models import Circuit, Connection, ConnectionHealth, ConnectionState

MAY_TEST = "integrations.test_connection"
_CREDENTIAL_FIELDS = tuple(f"credential_{name}" for name in CREDENTIALS)
_OF_THE_PROXY = tuple(f"credential_{name}" for name in PROXY_CREDENTIALS)
_OF_THE_PROOF = tuple(name for name in _CREDENTIAL_FIELDS if name not in _OF_THE_PROXY)


@admin.register(Connection)
class ConnectionAdmin(RetiringAdmin):
    """Connections by name."""

    form = ConnectionForm
    change_form_template = "admin/integrations/connection/change_form.html"
    empty_hint = gettext_lazy("A connection has the address and the credentials of a system that handlers call.")
    list_display = ("name", "base_url", "kind", "group_shown", "state_shown")
    list_select_related = ("group", "health")
    list_filter = ("kind", "state")
    list_per_page = 50
    search_fields = ("name", "base_url")
    ordering = ("name",)
    actions: Any = None
    fieldsets = (
        (None, {"fields": (("name", "kind"), "description", "group", "base_url", "test_path")}),
        (gettext_lazy("Proof"), {"fields": ("auth", "auth_settings", *_OF_THE_PROOF)}),
        (
            gettext_lazy("Limits"),
            {"fields": (("rate_per_second", "burst"), ("breaker_failures", "breaker_seconds"), "state")},
        ),
        (
            gettext_lazy("Calls"),
            {
                "fields": (
                    ("connect_timeout_seconds", "read_timeout_seconds", "timeout_seconds"),
                    ("retry", "headers"),
                    ("idempotency_header", "kept_response_bytes"),
                    "follow_redirects",
                )
            },
        ),
        (gettext_lazy("Reach"), {"fields": ("egress_is_named", "egress", "proxy", *_OF_THE_PROXY)}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the connections in service."""
        return super().get_queryset(request).filter(retired_at=None)

    def get_form(self, request: HttpRequest, obj: Connection | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form, which knows who fills it in."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.user = request.user  # a class made for this request
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        """Return the fields; credentials are none of a page that only shows."""
        found = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return found
        hidden = {*_CREDENTIAL_FIELDS, "egress_is_named"}
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in found
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        """Return what cannot be changed: routes and handlers know a connection by its name."""
        return ("name",) if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the groups that the user may see."""
        if db_field.name == "group":
            kwargs["queryset"] = ConnectionForm.groups_for(request.user)  # type: ignore[arg-type]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add how it does, what calls it, and the button that tries it."""
        row = context.get("original")
        context["show_delete"] = False  # the page has its own button, which says what happens
        if row is not None:
            callers = [
                route
                for route in routes_that_call(row.name)
                if request.user.is_superuser
                or type(route).objects.visible_to(request.user).filter(pk=route.pk).exists()
            ]
            context["callers"] = callers
            context["backfills"] = [
                backfill
                for backfill in backfills_by(row)
                if type(backfill).objects.visible_to(request.user).filter(pk=backfill.pk).exists()
            ]
            context["is_called"] = bool(callers_of(row))
            context["may_retire"] = self.has_delete_permission(request, row)
            context["may_test"] = request.user.has_perm(MAY_TEST)
            context["health"] = ConnectionHealth.objects.filter(pk=row.pk).first() or ConnectionHealth(connection=row)
            context["state_label"] = self.state_shown(row)
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Connection) -> None:
        """Retire the row; refused while anything calls it."""
        if callers_of(obj):
            raise PermissionDenied("Routes or backfills call it; change them first.")
        super().delete_model(request, obj)

    def get_urls(self) -> list[Any]:
        """Add the address of the button."""
        view = self.admin_site.admin_view
        return [path("<uuid:pk>/test/", view(self.test), name="integrations_connection_test"), *super().get_urls()]

    def test(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Call the connection once, and say what came of it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(MAY_TEST):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        self.log_order(request, row, "Tested.")
        trial = try_connection(row)
        text = f"{trial.text}."
        if trial.milliseconds is not None:
            text = gettext("%(result)s in %(time)s ms.") % {"result": trial.text, "time": trial.milliseconds}
        (messages.success if trial.is_well else messages.error)(request, text)
        return HttpResponseRedirect(reverse("admin:integrations_connection_change", args=[pk]))

    @admin.display(description=gettext_lazy("Group"), ordering="group__name")
    def group_shown(self, row: Connection) -> str:
        """Return the group's name."""
        return row.group.name if row.group else "–"

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Connection) -> SafeString:
        """Return whether calls are made."""
        if row.state == ConnectionState.PAUSED:
            return display.label(gettext("paused"), "warning")
        health: ConnectionHealth | None = getattr(row, "health", None)
        if health is None:
            return display.label(gettext("not called yet"))
        circuit = health.circuit(timezone.now())
        if circuit is Circuit.CLOSED:
            return display.label(gettext("well"), "success")
        return display.label(
            gettext("circuit open") if circuit is Circuit.OPEN else gettext("being tried again"), "danger"
        )
