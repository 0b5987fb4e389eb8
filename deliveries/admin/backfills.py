"""The pages of backfills: how a provider is asked what it sent, how often, and what came of it."""

from __future__ import annotations

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
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import backfilling, display
from deliveries.admin.history import SafeChangeList
from deliveries.admin.pages import HubPages
from deliveries.models import Backfill, BackfillRun
from integrations.admin.fields import JsonObjectField
from integrations.history import histories
from integrations.models import Connection, Endpoint

if TYPE_CHECKING:
    _Form = forms.ModelForm[Backfill]
else:
    _Form = forms.ModelForm

PERMISSION = "deliveries.order_backfill"
_SHOWN_RUNS = 20


class BackfillForm(_Form):
    """How to ask."""

    source = JsonObjectField(label=gettext_lazy("What to ask about"))

    class Meta:
        model = Backfill
        fields = ("endpoint", "connection", "source", "interval_minutes", "lookback_minutes")
        labels = {
            "interval_minutes": gettext_lazy("Ask every so many minutes"),
            "lookback_minutes": gettext_lazy("Look back, in minutes"),
        }


@admin.register(Backfill)
class BackfillAdmin(HubPages):
    """Backfills by endpoint."""

    form = BackfillForm
    change_form_template = "admin/deliveries/backfill/change_form.html"
    empty_hint = gettext_lazy("A backfill asks a provider for the events that never arrived.")
    list_display = ("endpoint_shown", "schedule_shown", "last_shown", "next_shown")
    list_display_links = ("endpoint_shown",)
    list_select_related = ("endpoint", "connection")
    list_per_page = 50
    search_fields = ("endpoint__slug",)
    ordering = ("endpoint__slug",)
    actions: Any = None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def get_readonly_fields(self, request: HttpRequest, obj: Backfill | None = None) -> Any:
        """Return what cannot be changed: what is asked about belongs to the endpoint's provider."""
        return ("endpoint",) if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer what is in service and the user may see: endpoints whose provider can be asked, and connections."""
        if db_field.name == "endpoint":
            live = Endpoint.objects.live().visible_to(request.user).filter(provider__in=list(histories))
            kwargs["queryset"] = live.order_by("slug")
        elif db_field.name == "connection":
            kwargs["queryset"] = Connection.objects.live().visible_to(request.user).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Backfill, form: Any, change: bool) -> None:
        """Save; a schedule that is new or changed begins now."""
        if not change or "interval_minutes" in form.changed_data:
            obj.begin(timezone.now())
        super().save_model(request, obj, form, change)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the button of an existing backfill, and its runs."""
        row = context.get("original")
        if row is not None:
            context["may_order"] = request.user.has_perm(PERMISSION)
            context["runs"] = list(row.runs.order_by("-pk")[:_SHOWN_RUNS])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        """Add the address of the button."""
        view = self.admin_site.admin_view
        return [path("<uuid:pk>/order/", view(self.order), name="deliveries_backfill_order"), *super().get_urls()]

    def order(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Order a run."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            backfilling.order(row, by=cast(User, request.user))
            messages.success(request, gettext("Ordered: a worker asks the provider within seconds."))
        except backfilling.NotOrdered as exc:
            messages.warning(request, str(exc))
        return HttpResponseRedirect(reverse("admin:deliveries_backfill_change", args=[pk]))

    @admin.display(description=gettext_lazy("Endpoint"), ordering="endpoint__slug")
    def endpoint_shown(self, row: Backfill) -> str:
        """Return the endpoint's slug."""
        return row.endpoint.slug

    @admin.display(description=gettext_lazy("Schedule"))
    def schedule_shown(self, row: Backfill) -> str:
        """Return how often the provider is asked."""
        return (
            gettext("when ordered")
            if row.interval_minutes is None
            else gettext("every %(interval_minutes)s minutes") % {"interval_minutes": row.interval_minutes}
        )

    @admin.display(description=gettext_lazy("Last run"))
    def last_shown(self, row: Backfill) -> str:
        """Return what came of the last run."""
        run: BackfillRun | None = row.runs.order_by("-pk").first()
        return str(run) if run else gettext("none")

    @admin.display(description=gettext_lazy("Next"))
    def next_shown(self, row: Backfill) -> SafeString:
        """Return when the provider is asked next."""
        return display.moment(row.next_at)


def address_of(request: HttpRequest, endpoint: Endpoint) -> str:
    """Return where the backfill of ``endpoint`` is, or can be set up by who may; "" if neither."""
    if endpoint.retired_at is not None or endpoint.provider not in histories:
        return ""
    row = Backfill.objects.filter(endpoint=endpoint).first()
    if row is not None and request.user.has_perm("deliveries.view_backfill"):
        return reverse("admin:deliveries_backfill_change", args=[row.pk])
    if row is None and request.user.has_perm("deliveries.add_backfill"):
        return f"{reverse('admin:deliveries_backfill_add')}?endpoint={endpoint.pk}"
    return ""
