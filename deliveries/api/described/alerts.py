"""``/alert-rules/`` and ``/alerts/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries.api.alert_rows import AlertRuleSerializer, AlertSerializer
from deliveries.api.orders import EmptyOrder
from deliveries.api.schedule_rows import RunAnswerSerializer
from integrations.api.schema import operation

RULE: dict[str, Any] = {
    "id": "01a21d71-5c1e-7f40-9a11-0d2f6a3b7c55",
    "name": "orders is quiet",
    "kind": "silence",
    "endpoint": "orders",
    "route": None,
    "threshold": 1.0,
    "capacity": None,
    "window_seconds": 3600,
    "for_seconds": None,
    "remind_hours": 24,
    "quiet_times": "SAT,SUN",
    "time_zone": "Europe/Berlin",
    "enabled": True,
    "created_at": "2026-11-20T12:10:02.412713Z",
    "updated_at": "2026-11-20T12:10:02.412713Z",
}
NEW_RULE: dict[str, Any] = {
    "name": "orders is quiet",
    "kind": "silence",
    "endpoint": "orders",
    "threshold": 1,
    "quiet_times": "SAT,SUN",
    "time_zone": "Europe/Berlin",
}
ALERT: dict[str, Any] = {
    "id": "01a21d80-77aa-7c11-8b2f-4b1d2f6a3b7c",
    "rule": RULE["id"],
    "rule_name": "orders is quiet",
    "kind": "silence",
    "state": "firing",
    "about": "orders",
    "endpoint": "orders",
    "text": "0 came in the last 60 minutes; expected are 1 or more.",
    "next_step": "See at the provider whether the webhook is still switched on, and what its deliveries say.",
    "since": "2026-11-27T08:00:04.112713Z",
    "seen_at": "2026-11-27T08:21:04.412713Z",
    "fired_at": "2026-11-27T08:00:04.112713Z",
    "told_at": "2026-11-27T08:00:04.112713Z",
    "resolved_at": None,
    "runbook": "https://docs.example.com/runbooks/silence.html",
}

describe_alert_rules = extend_schema_view(
    list=operation(
        "list_alert_rules",
        "List alert rules",
        answers={200: ("A page of rules, the newest first.", AlertRuleSerializer(many=True), RULE)},
    ),
    retrieve=operation("get_alert_rule", "Show an alert rule", answers={200: ("The rule.", AlertRuleSerializer, RULE)}),
    create=operation(
        "create_alert_rule",
        "Make an alert rule",
        description="What is null has the default of the rule's kind.",
        request=(AlertRuleSerializer, {"At least one an hour, but at weekends": NEW_RULE}),
        answers={201: ("The rule that was made.", AlertRuleSerializer, RULE)},
    ),
    partial_update=operation(
        "update_alert_rule",
        "Change an alert rule",
        description="It counts from the next look on, within a minute.",
        request=(AlertRuleSerializer, {"Off": {"enabled": False}}),
        answers={200: ("The rule as it is now.", AlertRuleSerializer, {**RULE, "enabled": False})},
    ),
    destroy=operation(
        "delete_alert_rule",
        "Remove an alert rule",
        description="The alerts that it found stay, and those that are open end.",
        answers={204: ("It is removed.", None, None)},
    ),
    test=operation(
        "test_alert_rule",
        "Send a test message for an alert rule",
        description="Through every channel that takes events of the type `alerts.test`. 409 where no channel is set.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={201: ("The event of the message.", RunAnswerSerializer, {"event": ALERT["id"]})},
    ),
)
describe_alerts = extend_schema_view(
    list=operation(
        "list_alerts",
        "List alerts",
        answers={200: ("A page of alerts, the newest first.", AlertSerializer(many=True), ALERT)},
    ),
    retrieve=operation("get_alert", "Show an alert", answers={200: ("The alert.", AlertSerializer, ALERT)}),
)
