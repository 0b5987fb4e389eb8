"""The pages of deliveries: where each stands and why, its attempts, and the orders to replay or discard."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries import display
from deliveries.admin import failures, orders, replay_orders
from deliveries.admin.counted_filters import (
    DeliveringEndpointFilter,
    DeliveringRouteFilter,
    EndedStatusFilter,
    FailedErrorFilter,
    OfferedTypeFilter,
)
from deliveries.admin.filters import (
    CreatedWhenFilter,
    EventProviderFilter,
    FailedInReplayFilter,
    FingerprintFilter,
    MomentFilter,
)
from deliveries.admin.history import HistoryAdmin, same
from deliveries.admin.orders import ORDERS, Order
from deliveries.admin.searching import event_ids
from deliveries.flow_steps import steps_of
from deliveries.models import Attempt, Delivery, Worker
from deliveries.models.transitions import DeliveryQuerySet
from deliveries.sent_calls import calls_for
from deliveries.timeline import Entry, timeline_of
from deliveries.why import reason_of

#: Attempts on a page; of more, the latest.
SHOWN_ATTEMPTS = 50
#: Kept steps on its timeline; of more, the latest.
SHOWN_STEPS = 200


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin):
    """Deliveries, the newest first."""

    page_template = "admin/deliveries/delivery/page.html"
    list_before_template = "admin/deliveries/delivery/list_before.html"
    empty_hint = gettext_lazy("No delivery yet. One is made for each event and each route that it fits.")
    list_display = (
        "type_shown",
        "status_shown",
        "route_shown",
        "id_shown",
        "attempts_shown",
        "error_shown",
        "created_shown",
    )
    list_display_links = ("type_shown",)
    list_filter = (
        CreatedWhenFilter,
        EndedStatusFilter,
        DeliveringEndpointFilter,
        DeliveringRouteFilter,
        EventProviderFilter,
        OfferedTypeFilter,
        ("created_at", MomentFilter),
        FailedErrorFilter,
        FingerprintFilter,
        FailedInReplayFilter,
    )
    list_select_related = ("event", "route", "endpoint")
    never_loaded = tuple(
        f"event__{name}" for name in ("raw_body", "headers", "sealed", "query_string", "body_sha256", "flags")
    )
    ordering = ("-created_at",)
    keyset = "created_at"
    without_index = ("provider", "event_type", "error")
    looked_through = 10_000
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "The delivery's id, the event's id (the provider's or the hub's), or a request id; whole."
    )
    actions = ("replay", "replay_from_start", "replay_in_bulk", "discard")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by id; no part of one, as only whole ones are indexed."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(Q(event__in=event_ids(term)) | same(term, uuids=("pk",), texts=())), False

    def get_urls(self) -> list[Any]:
        """Add the addresses that take orders about one delivery, and about all that match."""
        view = self.admin_site.admin_view
        return [
            path("replay/", view(self.replay_matching), name="deliveries_delivery_replay"),
            path("failures/", view(self.failures), name="deliveries_delivery_failures"),
            path("<uuid:pk>/order/<str:order>/", view(self.order_one), name="deliveries_delivery_order"),
            *super().get_urls(),
        ]

    # -- orders -------------------------------------------------------------------------------------------------------
    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may replay and discard; what the actions ask for."""
        return request.user.has_perm(orders.PERMISSION)

    @admin.action(description=gettext_lazy("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: DeliveryQuerySet) -> HttpResponse:
        """Run the selected deliveries again."""
        return self._order_selected(request, queryset, orders.REPLAY)

    @admin.action(description=gettext_lazy("Replay from the start"), permissions=["replay"])
    def replay_from_start(self, request: HttpRequest, queryset: DeliveryQuerySet) -> HttpResponse:
        """Run the selected deliveries again, every step of them."""
        return self._order_selected(request, queryset, orders.REPLAY_FROM_START)

    @admin.action(description=gettext_lazy("Replay at a rate, with progress…"), permissions=["replay"])
    def replay_in_bulk(self, request: HttpRequest, queryset: DeliveryQuerySet) -> HttpResponse:
        """Lead to the order of a bulk replay of the selected deliveries."""
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)[: self.list_per_page]
        query = request.GET.copy()
        query[replay_orders.TICKED] = ",".join(str(row.pk) for row in queryset.filter(pk__in=ticked))
        return HttpResponseRedirect(reverse("admin:deliveries_delivery_replay") + f"?{query.urlencode()}")

    @admin.action(description=gettext_lazy("Discard"), permissions=["replay"])
    def discard(self, request: HttpRequest, queryset: DeliveryQuerySet) -> HttpResponse:
        """End the selected deliveries that have not run yet."""
        return self._order_selected(request, queryset, orders.DISCARD)

    def order_one(self, request: HttpRequest, pk: UUID, order: str) -> HttpResponse:
        """Take an order about one delivery."""
        if order not in ORDERS:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        back = reverse("admin:deliveries_delivery_change", args=[pk])
        rows = Delivery.objects.visible_to(request.user).filter(pk=pk)
        return orders.give(self, request, rows, ORDERS[order], back=back, hidden=[])

    def failures(self, request: HttpRequest) -> HttpResponse:
        """Show what failed, grouped by what is the same about it."""
        return failures.failures_page(self, request)

    def replay_matching(self, request: HttpRequest) -> HttpResponse:
        """Order a bulk replay of all that the list's filters match."""
        return replay_orders.order_page(self, request)

    def _order_selected(self, request: HttpRequest, queryset: DeliveryQuerySet, order: Order) -> HttpResponse:
        # What is ticked on the page, never "all that match", which is an order of its own: `replay_matching`.
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)[: self.list_per_page]
        hidden = [("action", order.name), *((ACTION_CHECKBOX_NAME, pk) for pk in selected)]
        rows = Delivery.objects.filter(pk__in=[row.pk for row in queryset.filter(pk__in=selected)])
        return orders.give(self, request, rows, order, back=request.get_full_path(), hidden=hidden)

    # -- one delivery -------------------------------------------------------------------------------------------------
    def page_context(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        """Return the timeline, the attempts with their calls, the latest first, and the orders that are legal now."""
        latest = list(row.attempts.order_by("-number")[:SHOWN_ATTEMPTS])
        may_order = self.has_replay_permission(request)
        return {
            "timeline": self._timeline(row, latest),
            "attempts": [(each, calls_for(each, row.event, user=request.user)) for each in latest],
            "earlier_attempts": max(row.attempt_count - len(latest), 0),
            "orders": [order for order in ORDERS.values() if may_order and row.status in order.legal],
            "may_edit": may_order and not row.endpoint.sensitive and request.user.has_perm("deliveries.view_event"),
            "why": reason_of(row),
            "steps": steps_of(row, user=request.user),
            "priority": row.endpoint.priority + row.route.priority,
            "worker_pk": Worker.objects.filter(name=row.worker).values_list("pk", flat=True).first()
            if row.worker
            else None,
        }

    def _timeline(self, row: Delivery, attempts: list[Attempt]) -> list[Entry]:
        # What steps have kept may be large, and is nobody's to read here.
        steps = list(
            row.step_results.only("delivery", "key", "created_at").order_by("-created_at", "-pk")[: SHOWN_STEPS + 1]
        )
        earlier = max(row.attempt_count - len(attempts), 0)
        text = _left_out(earlier, has_more_steps=len(steps) > SHOWN_STEPS)
        return timeline_of(row, attempts=attempts, steps=steps[:SHOWN_STEPS], left_out=text)

    # -- the list -----------------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("Event type"))
    def type_shown(self, row: Delivery) -> str:
        """Return the event's type, or a word for its absence."""
        return row.event.event_type or gettext("(no type)")

    @admin.display(description=gettext_lazy("Status"))
    def status_shown(self, row: Delivery) -> SafeString:
        """Return where it stands."""
        return display.state(row.status, row.get_status_display())

    @admin.display(description=gettext_lazy("Route"))
    def route_shown(self, row: Delivery) -> str:
        """Return the route, under the endpoint's name."""
        return f"{row.endpoint.slug} → {row.route.name}"

    @admin.display(description=gettext_lazy("Event id"))
    def id_shown(self, row: Delivery) -> str:
        """Return the provider's id of the event."""
        return row.event.event_id or "–"

    @admin.display(description=gettext_lazy("Attempts"))
    def attempts_shown(self, row: Delivery) -> int:
        """Return how many there were."""
        return row.attempt_count

    @admin.display(description=gettext_lazy("Last error"))
    def error_shown(self, row: Delivery) -> str:
        """Return the beginning of the last error."""
        text = row.last_error
        return f"{text[:79]}…" if len(text) > 80 else text

    @admin.display(description=gettext_lazy("Created"))
    def created_shown(self, row: Delivery) -> SafeString:
        """Return when it was made."""
        return display.moment(row.created_at)


def _left_out(attempts: int, *, has_more_steps: bool) -> str:
    """Return what a timeline leaves out; "" if nothing."""
    if attempts and has_more_steps:
        text = ngettext(
            "Not shown: %(count)d earlier attempt and earlier steps",
            "Not shown: %(count)d earlier attempts and earlier steps",
            attempts,
        )
    elif attempts:
        text = ngettext("Not shown: %(count)d earlier attempt", "Not shown: %(count)d earlier attempts", attempts)
    else:
        return gettext("Not shown: earlier steps") if has_more_steps else ""
    return text % {"count": attempts}
