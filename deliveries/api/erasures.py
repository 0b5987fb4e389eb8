"""``/erasures/``: orders to erase everything that holds a value, and the proofs of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import erasing
from deliveries.api.audit import caller
from deliveries.api.described.erasures import describe_erasures
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.models import Erasure, ErasureState
from integrations.api.checked import OrderSerializer
from integrations.api.views import UUID_REGEX, HubViewSet
from integrations.models import groups_of


class ErasureOrder(OrderSerializer):
    """The body of an order to count what holds a value."""

    value = serializers.CharField(
        min_length=3, max_length=1000, write_only=True, help_text="Of it a keyed hash stays, and nothing else."
    )
    path = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        help_text="A JMESPath that has to find it in the payload; empty: any occurrence anywhere.",
    )


class ErasureSummarySerializer(serializers.ModelSerializer[Erasure]):
    """An erasure, as lists show it."""

    counts = serializers.SerializerMethodField()
    left = serializers.SerializerMethodField()

    class Meta:
        model = Erasure
        fields = [
            *("id", "state", "path", "value_hmac", "looked_at", "counts", "left"),
            *("created_by", "created_at", "confirmed_by", "finished_at"),
        ]
        read_only_fields = fields
        shapes: ClassVar[dict[str, Any]] = {
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        }

    def get_counts(self, row: Erasure) -> dict[str, int]:
        """Return how many rows hold the value, by kind."""
        return row.counts

    def get_left(self, row: Erasure) -> int:
        """Return how many events were not erased: under a legal hold, or running just then."""
        return len(row.left)


class ErasureSerializer(ErasureSummarySerializer):
    """An erasure with the ids of what it found."""

    class Meta(ErasureSummarySerializer.Meta):
        fields = [*ErasureSummarySerializer.Meta.fields, "found"]
        read_only_fields = fields
        shapes: ClassVar[dict[str, Any]] = {
            **ErasureSummarySerializer.Meta.shapes,
            "found": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string", "format": "uuid"}},
            },
        }


class ErasureFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /erasures/``."""

    state = filters.MultipleChoiceFilter("state", choices=ErasureState.choices, help_text="One or more.")

    class Meta:
        model = Erasure
        fields: list[str] = []


@describe_erasures(ErasureOrder, ErasureSerializer, ErasureSummarySerializer)
class ErasureViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Erasure]):
    """Orders, for who sees all endpoints: an erasure goes through the events of all."""

    queryset = Erasure.objects.all()
    of_endpoints = False
    filterset_class = ErasureFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = dict.fromkeys(("create", "confirm", "cancel"), erasing.PERMISSION)

    def check_permissions(self, request: Request) -> None:
        """Refuse also who is restricted to groups of endpoints."""
        super().check_permissions(request)
        if groups_of(request.user) is not None:
            raise PermissionDenied("Erasures are for who sees all endpoints.")

    def get_serializer_class(self) -> type[ErasureSummarySerializer]:
        """Return how the erasure is shown."""
        return ErasureSummarySerializer if self.action == "list" else ErasureSerializer

    def create(self, request: Request) -> Response:
        """Have everything counted that holds the value: 202; nothing is erased before it is confirmed."""
        order = ErasureOrder(data=request.data)
        order.is_valid(raise_exception=True)
        chosen = order.validated_data
        try:
            made = erasing.order(chosen["value"], path=chosen["path"], by=caller(request))
        except erasing.NotErased as exc:
            raise ValidationError({"path" if chosen["path"] else "value": [str(exc)]}) from exc
        return Response(self.get_serializer(made).data, status=202)

    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Have erased what was counted: 202, or 409."""
        return self._ordered(request, lambda row, by: erasing.confirm(row, by=by), status=202)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it; what was erased stays erased."""

        def give(row: Erasure, by: User) -> None:
            if not erasing.cancel(row, by=by):
                raise Conflict(f"The erasure is {row.state}; it had ended already.")

        return self._ordered(request, give, status=200)

    def _ordered(self, request: Request, give: Callable[[Erasure, User], None], *, status: int) -> Response:
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        row = self.get_object()
        try:
            give(row, caller(request))
        except erasing.NotErased as exc:
            raise Conflict(str(exc)) from exc
        row.refresh_from_db()
        return Response(self.get_serializer(row).data, status=status)
