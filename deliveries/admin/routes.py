"""The pages of routes: which events go to which handler."""

from __future__ import annotations

from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import audit, display, hold
from deliveries.admin import orders
from deliveries.admin.dry_runs import show_dry_run
from deliveries.admin.endpoints import ServiceFilter
from deliveries.admin.filters import EndpointFilter
from deliveries.admin.history import SafeChangeList
from deliveries.admin.retiring import RetiringAdmin
from deliveries.admin.route_previews import may_fill_in, may_preview, preview_route, show_config
from deliveries.admin.trying import back_to
from deliveries.models import Release
from integrations.admin.route_form import RoutePageForm
from integrations.models import Endpoint, Route


@admin.register(Route)
class RouteAdmin(RetiringAdmin):
    """Routes by endpoint."""

    form = RoutePageForm
    change_form_template = "admin/integrations/route/change_form.html"
    empty_hint = gettext_lazy("Without a route events are stored, and nothing is done with them.")
    list_display = ("name", "endpoint_shown", "handler", "events_shown", "state_shown")
    list_filter = (EndpointFilter, "handler", "enabled", "paused", ServiceFilter)
    list_filter_submit = True
    list_select_related = ("endpoint",)
    list_per_page = 50
    search_fields = ("name", "handler")
    ordering = ("endpoint__slug", "name")
    fieldsets = (
        (None, {"fields": ("endpoint", "name", ("events", "filter"), "handler", "config")}),
        (None, {"fields": (("timeout_seconds", "priority"), "concurrency", "retry")}),
        (None, {"fields": (("ordering_key", "ordering_failure"), ("enabled", "paused"))}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def get_form(self, request: HttpRequest, obj: Route | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form, which knows who fills it in."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.user = request.user  # a class made for this request
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Route | None = None) -> Any:
        """Return what cannot be changed: a route's deliveries belong to its endpoint."""
        return ("endpoint",) if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the endpoints in service that the user may see."""
        if db_field.name == "endpoint":
            kwargs["queryset"] = Endpoint.objects.live().visible_to(request.user).order_by("slug")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the buttons of an existing route."""
        row = context.get("original")
        context["show_delete"] = False  # the page has its own button, which says what happens
        context["may_retire"] = row is not None and self.has_delete_permission(request, row)
        context["may_hold"] = row and row.retired_at is None and request.user.has_perm(orders.PERMISSION)
        context["may_preview"] = may_preview(request)
        context["may_fill_in"] = may_fill_in(request)
        context["may_dry_run"] = row and row.retired_at is None and may_preview(request) and may_fill_in(request)
        context["release"] = Release.objects.running().filter(route=row).first() if row else None
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Route, form: Any, change: bool) -> None:
        """Save; pausing and resuming take the deliveries along."""
        super().save_model(request, obj, form, change)
        if change and "paused" in form.changed_data:
            verb = hold.pause_route if obj.paused else hold.resume_route
            verb(obj, by=cast(User, request.user))

    def get_urls(self) -> list[Any]:
        """Add the addresses of the buttons."""
        view = self.admin_site.admin_view
        return [
            path("preview/", view(preview_route), name="integrations_route_preview"),
            path("config/", view(show_config), name="integrations_route_config"),
            path("<uuid:pk>/dry-run/", view(self.dry_run), name="integrations_route_dry_run"),
            path("<uuid:pk>/order/pause/", view(self.pause), name="integrations_route_pause"),
            path("<uuid:pk>/order/resume/", view(self.resume), name="integrations_route_resume"),
            path("<uuid:pk>/order/on/", view(self.switch_on), name="integrations_route_on"),
            path("<uuid:pk>/order/off/", view(self.switch_off), name="integrations_route_off"),
            *super().get_urls(),
        ]

    def dry_run(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show what the route would do with past events."""
        return show_dry_run(self, request, pk)

    def switch_on(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let the route make deliveries."""
        return self._switch(request, pk, enabled=True)

    def switch_off(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let the route make none; those that it has made stay as they are."""
        return self._switch(request, pk, enabled=False)

    def _switch(self, request: HttpRequest, pk: UUID, *, enabled: bool) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("integrations.change_route"):
            raise PermissionDenied
        row = get_object_or_404(Route.objects.live().visible_to(request.user), pk=pk)
        if row.enabled != enabled:
            before = audit.snapshot(row)
            with transaction.atomic():
                row.enabled = enabled
                row.save(update_fields=["enabled", "updated_at"])
                change = audit.difference(row, before, audit.snapshot(row))
                words = f"Switched {'on' if enabled else 'off'}."
                audit.record(audit.Action.CHANGED, row, by=request.user, message=words, change=change)
            text = (
                gettext("The route “%(route)s” is on: what comes from now on is delivered by it.")
                if enabled
                else gettext(
                    "The route “%(route)s” is off: what comes is stored, and not delivered by it. What it has made "
                    "still runs."
                )
            )
            messages.success(request, text % {"route": row})
        return back_to(request, row.endpoint_id)

    def pause(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Hold the route's deliveries."""
        return self._hold(request, pk, paused=True)

    def resume(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let the route's deliveries go."""
        return self._hold(request, pk, paused=False)

    def _hold(self, request: HttpRequest, pk: UUID, *, paused: bool) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(orders.PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(Route.objects.live().visible_to(request.user), pk=pk)
        if paused:
            moved = hold.pause_route(row, by=cast(User, request.user))
            messages.success(
                request, gettext("Paused: deliveries are made and wait (%(moved)s held).") % {"moved": moved}
            )
        else:
            orders.resume(request, partial(hold.resume_route, row))
        return HttpResponseRedirect(reverse("admin:integrations_route_change", args=[pk]))

    @admin.display(description=gettext_lazy("Endpoint"), ordering="endpoint__slug")
    def endpoint_shown(self, row: Route) -> SafeString:
        """Return a link to the endpoint."""
        return display.link("integrations_endpoint_change", row.endpoint_id, row.endpoint.slug)

    @admin.display(description=gettext_lazy("Event types"))
    def events_shown(self, row: Route) -> str:
        """Return the globs, or a word for their absence."""
        return ", ".join(map(str, row.events)) or gettext("all")

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Route) -> SafeString:
        """Return whether it makes deliveries, and whether they run."""
        if row.retired_at:
            return display.label(gettext("retired"))
        if not row.enabled:
            return display.label(gettext("off"))
        return display.label(gettext("paused"), "warning") if row.paused else display.label(gettext("on"), "success")
