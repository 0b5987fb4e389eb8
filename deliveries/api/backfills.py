"""``/backfills/`` and ``/backfill-runs/``: how providers are asked what they sent, and what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import backfilling
from deliveries.api.audit import caller
from deliveries.api.backfill_rows import BackfillRunSerializer, BackfillSerializer
from deliveries.api.configuration import ConfiguredViewSet
from deliveries.api.described.backfills import describe_backfill_runs, describe_backfills
from deliveries.api.errors import Conflict
from deliveries.models import Backfill, BackfillRun, RunState
from deliveries.models.backfill import LONGEST_MINUTES, SHORTEST_MINUTES
from integrations.api.checked import OrderSerializer
from integrations.api.views import UUID_REGEX, HubViewSet

MAY_ORDER = "deliveries.order_backfill"
MAY_SEE = "deliveries.view_backfill"


class RunOrder(OrderSerializer):
    """The body of an order to ask the provider now."""

    lookback_minutes = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=SHORTEST_MINUTES,
        max_value=LONGEST_MINUTES,
        help_text="Ask about so long; null: as long as the backfill says.",
    )


class BackfillFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /backfills/``."""

    endpoint = filters.CharFilter("endpoint__slug", max_length=100, help_text="The endpoint's slug.")

    class Meta:
        model = Backfill
        fields: list[str] = []


@describe_backfills(RunOrder)
class BackfillViewSet(ConfiguredViewSet[Backfill]):
    """Backfills of the endpoints that are in service."""

    queryset = Backfill.objects.filter(endpoint__retired_at=None).select_related("endpoint", "connection")
    serializer_class = BackfillSerializer
    filterset_class = BackfillFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {"run": MAY_ORDER}

    def take_away(self, row: Backfill) -> str:
        """Delete it with its runs; what they stored stays."""
        row.delete()
        return "removed."

    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Have a worker ask the provider: 202 with the run, 409 while one is under way."""
        body = RunOrder(data=request.data)
        body.is_valid(raise_exception=True)
        minutes = body.validated_data["lookback_minutes"]
        lookback = None if minutes is None else timedelta(minutes=minutes)
        try:
            run = backfilling.order(self.get_object(), by=caller(request), lookback=lookback, via="API")
        except backfilling.NotOrdered as exc:
            raise Conflict(str(exc)) from exc
        return Response(BackfillRunSerializer(run).data, status=202)


class RunFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /backfill-runs/``."""

    backfill = filters.UUIDFilter("backfill", help_text="The id of a backfill.")
    endpoint = filters.CharFilter("backfill__endpoint__slug", max_length=100, help_text="The endpoint's slug.")
    state = filters.MultipleChoiceFilter("state", choices=RunState.choices, help_text="One or more.")

    class Meta:
        model = BackfillRun
        fields: list[str] = []


@describe_backfill_runs
class BackfillRunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[BackfillRun]):
    """Runs, kept for 30 days; they are seen by who may see backfills."""

    queryset = BackfillRun.objects.filter(backfill__endpoint__retired_at=None).select_related("backfill__endpoint")
    serializer_class = BackfillRunSerializer
    filterset_class = RunFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, Any]] = {"list": MAY_SEE, "retrieve": MAY_SEE}
