"""``/connections/``: outside systems that handlers call."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import ORDER, log
from deliveries.api.configuration import ConfiguredViewSet
from deliveries.api.described import describe_connections
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.callers import callers_of
from integrations.api.connections import ConnectionSerializer, HealthSerializer, TrialSerializer
from integrations.calling.trying import try_connection
from integrations.models import Connection, ConnectionHealth, ConnectionState

MAY_TEST = "integrations.test_connection"


class ConnectionFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /connections/``."""

    kind = filters.CharFilter("kind", max_length=50, help_text="The kind of outside system.")
    state = filters.ChoiceFilter(choices=ConnectionState.choices, help_text="Whether calls are made.")
    group = filters.CharFilter("group__name", max_length=100, help_text="A group's name.")

    class Meta:
        model = Connection
        fields: list[str] = []


@describe_connections
class ConnectionViewSet(ConfiguredViewSet[Connection]):
    """Connections by name, and a test of each."""

    queryset = Connection.objects.live().select_related("group")
    serializer_class = ConnectionSerializer
    filterset_class = ConnectionFilter
    lookup_field = "name"
    lookup_value_regex = "[-a-zA-Z0-9_]+"
    action_permissions: ClassVar[dict[str, str]] = {"test": MAY_TEST}

    def take_away(self, row: Connection) -> str:
        """Take the connection out of service; raises `Conflict` while anything calls it."""
        if callers := callers_of(row):
            raise Conflict(f"It is called by {len(callers)}, such as {callers[0]}.")
        row.retire(now=timezone.now())
        return "retired."

    @action(detail=True)
    def health(self, request: Request, name: str) -> Response:
        """Say how the connection does, as all workers know it."""
        connection = self.get_object()
        row = ConnectionHealth.objects.filter(pk=connection.pk).first() or ConnectionHealth(connection=connection)
        return Response(HealthSerializer(row).data)

    @action(detail=True, methods=["post"])
    def test(self, request: Request, name: str) -> Response:
        """Call the connection's test path, once."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        connection = self.get_object()
        log(request, connection, ORDER, "tested.")
        trial = try_connection(connection)
        answer = {"ok": trial.is_well, "detail": trial.text, "status": trial.status, "duration_ms": trial.milliseconds}
        return Response(TrialSerializer(answer).data)
