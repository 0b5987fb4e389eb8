"""Actions of an event that make another one of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import caller
from deliveries.api.errors import Conflict
from deliveries.api.orders import EditedReplayOrder
from deliveries.edited_replay import NotEdited, UnknownRoute, WrongPayload, edited_replay
from deliveries.models import Event

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

    def _made(self, event: Event, *, status: int) -> Response:
        """Return the answer that shows ``event`` as its own address does."""
        shown = self.get_queryset().get(pk=event.pk)
        return Response(self.get_serializer(shown).data, status=status)
