"""``/events/``: what came in, and its bytes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import BinaryField, Case, F, Prefetch, QuerySet, Value, When
from django.http import HttpResponse
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.answers import ReroutedSerializer, RevealedSerializer
from deliveries.api.audit import caller
from deliveries.api.described import describe_events
from deliveries.api.errors import Conflict
from deliveries.api.filters import EventFilter
from deliveries.api.legal_holds import LegalHoldActions
from deliveries.api.made_events import MadeEventActions
from deliveries.api.orders import EmptyOrder, RevealOrder
from deliveries.api.original_request import OriginalRequestActions
from deliveries.api.roles import MAY_HOLD, MAY_OPERATE, MAY_REVEAL, MAY_SEE_CREDENTIALS
from deliveries.api.serializers import LISTED_BODY_BYTES, EventSerializer, ListedEventSerializer
from deliveries.models import Delivery, Event
from deliveries.reroute import NotRerouted, reroute
from deliveries.revealing import reveal
from integrations.api.scopes import may
from integrations.api.views import UUID_REGEX, HubViewSet
from integrations.models import groups_of


class AnyAccept(DefaultContentNegotiation):
    """Send a file whatever the client says it accepts; errors are JSON all the same."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


@describe_events
class EventViewSet(
    OriginalRequestActions,
    MadeEventActions,
    LegalHoldActions,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    HubViewSet[Event],
):
    """List, detail, the raw body, the whole original request, and the orders to route one again and to edit one."""

    queryset = Event.objects.select_related("endpoint").prefetch_related(
        Prefetch("deliveries", Delivery.objects.select_related("route").order_by("id"))
    )
    filterset_class = EventFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("reroute", "replay", "accept_variant"), MAY_OPERATE),
        "reveal": MAY_REVEAL,
        "legal_hold": MAY_HOLD,
    }

    def get_queryset(self) -> QuerySet[Event]:
        """Return the events; for a list, without the bodies that it would not show."""
        events = super().get_queryset()
        if groups_of(self.request.user) is not None:  # for `EventSerializer`
            events = events.annotate(origin_group=F("derived_from__endpoint__group"))
        if self.action != "list":
            return events
        shown = When(body_bytes__lte=LISTED_BODY_BYTES, endpoint__sensitive=False, then=F("raw_body"))
        listed_body = Case(shown, default=Value(None), output_field=BinaryField(null=True))
        return events.defer("raw_body", "sealed").annotate(listed_body=listed_body)

    def get_serializer_class(self) -> type[EventSerializer]:
        """Return how the event is shown."""
        return ListedEventSerializer if self.action == "list" else EventSerializer

    @action(detail=True, content_negotiation_class=AnyAccept)
    def body(self, request: Request, pk: str) -> HttpResponse:
        """Return the raw bytes as received, for part of a batch the whole; as a file that no browser will open."""
        event = self.get_object()
        received = event.as_received
        if received.raw_body is None:
            raise NotFound(event.why_no_body or "The body has not been kept.")
        is_guarded = received.body_is_encrypted or received.shown_payload != received.payload
        if is_guarded and not may(request, MAY_SEE_CREDENTIALS):
            raise PermissionDenied("This body may hold credentials; only who may change endpoints may read it.")
        reveal(event, by=caller(request), what="the raw body")
        return HttpResponse(
            received.body,
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": f'attachment; filename="event-{event.pk}.bin"',
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )

    @action(detail=True, methods=["post"])
    def reveal(self, request: Request, pk: str) -> Response:
        """Show the payload of an event of a sensitive endpoint, credentials masked; noted in the log."""
        order = RevealOrder(data=request.data)
        order.is_valid(raise_exception=True)
        event = self.get_object()
        reveal(event, by=caller(request), what="the payload", reason=order.validated_data["reason"])
        shown = {"event": event.pk, "payload": event.revealed_payload}
        return Response(RevealedSerializer(shown).data, headers={"Cache-Control": "no-store"})

    @action(detail=True, methods=["post"])
    def reroute(self, request: Request, pk: str) -> Response:
        """Make deliveries for routes that match now and have none yet: 201, 200 if there are none, 409 if it cannot."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        event = self.get_object()
        try:
            made = reroute(event, by=caller(request), via="API")
        except NotRerouted as exc:
            raise Conflict(str(exc)) from exc
        return Response(ReroutedSerializer({"event": event.pk, "deliveries": made}).data, status=201 if made else 200)
