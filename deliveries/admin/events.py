"""The pages of events: what came, as it came, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import display, edited_replay, payload_search, variants
from deliveries import fixture as test_fixture
from deliveries.admin import accepting, comparing, editing, fixtures, orders, rerouting
from deliveries.admin.counted_filters import AcceptedProviderFilter, AcceptedTypeFilter, AcceptingEndpointFilter
from deliveries.admin.filters import (
    MomentFilter,
    PayloadFilter,
    ReceivedWhenFilter,
    VerdictFilter,
    wanted_in,
)
from deliveries.admin.legal_holds import LegalHoldAdmin
from deliveries.admin.payload_pages import EventChangeList
from deliveries.admin.revealing import RevealingAdmin, refuse_unasked
from deliveries.admin.searching import event_ids
from deliveries.models import Event, EventVariant
from deliveries.models.sealing import SealedRequest
from deliveries.reroute import obstacle
from deliveries.retention.outlook import outlook
from deliveries.timeline import timeline_of_event

#: What a flag of an event says to the operator.
FLAGS = {
    "conflicting_body": gettext_lazy(
        "Another request came with the same id and a different body. The first one counts; "
        "the others are kept below, and can be accepted as events of their own."
    ),
    "possible_replay": gettext_lazy(
        "The same body came before under another id, and the signature does not cover the id: "
        "this may be somebody sending a recorded request again."
    ),
    "edited_payload": gettext_lazy(
        "It did not come like this: an operator made it from another event, with a payload of their own."
    ),
    "accepted_body": gettext_lazy(
        "It came under the id of another event, with a different body; an operator accepted it as one of its own."
    ),
}

_MOST_DERIVED = 20
_OF_DERIVED = ("pk", "requested_by", "flags")

# Everything a browser might do with a stranger's bytes is ruled out.
_DOWNLOAD_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-store",
}


@admin.register(Event)
class EventAdmin(LegalHoldAdmin, RevealingAdmin):
    """Events, the newest first."""

    page_template = "admin/deliveries/event/page.html"
    list_before_template = "admin/deliveries/list_before.html"
    empty_hint = gettext_lazy("Nothing was received yet. What is sent to the URL of an endpoint shows here.")
    list_display = ("type_shown", "endpoint_shown", "verdict_shown", "id_shown", "size_shown", "received_shown")
    list_display_links = ("type_shown",)
    list_filter = (
        ReceivedWhenFilter,
        AcceptingEndpointFilter,
        AcceptedProviderFilter,
        VerdictFilter,
        AcceptedTypeFilter,
        ("received_at", MomentFilter),
        PayloadFilter,
    )
    list_select_related = ("endpoint",)
    never_loaded = ("sealed",)
    list_defer = ("raw_body", "headers", "query_string", "body_sha256")
    ordering = ("-received_at",)
    keyset = "received_at"
    without_index = ("provider", "verdict", "event_type", "value")
    search_fields = ("event_id",)
    search_help_text = gettext_lazy("The provider's event id, the hub's own id, or a request id; whole.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by id; no part of one, as only whole ones are indexed."""
        term = search_term.strip()
        return (queryset.filter(pk__in=event_ids(term)) if term else queryset), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list; say so where nothing is found as the text names no field and value."""
        text = request.GET.get(PayloadFilter.parameter_name, "").strip()
        if text and wanted_in(text) is None:
            said = gettext(
                "“%(text)s” names no field of the payload and its value, so nothing is found by it. Write "
                "customer.id = cus_123."
            )
            messages.warning(request, said % {"text": text[:80]})
        return super().changelist_view(request, extra_context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list, which searches by value."""
        return EventChangeList

    def checked(self, params: Mapping[str, Any]) -> Callable[[Sequence[UUID]], Iterator[UUID]] | None:
        """Return what leaves the events whose payload has the value that is looked for; None where none is."""
        wanted = wanted_in(params.get(PayloadFilter.parameter_name))
        return None if wanted is None else lambda ids: payload_search.matching(ids, wanted)

    def get_urls(self) -> list[Any]:
        """Add the downloads of raw bodies, and the address that takes the order to reroute."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/body/", view(self.event_body), name="deliveries_event_body"),
            path("<uuid:pk>/payload/", view(self.event_payload), name="deliveries_event_payload"),
            path(
                "<uuid:pk>/variants/<int:variant>/body/", view(self.variant_body), name="deliveries_eventvariant_body"
            ),
            path(
                "<uuid:pk>/variants/<int:variant>/accept/",
                view(self.accept_variant),
                name="deliveries_eventvariant_accept",
            ),
            *self.reveal_urls(),
            *self.legal_hold_urls(),
            path("<uuid:pk>/reroute/", view(self.reroute_one), name="deliveries_event_reroute"),
            path("<uuid:pk>/edit/", view(self.edit_one), name="deliveries_event_edit"),
            path("<uuid:pk>/difference/", view(self.difference), name="deliveries_event_difference"),
            path("<uuid:pk>/fixture/", view(self.make_fixture), name="deliveries_event_fixture"),
            *super().get_urls(),
        ]

    def reroute_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Make deliveries for routes that match now and have none."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        event = self.get_queryset(request).filter(pk=pk).first()
        if event is None:
            raise Http404
        return rerouting.give(self, request, event)

    def edit_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Replay the event with an edited payload."""
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        event = self.get_queryset(request).filter(pk=pk).first()
        if event is None:
            raise Http404
        return editing.give(self, request, event)

    def difference(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Say in what the event differs from another one of its endpoint."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        event = self.get_queryset(request).filter(pk=pk).first()
        if event is None:
            raise Http404
        return comparing.show(self, request, event)

    def make_fixture(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Make a test of the event."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        event = self.get_queryset(request).filter(pk=pk).first()
        if event is None:
            raise Http404
        return fixtures.give(self, request, event)

    def event_body(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Hand out the raw body, for part of a batch the whole."""
        row = Event.objects.visible_to(request.user).filter(pk=pk).first()
        return self._download(request, row, f"event-{pk}")

    def event_payload(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Hand out the decoded body, however large: credentials masked, nothing that is hidden."""
        row = self.get_queryset(request).filter(pk=pk).first()
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        try:
            payload = row.shown_payload if row is not None else None
        except ImproperlyConfigured:
            payload = None
        if payload is None:
            raise Http404
        return HttpResponse(json.dumps(payload), content_type="application/json", headers=_DOWNLOAD_HEADERS)

    def variant_body(self, request: HttpRequest, pk: UUID, variant: int) -> HttpResponse:
        """Hand out the raw body of another request under the same id."""
        row = EventVariant.objects.visible_to(request.user).filter(event=pk, pk=variant).first()
        return self._download(request, row, f"event-{pk}-variant-{variant}")

    def accept_variant(self, request: HttpRequest, pk: UUID, variant: int) -> HttpResponse:
        """Make an event of another request under the same id."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        rows = EventVariant.objects.visible_to(request.user).select_related("event__endpoint", "event__batch")
        row = rows.filter(event=pk, pk=variant).first()
        if row is None:
            raise Http404
        return accepting.give(self, request, row)

    def _download(self, request: HttpRequest, row: Event | EventVariant | None, name: str) -> HttpResponse:
        received = row.as_received if isinstance(row, Event) else row
        if not self.has_view_permission(request) or (received and not may_download(request, received)):
            raise PermissionDenied
        if row is None or received is None or received.raw_body is None:
            raise Http404
        return refuse_unasked(request, row) or attachment(received.body, f"{name}.bin")

    def page_context(self, request: HttpRequest, row: Event) -> dict[str, Any]:
        """Return the decoded body, what the flags mean, the other bodies and the deliveries."""
        received = row.as_received
        url = reverse("admin:deliveries_event_body", args=[row.pk])
        payload = self._shown_payload(request, row)
        deliveries = list(row.deliveries.select_related("route").order_by("created_at", "pk"))
        return {
            "body": display.body(row, payload, revealed=self.is_revealed(request)),
            **_tree(row, payload, revealed=self.is_revealed(request)),
            **self.hiding(request, row),
            **self.legal_holding(request, row),
            "outlook": outlook(row, now=timezone.now()),
            "body_url": url if may_download(request, received) else "",
            "batch": row.batch,
            "made_from": _made_from(request, row),
            "derived": row.derived.visible_to(request.user).order_by("pk").only(*_OF_DERIVED)[:_MOST_DERIVED],
            "headers": sorted(row.headers.items()),
            "flags": [(flag, FLAGS.get(flag, "")) for flag in row.flags],
            "variants": self._variants(request, row),
            "may_edit": not edited_replay.obstacle(row) and request.user.has_perm(orders.PERMISSION),
            "may_reroute": not obstacle(row) and request.user.has_perm(orders.PERMISSION),
            "may_make_fixture": not test_fixture.obstacle(row) and request.user.has_perm(orders.PERMISSION),
            "deliveries": deliveries,
            "timeline": timeline_of_event(row, deliveries),
        }

    def _variants(self, request: HttpRequest, row: Event) -> list[dict[str, Any]]:
        """Return the other bodies with what may be done with each, and what it has become."""
        rows = list(row.variants.defer("sealed").order_by("received_at"))
        became = variants.accepted(rows)
        may_order = request.user.has_perm(orders.PERMISSION)
        return [
            {
                "row": variant,
                "body": display.body(variant, revealed=self.is_revealed(request)),
                "may_download": may_download(request, variant),
                "became": became.get(variant.pk),
                "may_accept": may_order and variant.pk not in became and not variants.obstacle(variant),
            }
            for variant in rows
        ]

    def _shown_payload(self, request: HttpRequest, row: Event) -> Any:
        """Return the payload with its credentials masked; None for a large body and for one whose key is lost."""
        if row.body_bytes > display.DECODED_BYTES:
            return None
        try:
            return row.revealed_payload if self.is_revealed(request) else row.shown_payload
        except ImproperlyConfigured:
            return None

    @admin.display(description=gettext_lazy("Event type"))
    def type_shown(self, row: Event) -> str:
        """Return the type, or a word for its absence."""
        return row.event_type or gettext("(no type)")

    @admin.display(description=gettext_lazy("Endpoint"))
    def endpoint_shown(self, row: Event) -> str:
        """Return the endpoint's slug."""
        return row.endpoint.slug

    @admin.display(description=gettext_lazy("Verdict"))
    def verdict_shown(self, row: Event) -> SafeString:
        """Return the verdict, and a mark where something is flagged."""
        shown = display.state(row.verdict)
        flagged = [display.label(flag.replace("_", " "), "warning") for flag in row.flags]
        return format_html_join(" ", "{}", [(shown,), *((flag,) for flag in flagged)])

    @admin.display(description=gettext_lazy("Event id"))
    def id_shown(self, row: Event) -> str:
        """Return the provider's id."""
        return row.event_id or "–"

    @admin.display(description=gettext_lazy("Body"))
    def size_shown(self, row: Event) -> str:
        """Return how large the body is."""
        return display.size(row.body_bytes)

    @admin.display(description=gettext_lazy("Received"))
    def received_shown(self, row: Event) -> SafeString:
        """Return when it came."""
        return display.moment(row.received_at)


def _tree(row: Event, payload: Any, *, revealed: bool) -> dict[str, Any]:
    """Return whether the body is shown as a tree, and where a script fetches it; "" if it stands on the page."""
    if row.hides_body:
        return {"shows_tree": revealed and payload is not None, "payload_url": ""}
    is_large = row.body_bytes > display.DECODED_BYTES
    url = reverse("admin:deliveries_event_payload", args=[row.pk])
    return {"shows_tree": is_large or payload is not None, "payload_url": url}


def _made_from(request: HttpRequest, row: Event) -> Event | None:
    """Return the event of which a handler or an operator made this one.

    None for one from outside, or if the user may not see that one.
    """
    if row.derived_from_id is None:
        return None
    return Event.objects.visible_to(request.user).filter(pk=row.derived_from_id).only("pk").first()


def may_download(request: HttpRequest, row: SealedRequest) -> bool:
    """Return whether the user may have the raw body: one that is stored encrypted is for administrators only."""
    return not row.body_is_encrypted or request.user.has_perm("integrations.change_endpoint")


def attachment(body: bytes, name: str) -> HttpResponse:
    """Return ``body`` as a download that no browser renders."""
    response = HttpResponse(body, content_type="application/octet-stream", headers=_DOWNLOAD_HEADERS)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
