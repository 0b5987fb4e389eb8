"""``/schedules/``: events that the hub makes when their time has come."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import caller
from deliveries.api.configuration import ConfiguredViewSet
from deliveries.api.described.schedules import describe_schedules
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.api.schedule_rows import NextRunsSerializer, RunAnswerSerializer, ScheduleSerializer
from deliveries.models import Schedule
from deliveries.schedules import firing
from integrations.api.views import UUID_REGEX

MAY_RUN = "deliveries.run_schedule"
NEXT_RUNS = 5


class ScheduleFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /schedules/``."""

    endpoint = filters.CharFilter("endpoint__slug", max_length=100, help_text="The endpoint's slug.")
    enabled = filters.BooleanFilter("enabled", help_text="Whether it makes events.")

    class Meta:
        model = Schedule
        fields: list[str] = []


@describe_schedules
class ScheduleViewSet(ConfiguredViewSet[Schedule]):
    """Schedules of the endpoints that are in service."""

    queryset = Schedule.objects.filter(endpoint__retired_at=None).select_related("endpoint")
    serializer_class = ScheduleSerializer
    filterset_class = ScheduleFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {"run": MAY_RUN}

    def take_away(self, row: Schedule) -> str:
        """Delete it; the events that it made stay."""
        row.delete()
        return "removed."

    @action(detail=True, methods=["get"])
    def next(self, request: Request, pk: str) -> Response:
        """Say when the next events are made."""
        row = self.get_object()
        ticks = islice(row.rule.ticks(timezone.now()), NEXT_RUNS) if row.enabled else ()
        return Response(NextRunsSerializer({"next": list(ticks), "in_words": row.in_words}).data)

    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Make an event now, beside the schedule's ticks."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        try:
            event = firing.run_now(self.get_object(), by=caller(request), now=timezone.now(), via="API")
        except firing.NotRun as exc:
            raise Conflict(str(exc)) from exc
        return Response(RunAnswerSerializer({"event": event.pk}).data, status=201)
