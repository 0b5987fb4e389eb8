"""How alerts and their rules look in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from deliveries.alerts.guard import guard_rule
from deliveries.alerts.telling import runbook
from deliveries.models import Alert, AlertRule
from integrations.api.checked import CheckedSerializer
from integrations.api.serializers import VisibleSlugField
from integrations.models import Endpoint, Route


class AlertRuleSerializer(CheckedSerializer[AlertRule]):
    """When people are told: a kind of trouble, where it is looked for, and from how much on."""

    endpoint = VisibleSlugField(
        slug_field="slug", queryset=Endpoint.objects.live(), required=False, allow_null=True, default=None
    )
    route = serializers.CharField(
        max_length=200,
        required=False,
        allow_null=True,
        default=None,
        help_text="A route of that endpoint, by its name.",
    )

    class Meta:
        model = AlertRule
        fields = [
            "id",
            "name",
            "kind",
            "endpoint",
            "route",
            "threshold",
            "capacity",
            "window_seconds",
            "for_seconds",
            "remind_hours",
            "quiet_times",
            "time_zone",
            "enabled",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "created_at", "updated_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the route by its name, and check the row; of several of one name the oldest is meant."""
        name = attrs.get("route")
        if name is not None:
            endpoint = attrs.get("endpoint") if "endpoint" in attrs else getattr(self.instance, "endpoint", None)
            routes = Route.objects.live().filter(endpoint=endpoint, name=name).order_by("created_at", "pk")
            attrs["route"] = routes.first()
            if attrs["route"] is None:
                raise serializers.ValidationError({"route": "The endpoint has no such route."})
        return super().validate(attrs)

    def check(self, candidate: AlertRule, attrs: Mapping[str, Any]) -> None:
        """Refuse a rule over all endpoints by who is restricted to groups."""
        request = self.context.get("request")
        if request is not None:
            guard_rule(request.user, candidate)


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One thing that a rule found."""

    rule = serializers.UUIDField(source="rule_id", allow_null=True, help_text="Null: the rule is removed.")
    endpoint = serializers.CharField(source="endpoint.slug", default=None, allow_null=True)
    runbook = serializers.SerializerMethodField(help_text="Where it is written what to do.")

    class Meta:
        model = Alert
        fields = [
            "id",
            "rule",
            "rule_name",
            "kind",
            "state",
            "about",
            "endpoint",
            "text",
            "next_step",
            "since",
            "seen_at",
            "fired_at",
            "told_at",
            "resolved_at",
            "runbook",
        ]
        read_only_fields = fields

    def get_runbook(self, row: Alert) -> str:
        """Return where it is written what to do."""
        return runbook(row.kind)
