"""``/deliveries/``: what became of events, and the two orders about one."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import Prefetch, QuerySet
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import caller
from deliveries.api.described import describe_deliveries
from deliveries.api.errors import Conflict
from deliveries.api.filters import DeliveryFilter
from deliveries.api.orders import DiscardOrder, ReplayOrder
from deliveries.api.roles import MAY_OPERATE
from deliveries.api.serializers import DeliverySerializer, DeliverySummarySerializer
from deliveries.models import Attempt, Delivery
from deliveries.models.states import FINISHED
from deliveries.replay import discard, replay
from integrations.api.views import UUID_REGEX, HubViewSet


@describe_deliveries
class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Delivery]):
    """List, detail, replay and discard."""

    queryset = Delivery.objects.select_related("endpoint", "route", "event").defer(
        "event__raw_body", "event__sealed", "event__headers"
    )
    filterset_class = DeliveryFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {"replay": MAY_OPERATE, "discard": MAY_OPERATE}

    def get_queryset(self) -> QuerySet[Delivery]:
        """Return the deliveries; for a list, without the long columns of their attempts."""
        attempts = Attempt.objects.order_by("number")
        if self.action == "list":
            attempts = attempts.defer("traceback", "log", "response", "calls")
        return super().get_queryset().prefetch_related(Prefetch("attempts", attempts))

    def get_serializer_class(self) -> type[DeliverySummarySerializer]:
        """Return how the delivery is shown."""
        return DeliverySummarySerializer if self.action == "list" else DeliverySerializer

    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Run a finished delivery again: 202, or 409 if it is not finished."""
        order = ReplayOrder(data=request.data)
        order.is_valid(raise_exception=True)
        chosen = self.get_object()
        done = replay(
            Delivery.objects.filter(pk=chosen.pk),
            by=caller(request),
            from_start=order.validated_data["from_start"],
            via="API",
        )
        return self._answer(chosen, done, status=202, states="succeeded, dead and discarded deliveries can be replayed")

    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """End a delivery that has not finished and is not running: 200, or 409."""
        order = DiscardOrder(data=request.data)
        order.is_valid(raise_exception=True)
        chosen = self.get_object()
        done = discard(
            Delivery.objects.filter(pk=chosen.pk), by=caller(request), reason=order.validated_data["reason"], via="API"
        )
        return self._answer(chosen, done, status=200, states="pending, held and waiting deliveries can be discarded")

    def _answer(self, chosen: Delivery, done: int, *, status: int, states: str) -> Response:
        current = self.get_queryset().get(pk=chosen.pk)
        if not done and current.status in FINISHED and current.event.why_no_body:
            raise Conflict(current.event.why_no_body)
        if not done:
            raise Conflict(f"The delivery is {current.status}; only {states}.")
        return Response(self.get_serializer(current).data, status=status)
