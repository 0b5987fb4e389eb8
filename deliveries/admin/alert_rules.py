"""The pages of alert rules: when people are told, and through which channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import display
from deliveries.admin import alert_channels
from deliveries.admin.history import SafeChangeList
from deliveries.admin.pages import HubPages
from deliveries.alerts import telling
from deliveries.alerts.channels import hub_alerts
from deliveries.alerts.guard import guard_rule
from deliveries.models import Alert, AlertRule, AlertState
from deliveries.receiving.own_events import NotMade
from integrations.models import Endpoint, Route

if TYPE_CHECKING:
    _Form = forms.ModelForm[AlertRule]
else:
    _Form = forms.ModelForm

PERMISSION = "deliveries.test_alertrule"
_LATEST = 10


class AlertRuleForm(_Form):
    """What, where, from how much on, and when nobody is to be told. Whose form it is, is `user`."""

    user: User

    class Meta:
        model = AlertRule
        fields = (
            *("name", "kind", "endpoint", "route", "threshold", "capacity", "window_seconds", "for_seconds"),
            *("remind_hours", "quiet_times", "time_zone", "enabled"),
        )
        labels = {
            "window_seconds": gettext_lazy("Looks back, in seconds"),
            "for_seconds": gettext_lazy("Has to last, in seconds"),
            "remind_hours": gettext_lazy("Reminds after hours"),
        }
        widgets = {"quiet_times": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        try:
            guard_rule(self.user, self.instance)
        except ValidationError as exc:
            self.add_error(None, exc)


@admin.register(AlertRule)
class AlertRuleAdmin(HubPages):
    """Rules by name."""

    form = AlertRuleForm
    change_form_template = "admin/deliveries/alertrule/change_form.html"
    list_before_template = "admin/deliveries/alertrule/channels.html"
    empty_hint = gettext_lazy("Without a rule nobody is told of what goes wrong.")
    list_display = ("name", "state_shown", "kind", "scope_shown", "limit_shown")
    list_select_related = ("endpoint", "route")
    list_filter = ("enabled", "kind")
    list_per_page = 50
    search_fields = ("name", "endpoint__slug")
    ordering = ("name",)
    actions: Any = None
    fieldsets = (
        (None, {"fields": ("name", "kind", ("endpoint", "route"))}),
        (gettext_lazy("From how much on"), {"fields": (("threshold", "capacity"), ("window_seconds", "for_seconds"))}),
        (gettext_lazy("When people are told"), {"fields": ("remind_hours", "quiet_times", "time_zone", "enabled")}),
    )

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the form, which knows who fills it in."""
        form: Any = super().get_form(request, *args, **kwargs)
        form.user = request.user  # a class made for this request
        return form

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rules with how many alerts of each are open."""
        rows = super().get_queryset(request)
        firing = Count("alerts", filter=Q(alerts__state=AlertState.FIRING))
        return rows.annotate(firing=firing, pending=Count("alerts", filter=Q(alerts__state=AlertState.PENDING)))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list with the channels above it."""
        return super().changelist_view(request, {**_channels(request), **(extra_context or {})})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the endpoints and routes in service that the user may see."""
        if db_field.name == "endpoint":
            kwargs["queryset"] = Endpoint.objects.live().visible_to(request.user).order_by("slug")
        if db_field.name == "route":
            kwargs["queryset"] = Route.objects.live().visible_to(request.user).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add what the rule's kind means, its latest alerts, and the button."""
        row: AlertRule | None = context.get("original")
        if row is not None:
            context["may_test"] = request.user.has_perm(PERMISSION)
            context["runbook"] = telling.runbook(row.kind)
            alerts = Alert.objects.visible_to(request.user).filter(rule=row)
            may_see = request.user.has_perm("deliveries.view_alert")
            context["alerts"] = list(alerts.order_by("-since", "-pk")[:_LATEST]) if may_see else []
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        """Add the addresses of the button, and of the pages that add channels."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/test/", view(self.test), name="deliveries_alertrule_test"),
            path("channels/<slug:key>/", view(alert_channels.add), name="deliveries_alertrule_channel"),
            *super().get_urls(),
        ]

    def test(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Send a message that only says that it comes."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            event = telling.test(row, now=timezone.now())
        except NotMade as exc:
            messages.warning(request, str(exc))
        else:
            self.log_order(request, row, "Test message.")
            link = display.link("deliveries_event_change", event.pk, gettext("the event"))
            messages.success(request, format_html(gettext("Sent: {} shows what became of it."), link))
        return HttpResponseRedirect(reverse("admin:deliveries_alertrule_change", args=[pk]))

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Any) -> SafeString:
        """Return whether anything of it fires."""
        if not row.enabled:
            return display.label(gettext("off"))
        if row.firing:
            return display.label(gettext("%(firing)s firing") % {"firing": f"{row.firing:,}"}, "danger")
        return (
            display.label(gettext("%(pending)s pending") % {"pending": f"{row.pending:,}"}, "warning")
            if row.pending
            else display.label(gettext("ok"), "success")
        )

    @admin.display(description=gettext_lazy("Looked for"))
    def scope_shown(self, row: AlertRule) -> str:
        """Return where it is looked for."""
        if row.endpoint is None:
            return gettext("everywhere")
        return row.endpoint.slug if row.route is None else f"{row.endpoint.slug} → {row.route.name}"

    @admin.display(description=gettext_lazy("Threshold"))
    def limit_shown(self, row: AlertRule) -> str:
        """Return from how much on."""
        return row.limit_in_words


def _channels(request: HttpRequest) -> dict[str, Any]:
    """Return the channels, as far as the user may see them."""
    if not request.user.has_perm("integrations.view_route"):
        return {}
    endpoint = hub_alerts()
    routes: list[Route] = []
    if endpoint is not None:
        routes = list(Route.objects.visible_to(request.user).live().filter(endpoint=endpoint).order_by("name"))
    forms_of = (
        [(key, name) for key, (name, _) in alert_channels.FORMS.items()] if alert_channels.may_add(request) else []
    )
    return {"channels": routes, "channel_forms": forms_of}
