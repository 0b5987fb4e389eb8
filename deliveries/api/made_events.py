"""Actions of an event that make another one of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.answers import VariantsSerializer
from deliveries.api.audit import caller
from deliveries.api.errors import Conflict
from deliveries.api.orders import EditedReplayOrder, EmptyOrder
from deliveries.edited_replay import NotEdited, UnknownRoute, WrongPayload, edited_replay
from deliveries.models import Event
from deliveries.variants import NotAccepted, accept, accepted

if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet

    _View = GenericViewSet[Event]
else:
    _View = object


class MadeEventActions(_View):
    """Part of the view of events."""

    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Make an event like this one with another payload, and its deliveries: 201 with it, 409 if that cannot be."""
        event = self.get_object()
        order = EditedReplayOrder(data=request.data)
        order.is_valid(raise_exception=True)
        values = order.validated_data
        try:
            made = edited_replay(event, values["payload"], by=caller(request), routes=values.get("routes"), via="API")
        except WrongPayload as exc:
            raise ValidationError({"payload": [str(exc)]}) from exc
        except UnknownRoute as exc:
            raise ValidationError({"routes": [str(exc)]}) from exc
        except NotEdited as exc:
            raise Conflict(str(exc)) from exc
        return self._made(made, status=201)

    @action(detail=True)
    def variants(self, request: Request, pk: str) -> Response:
        """Return the other bodies that came under the event's key, and what became of them."""
        event = self.get_object()
        rows = list(event.variants.defer("sealed").order_by("received_at", "pk"))
        became = accepted(rows)
        for row in rows:
            row.accepted_as = became.get(row.pk)  # type: ignore[attr-defined] # for the serializer
        return Response(VariantsSerializer({"event": event.pk, "variants": rows}).data)

    @action(detail=True, methods=["post"], url_path="variants/(?P<variant>[0-9]{1,18})/accept")
    def accept_variant(self, request: Request, pk: str, variant: str) -> Response:
        """Make an event of another body: 201 with it, 200 if it is one already, 409 if that cannot be."""
        row = get_object_or_404(self.get_object().variants.all(), pk=variant)
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        try:
            stored = accept(row, by=caller(request), via="API")
        except NotAccepted as exc:
            raise Conflict(str(exc)) from exc
        made = Event.objects.get(pk=stored.event_id)
        return self._made(made, status=200 if stored.is_duplicate else 201)

    def _made(self, event: Event, *, status: int) -> Response:
        """Return the answer that shows ``event`` as its own address does."""
        shown = self.get_queryset().get(pk=event.pk)
        return Response(self.get_serializer(shown).data, status=status)
