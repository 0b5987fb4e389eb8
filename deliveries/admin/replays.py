"""The pages of bulk replays: what was ordered, how far it is, and the buttons to pause, resume and cancel it."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries import bulk_replay, display
from deliveries.admin import orders
from deliveries.admin.confirming import Question, ask, is_confirmed
from deliveries.admin.filters import ChoiceFilter, Choices
from deliveries.admin.history import HistoryAdmin
from deliveries.models import AuditEntry, Delivery, ItemState, Replay, ReplayState
from deliveries.models.audit import AuditEntryQuerySet
from deliveries.models.replay import ACTIVE, ENDED, UNDER_WAY
from deliveries.models.selection import described
from deliveries.models.transitions import DeliveryQuerySet

_MOVES = {
    "pause": (bulk_replay.pause, gettext_lazy("Paused: what had not started is as it was before.")),
    "resume": (bulk_replay.resume, gettext_lazy("Resumed.")),
    "cancel": (bulk_replay.cancel, gettext_lazy("Cancelled: what had not started is as it was before.")),
}
#: Deliveries that failed again on an order's page; all of them are in the list.
SHOWN_FAILED = 20
_COUNTS = ("succeeded", "failed", "skipped")


class ReplayStateFilter(ChoiceFilter):
    """By where an order stands."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every state."""
        return ReplayState.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the orders in the chosen state."""
        value = self.value()
        return queryset.filter(state=value) if value else queryset


@admin.register(Replay)
class ReplayAdmin(HistoryAdmin):
    """Orders, the newest first."""

    page_template = "admin/deliveries/replay/page.html"
    empty_hint = gettext_lazy("Nothing was replayed in bulk yet. Filter the deliveries, and replay all that match.")
    list_display = ("what_shown", "state_shown", "progress_shown", "failed_shown", "created_by", "created_shown")
    list_display_links = ("what_shown",)
    list_filter = (ReplayStateFilter,)
    ordering = ("-id",)

    def get_urls(self) -> list[Any]:
        """Add the addresses of the buttons, and of the part of the page that refreshes itself."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/order/<str:order>/", view(self.order_one), name="deliveries_replay_order"),
            path("<uuid:pk>/progress/", view(self.progress), name="deliveries_replay_progress"),
            *super().get_urls(),
        ]

    def order_one(self, request: HttpRequest, pk: UUID, order: str) -> HttpResponse:
        """Pause, resume or cancel an order."""
        if order not in _MOVES:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(orders.PERMISSION):
            raise PermissionDenied
        replay = get_object_or_404(self.get_queryset(request), pk=pk)
        move, done = _MOVES[order]
        if order == "cancel" and replay.state not in ENDED and not is_confirmed(request):
            back = reverse("admin:deliveries_replay_change", args=[pk])
            return ask(self, request, _cancelling(replay), back=back, row=replay)
        if move(replay, by=cast(User, request.user)):
            messages.success(request, done)
        else:
            messages.warning(
                request, gettext("The replay is %(lower)s already.") % {"lower": replay.get_state_display().lower()}
            )
        return HttpResponseRedirect(reverse("admin:deliveries_replay_change", args=[pk]))

    def progress(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Return the part of the page that changes, by itself."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        replay = get_object_or_404(self.get_queryset(request), pk=pk)
        context = {"original": replay, **self.page_context(request, replay)}
        return TemplateResponse(request, "admin/deliveries/replay/progress.html", context)

    def page_context(self, request: HttpRequest, row: Replay) -> dict[str, Any]:
        """Return how far it is, and the orders that are legal now."""
        may_order = request.user.has_perm(orders.PERMISSION)
        return {
            "has_ended": row.state in ENDED,
            "goes_on": row.state not in ENDED or row.items.filter(state__in=UNDER_WAY).exists(),
            "left": row.total - row.done,
            "rate": row.rate(timezone.now()),
            "failed_again": _failed_again(row).visible_to(request.user) if row.failed else [],
            "time_left": row.time_left(timezone.now()),
            "parts": [(kind, f"{100 * getattr(row, kind) / max(row.total, 1):.2f}") for kind in _COUNTS],
            "may_pause": may_order and row.state in ACTIVE,
            "may_resume": may_order and row.state == ReplayState.PAUSED,
            "may_cancel": may_order and row.state not in ENDED,
        }

    def entries(self, request: HttpRequest) -> AuditEntryQuerySet:
        """Return all: whoever sees an order sees every endpoint that it reaches, though it belongs to none."""
        return AuditEntry.objects.all()

    @admin.display(description=gettext_lazy("Deliveries"))
    def what_shown(self, row: Replay) -> str:
        """Return what was ordered, and never nothing: it is the link to the order's page."""
        return row.description or described(row.selection)

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Replay) -> SafeString:
        """Return where it stands."""
        return display.state(row.state, row.get_state_display())

    @admin.display(description=gettext_lazy("Done"))
    def progress_shown(self, row: Replay) -> str:
        """Return how far it is."""
        return gettext("%(done)s of %(total)s") % {"done": f"{row.done:,}", "total": f"{row.total:,}"}

    @admin.display(description=gettext_lazy("Failed again"))
    def failed_shown(self, row: Replay) -> str:
        """Return how many are dead letters again."""
        return f"{row.failed:,}"

    @admin.display(description=gettext_lazy("Ordered"))
    def created_shown(self, row: Replay) -> SafeString:
        """Return when it was ordered."""
        return display.moment(row.created_at)


def _cancelling(row: Replay) -> Question:
    left = row.total - row.done
    going = (
        gettext("It is still being listed.")
        if row.state == ReplayState.PENDING
        else (
            ngettext("%(left)s of %(total)s has not been run.", "%(left)s of %(total)s have not been run.", left)
            % {"left": f"{left:,}", "total": f"{row.total:,}"}
        )
    )
    return Question(
        gettext("Cancel"),
        gettext("Cancel the replay of %(what)s?") % {"what": row.description or described(row.selection)},
        (
            going,
            gettext(
                "What has not started stays as it is; what runs already goes on. A cancelled replay cannot be resumed: "
                "to stop it for a while, pause it."
            ),
        ),
        gettext("Cancel the replay"),
    )


def _failed_again(row: Replay) -> DeliveryQuerySet:
    """Return the deliveries of the order that are dead letters again, with what their line names."""
    items = row.items.filter(state=ItemState.FAILED).order_by("delivery")[:SHOWN_FAILED]
    found = Delivery.objects.filter(pk__in=list(items.values_list("delivery", flat=True)))
    shown = ("last_error", "route__name", "endpoint__slug", "event__event_type")
    return found.select_related("route", "endpoint", "event").only(*shown).order_by("pk")
