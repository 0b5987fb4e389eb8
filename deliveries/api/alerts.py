"""``/alert-rules/`` and ``/alerts/``: when people are told, and what was found."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.alerts import telling
from deliveries.alerts.specs import kind_choices
from deliveries.api.alert_rows import AlertRuleSerializer, AlertSerializer
from deliveries.api.audit import ORDER, log
from deliveries.api.configuration import ConfiguredViewSet
from deliveries.api.described.alerts import describe_alert_rules, describe_alerts
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.api.schedule_rows import RunAnswerSerializer
from deliveries.models import Alert, AlertRule, AlertState
from deliveries.receiving.own_events import NotMade
from integrations.api.views import UUID_REGEX, HubViewSet

MAY_TEST = "deliveries.test_alertrule"


class AlertRuleFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /alert-rules/``."""

    kind = filters.ChoiceFilter(choices=kind_choices, help_text="What is looked for.")
    endpoint = filters.CharFilter("endpoint__slug", max_length=100, help_text="The endpoint's slug.")
    enabled = filters.BooleanFilter("enabled", help_text="Whether it looks.")

    class Meta:
        model = AlertRule
        fields: list[str] = []


class AlertFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /alerts/``."""

    state = filters.ChoiceFilter(choices=AlertState.choices, help_text="Where it stands.")
    kind = filters.ChoiceFilter(choices=kind_choices, help_text="What was looked for.")
    rule = filters.UUIDFilter("rule_id", help_text="The rule's id.")
    endpoint = filters.CharFilter("endpoint__slug", max_length=100, help_text="The endpoint's slug.")

    class Meta:
        model = Alert
        fields: list[str] = []


@describe_alert_rules
class AlertRuleViewSet(ConfiguredViewSet[AlertRule]):
    """Rules whose endpoint and route are in service."""

    queryset = AlertRule.objects.filter(endpoint__retired_at=None, route__retired_at=None).select_related(
        "endpoint", "route"
    )
    serializer_class = AlertRuleSerializer
    filterset_class = AlertRuleFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {"test": MAY_TEST}

    def take_away(self, row: AlertRule) -> str:
        """Delete it; the alerts that it found stay."""
        row.delete()
        return "removed."

    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a message that only says that it comes; 409 where no channel is set."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        row = self.get_object()
        try:
            event = telling.test(row, now=timezone.now())
        except NotMade as exc:
            raise Conflict(str(exc)) from exc
        log(request, row, ORDER, "Test message.")
        return Response(RunAnswerSerializer({"event": event.pk}).data, status=201)


@describe_alerts
class AlertViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Alert]):
    """What rules found."""

    queryset = Alert.objects.select_related("endpoint")
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    lookup_value_regex = UUID_REGEX
