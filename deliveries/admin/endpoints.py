"""The pages of endpoints: set-up, secrets, routes, the line to try it with, and what it refused."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from deliveries import display, hold, waiting
from deliveries.admin import backfills, ending_secrets, endpoint_panel, orders
from deliveries.admin.filters import GroupFilter
from deliveries.admin.first_steps import FirstStepsAdmin
from deliveries.admin.history import SafeChangeList
from deliveries.admin.legal_holds import LegalHoldAdmin
from deliveries.admin.retiring import RetiringAdmin
from deliveries.admin.trying import CurlLine, back_to, curl_line, send_test
from deliveries.admin.trying_payloads import TryingPayloadsAdmin
from deliveries.admin.waiting import AwaitedSecretAdmin
from deliveries.models import Event, RejectionCount, Release
from integrations.admin.forms import EndpointForm
from integrations.admin.inlines import RouteInline, SecretInline
from integrations.masking import shown_settings
from integrations.models import Endpoint, EndpointGroup, EndpointState, Route, Secret, groups_of
from integrations.providers import providers

_DAY = timedelta(hours=24)


class ServiceFilter(DropdownFilter):  # type: ignore[misc]
    """In service, or retired; nothing chosen means in service."""

    title = gettext_lazy("service")
    parameter_name = "service"
    all_option = ["", gettext_lazy("In service")]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the one choice besides the usual."""
        return [("retired", gettext("Retired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in service, or those that were retired."""
        return queryset.filter(retired_at__isnull=self.value() != "retired")


@admin.register(Endpoint)
class EndpointAdmin(LegalHoldAdmin, FirstStepsAdmin, TryingPayloadsAdmin, AwaitedSecretAdmin, RetiringAdmin):
    """Endpoints by slug."""

    form = EndpointForm
    change_form_template = "admin/integrations/endpoint/change_form.html"
    inlines = (SecretInline, RouteInline)
    empty_hint = gettext_lazy(
        "An endpoint is a URL for one sender. The first steps lead from the sender to its first handled event."
    )
    list_display = ("slug", "provider_shown", "state_shown", "last_event_shown", "refused_shown")
    list_filter = ("state", "provider", GroupFilter, ServiceFilter)
    list_filter_submit = True
    list_per_page = 50
    search_fields = ("slug", "name")
    ordering = ("slug",)
    fieldsets = (
        (None, {"fields": (("slug", "name"), ("provider", "state"), "group", ("settings", "settings_help"))}),
        (
            gettext_lazy("Limits"),
            {
                "classes": ("collapse",),
                "fields": (
                    ("allowed_networks", "content_types"),
                    ("rate_per_second", "source_rate_per_second"),
                    "max_body_bytes",
                ),
            },
        ),
        (
            gettext_lazy("Storing and answering"),
            {
                "classes": ("collapse",),
                "fields": (
                    ("dedupe", "dedupe_seconds"),
                    ("accepted_status", "priority"),
                    ("batch", "sensitive"),
                    "shared_url",
                ),
            },
        ),
        (
            gettext_lazy("How long things are kept"),
            {
                "classes": ("collapse",),
                "fields": (
                    ("keep_body_days", "keep_headers_days"),
                    ("keep_attempts_days", "keep_dead_letters_days"),
                    ("keep_events_days", "keep_rejections_days"),
                ),
            },
        ),
    )
    readonly_fields = ("settings_shown", "settings_help")

    # -- the list -----------------------------------------------------------------------------------------------------
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return a list whose rows come with their figures, in one query."""
        return EndpointChangeList

    @admin.display(description=gettext_lazy("Provider"), ordering="provider")
    def provider_shown(self, row: Endpoint) -> str:
        """Return the provider's name, or its key where the preset is gone."""
        preset = providers.get(row.provider)
        return preset.name if preset else gettext("%(provider)s (not installed)") % {"provider": row.provider}

    @admin.display(description=gettext_lazy("State"), ordering="state")
    def state_shown(self, row: Any) -> SafeString:
        """Return the state, and what is wrong with the proof."""
        name = "retired" if row.retired_at else row.state
        shown = [display.state(name)]
        warning = "" if row.retired_at else proof_warning(row, has_live_secret=row.has_live_secret)
        if warning:
            short = gettext("unproven") if row.provider == "generic_none" else gettext("no secret")
            shown.append(display.label(short, "danger"))
        return format_html_join(" ", "{}", ((part,) for part in shown))

    @admin.display(description=gettext_lazy("Last event"))
    def last_event_shown(self, row: Any) -> SafeString:
        """Return when an event last came."""
        return display.moment(row.last_event_at)

    @admin.display(description=gettext_lazy("Refused in 24 h"))
    def refused_shown(self, row: Any) -> SafeString | str:
        """Return how many requests were refused, as a link to them."""
        if not row.refused:
            return "0"
        url = reverse("admin:deliveries_rejection_changelist")
        return format_html('<a class="hub-link" href="{}?endpoint={}">{}</a>', url, row.pk, f"{row.refused:,}")

    # -- the form -----------------------------------------------------------------------------------------------------
    def get_form(self, request: HttpRequest, obj: Endpoint | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form, which knows who fills it in."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.user = request.user  # a class made for this request
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """Return the form's parts; who may not change the settings reads them with the credentials masked."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        (title, options), *others = self.fieldsets
        *identity, _ = options["fields"]
        return ((title, {"fields": (*identity, ("settings_shown", "settings_help"))}), *others)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the groups that the user may see; who is restricted to some has to choose one."""
        if db_field.name == "group":
            kwargs["queryset"] = EndpointGroup.objects.visible_to(request.user).order_by("name")
            kwargs["required"] = groups_of(request.user) is not None
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("Settings"))
    def settings_shown(self, row: Endpoint) -> SafeString:
        """Return the settings as they may be read."""
        text = json.dumps(shown_settings(row.provider, row.settings), indent=2, ensure_ascii=False)
        return format_html('<pre class="hub-code">{}</pre>', text)

    @admin.display(description=gettext_lazy("What the provider's settings mean"))
    def settings_help(self, row: Endpoint) -> SafeString:
        """Return the names and meanings of every provider's settings; the page shows those of the chosen one."""
        return _settings_help(row.provider if row and row.provider else "", get_language())

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add what stands above the form of an existing endpoint."""
        row = context.get("original")
        context["show_delete"] = False  # the page has its own button, which says what happens
        context["may_retire"] = row is not None and self.has_delete_permission(request, row)
        context["provider_help"] = {key: providers[key].secret_help for key in providers}
        if row is not None:
            context.update(self._panel(request, row) | self.wait_panel(request, row))
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, row: Endpoint) -> dict[str, Any]:
        now = timezone.now()
        may_change = self.has_change_permission(request, row)
        may_operate = request.user.has_perm(orders.PERMISSION) and row.retired_at is None
        has_live_secret = row.secrets.live(now).exists()
        refused = RejectionCount.objects.filter(endpoint=row, hour__gt=_day_ago(now))
        line = curl_line(row, now=now) if may_change else CurlLine()
        return {
            **endpoint_panel.panel(request, row, now=now),
            **self.legal_holding(request, row),
            "handshake": _handshake(row, has_live_secret=has_live_secret),
            "public_url": row.url,
            "url_help": providers[row.provider].url_help if row.provider in providers else "",
            "curl": line,
            "may_test": may_operate,
            "may_hold": may_operate and row.state != EndpointState.DISABLED,
            "is_paused": row.state == EndpointState.PAUSED,
            "release": Release.objects.running().filter(endpoint=row, route=None).first(),
            "shared_url": f"{settings.HUB_BASE_URL}/hooks" if row.shared_url else "",
            "warning": "" if row.retired_at else proof_warning(row, has_live_secret=has_live_secret),
            "last_event_at": _last_event_at(row.pk),
            "backfill_url": backfills.address_of(request, row),
            "refused": refused.values("reason").annotate(total=Sum("count")).order_by("-total", "reason"),
        }

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """Save; a change of state holds the deliveries, or lets them go, as the buttons do."""
        before = form.initial.get("state")
        super().save_model(request, obj, form, change)
        if change and before != obj.state and EndpointState.PAUSED in {before, obj.state}:
            hold.set_endpoint_state(obj, EndpointState(obj.state), by=cast(User, request.user))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save; a route that is paused or resumed here takes its deliveries along."""
        super().save_formset(request, form, formset, change)
        for row, fields in getattr(formset, "changed_objects", ()):
            if isinstance(row, Route) and "paused" in fields:
                verb = hold.pause_route if row.paused else hold.resume_route
                verb(row, by=cast(User, request.user))

    def response_add(self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None) -> HttpResponse:
        """Go on to the new endpoint's page: its URL and the line to try it are there."""
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, gettext("Endpoint %(obj)s is ready to receive.") % {"obj": obj})
        return HttpResponseRedirect(reverse("admin:integrations_endpoint_change", args=[obj.pk]))

    # -- orders -------------------------------------------------------------------------------------------------------
    def get_urls(self) -> list[Any]:
        """Add the addresses of the buttons."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/order/test/", view(self.test), name="integrations_endpoint_test"),
            path("<uuid:pk>/order/pause/", view(self.pause), name="integrations_endpoint_pause"),
            path("<uuid:pk>/order/resume/", view(self.resume), name="integrations_endpoint_resume"),
            *self.wait_urls(),
            *self.legal_hold_urls(),
            *self.first_steps_urls(),
            *self.trying_urls(),
            path("<uuid:pk>/order/end/<uuid:secret>/", view(self.end_secret), name="integrations_endpoint_end_secret"),
            *super().get_urls(),
        ]

    def test(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Send a signed sample through the real receiving path, and say what it was answered."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(orders.PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(Endpoint.objects.live().visible_to(request.user), pk=pk)
        level, text = send_test(row, by=request.user)
        if level == messages.SUCCESS:
            self.log_order(request, row, "sent a test event.")
        messages.add_message(request, level, text)
        return back_to(request, pk)

    def end_secret(self, request: HttpRequest, pk: UUID, secret: UUID) -> HttpResponse:
        """End a secret that is safe to retire."""
        return ending_secrets.end_secret(self, request, pk, secret)

    def pause(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Hold the endpoint's deliveries."""
        return self._hold(request, pk, paused=True)

    def resume(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let the endpoint's deliveries go."""
        return self._hold(request, pk, paused=False)

    def _hold(self, request: HttpRequest, pk: UUID, *, paused: bool) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(orders.PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(Endpoint.objects.live().visible_to(request.user), pk=pk)
        if row.state == EndpointState.DISABLED:  # to switch it on takes another right than this one
            messages.error(request, gettext("The endpoint is disabled; set its state to switch it on."))
        elif paused:
            moved = hold.pause_endpoint(row, by=cast(User, request.user))
            messages.success(
                request, gettext("Paused: events are stored, deliveries wait (%(moved)s held).") % {"moved": moved}
            )
        else:
            orders.resume(request, partial(hold.resume_endpoint, row))
        return back_to(request, pk)


class EndpointChangeList(SafeChangeList):
    """Endpoints with their figures: the last event, what was refused in 24 hours, whether there is a live secret."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return the rows, annotated."""
        now = timezone.now()
        events = Event.objects.filter(endpoint=OuterRef("pk")).order_by("-received_at")
        refused = (
            RejectionCount.objects.filter(endpoint=OuterRef("pk"), hour__gt=_day_ago(now))
            .order_by()
            .values("endpoint")
            .annotate(total=Sum("count"))
            .values("total")
        )
        rows: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        annotated: QuerySet[Any] = rows.annotate(
            last_event_at=Subquery(events.values("received_at")[:1]),
            refused=Coalesce(Subquery(refused), 0),
            has_live_secret=Exists(Secret.objects.live(now).filter(endpoint=OuterRef("pk"))),
        )
        return annotated


@lru_cache(maxsize=8)
def _settings_help(chosen: str, language: str | None) -> SafeString:  # noqa: ARG001 - what it is kept by
    """Return the help of all presets, kept: the page asks for it several times, and presets do not change."""
    presets = [
        {
            "key": key,
            "preset": providers[key],
            "properties": providers[key].settings_schema.get("properties", {}),
            "required": providers[key].settings_schema.get("required", []),
        }
        for key in providers
    ]
    return render_to_string("admin/integrations/endpoint/settings_help.html", {"presets": presets, "chosen": chosen})


def proof_warning(row: Endpoint, *, has_live_secret: bool) -> str:
    """Return what is wrong with how requests prove themselves at this endpoint, or ""."""
    if row.provider == "internal":
        return ""
    if row.provider == "generic_none":
        return gettext(
            "Anyone who knows this URL can send events here: this provider asks for no proof. "
            "Choose another, or allow only the sender's networks."
        )
    if not has_live_secret and row.needs_secret:
        if waiting.delivers_secret(row):
            return gettext(
                "This endpoint has no live secret, so it refuses every request. Wait for the provider to deliver it."
            )
        return gettext("This endpoint has no live secret, so it refuses every request. Add a secret below.")
    return ""


def _handshake(row: Endpoint, *, has_live_secret: bool) -> str:
    """Return what becomes of the provider's check of the URL; "" where it makes none."""
    preset = providers.get(row.provider)
    if preset is None or preset.handshake is None or row.retired_at is not None:
        return ""
    if row.state == EndpointState.DISABLED:
        return gettext(
            "%(preset)s checks the URL when it is registered; while the endpoint is disabled, the check fails."
        ) % {"preset": preset.name}
    if row.needs_secret and not has_live_secret:
        return gettext("%(preset)s checks the URL when it is registered; add the secret first, or the check fails.") % {
            "preset": preset.name
        }
    return gettext("%(preset)s checks the URL when it is registered; the hub answers by itself.") % {
        "preset": preset.name
    }


def _day_ago(now: datetime) -> datetime:
    # Counts are kept by the hour: the oldest hour is left out, so that the sum never covers more than a day.
    return (now - _DAY).replace(minute=0, second=0, microsecond=0)


def _last_event_at(pk: UUID) -> datetime | None:
    return Event.objects.filter(endpoint=pk).order_by("-received_at").values_list("received_at", flat=True).first()
