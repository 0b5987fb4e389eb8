"""The pages of schedules: events that the hub makes when their time has come."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import display
from deliveries.admin.history import SafeChangeList
from deliveries.admin.pages import HubPages
from deliveries.models import Event, Schedule
from deliveries.models.schedule import RULE_FIELDS
from deliveries.schedules import firing
from integrations.admin.fields import JsonObjectField
from integrations.models import Endpoint

if TYPE_CHECKING:
    _Form = forms.ModelForm[Schedule]
else:
    _Form = forms.ModelForm

PERMISSION = "deliveries.run_schedule"
_NEXT_RUNS = 5
_SHOWN_EVENTS = 10


class ScheduleForm(_Form):
    """When, where and what."""

    payload = JsonObjectField(rows=6, help_text=gettext_lazy("The events' payload, as JSON; empty: {}."))

    class Meta:
        model = Schedule
        fields = (
            *("name", "endpoint", "event_type", "payload", "cron", "time_zone", "interval_seconds", "at"),
            *("starts_at", "ends_at", "missed", "enabled"),
        )


@admin.register(Schedule)
class ScheduleAdmin(HubPages):
    """Schedules by name."""

    form = ScheduleForm
    change_form_template = "admin/deliveries/schedule/change_form.html"
    empty_hint = gettext_lazy("A schedule makes events at set times.")
    list_display = ("name", "endpoint_shown", "rule_shown", "next_shown", "last_shown")
    list_select_related = ("endpoint",)
    list_filter = ("enabled",)
    list_per_page = 50
    search_fields = ("name", "endpoint__slug")
    ordering = ("name",)
    actions: Any = None
    fieldsets = (
        (None, {"fields": ("name", ("endpoint", "event_type"), "payload")}),
        # A date with its time is too wide for half a line.
        (gettext_lazy("When"), {"fields": (("cron", "time_zone"), "interval_seconds", "at", "starts_at", "ends_at")}),
        (None, {"fields": (("missed", "enabled"),)}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the endpoints of the provider internal that are in service and that the user may see."""
        if db_field.name == "endpoint":
            live = Endpoint.objects.live().visible_to(request.user).filter(provider="internal")
            kwargs["queryset"] = live.order_by("slug")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        """Save; another rule has another next tick."""
        if not change or RULE_FIELDS & set(form.changed_data):
            obj.plan(now=timezone.now())
        super().save_model(request, obj, form, change)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the next runs, the latest events, and the button."""
        row: Schedule | None = context.get("original")
        if row is not None:
            context["may_run"] = request.user.has_perm(PERMISSION)
            ticks = islice(row.rule.ticks(timezone.now()), _NEXT_RUNS) if row.enabled else ()
            context["next_runs"] = [(tick, f"{row.local(tick):%a %H:%M} {row.time_zone}") for tick in ticks]
            context["events"] = self._events(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _events(self, request: HttpRequest, row: Schedule) -> list[Event]:
        if not request.user.has_perm("deliveries.view_event"):
            return []
        made = Event.objects.filter(endpoint=row.endpoint_id, event_id__startswith=f"{row.name}@")
        light = made.defer("raw_body", "sealed", "headers")
        return list(light.order_by("-received_at", "-id")[:_SHOWN_EVENTS])

    def get_urls(self) -> list[Any]:
        """Add the address of the button."""
        view = self.admin_site.admin_view
        return [path("<uuid:pk>/run/", view(self.run), name="deliveries_schedule_run"), *super().get_urls()]

    def run(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Make an event now."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request).select_related("endpoint"), pk=pk)
        try:
            event = firing.run_now(row, by=cast(User, request.user), now=timezone.now())
        except firing.NotRun as exc:
            messages.warning(request, str(exc))
        else:
            link = display.link("deliveries_event_change", event.pk, gettext("the event"))
            messages.success(request, format_html(gettext("Run now: {} is made."), link))
        return HttpResponseRedirect(reverse("admin:deliveries_schedule_change", args=[pk]))

    @admin.display(description=gettext_lazy("Endpoint"), ordering="endpoint__slug")
    def endpoint_shown(self, row: Schedule) -> str:
        """Return the endpoint's slug."""
        return row.endpoint.slug

    @admin.display(description=gettext_lazy("When"))
    def rule_shown(self, row: Schedule) -> str:
        """Return when its time comes, in words."""
        return row.in_words

    @admin.display(description=gettext_lazy("Next"), ordering="next_at")
    def next_shown(self, row: Schedule) -> SafeString:
        """Return the next tick."""
        return display.moment(row.next_at) if row.enabled else display.label(gettext("off"))

    @admin.display(description=gettext_lazy("Last"), ordering="last_at")
    def last_shown(self, row: Schedule) -> SafeString:
        """Return the last tick that made an event."""
        return display.moment(row.last_at)
