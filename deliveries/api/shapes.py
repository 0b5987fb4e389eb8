"""``/shapes/``: what payloads of each event type look like, and what has changed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import caller
from deliveries.api.described.shapes import describe_shapes
from deliveries.api.orders import EmptyOrder
from deliveries.api.shape_rows import ShapeSerializer, WholeShapeSerializer
from deliveries.models import Shape
from deliveries.shapes import accepting
from integrations.api.views import UUID_REGEX, HubViewSet


class ShapeFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /shapes/``."""

    endpoint = filters.CharFilter("endpoint__slug", max_length=100, help_text="The endpoint's slug.")
    event_type = filters.CharFilter("event_type", max_length=255, help_text="The event type, whole.")
    changed = filters.BooleanFilter(
        "changed_at", lookup_expr="isnull", exclude=True, help_text="Whether there is a change that nobody accepted."
    )

    class Meta:
        model = Shape
        fields: list[str] = []


@describe_shapes
class ShapeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Shape]):
    """Shapes of endpoints whose payloads may be seen."""

    queryset = Shape.objects.shown().select_related("endpoint")
    filterset_class = ShapeFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {"accept": accepting.PERMISSION}

    def get_queryset(self) -> QuerySet[Shape]:
        """Return the rows that the user may see; a list does without the fields."""
        rows = super().get_queryset()
        return rows.defer("fields", "folded") if self.action == "list" else rows

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        """Return what a row looks like: whole where there is one."""
        return ShapeSerializer if self.action == "list" else WholeShapeSerializer

    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:
        """Accept every open change; one that has none stays as it is."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        row = self.get_object()
        accepting.accept(row, by=caller(request), via="API")
        row.refresh_from_db()
        return Response(WholeShapeSerializer(row).data)
