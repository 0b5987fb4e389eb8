"""Alert rules in a configuration file."""

from __future__ import annotations

from django.db.models import QuerySet

from deliveries.api.alert_rows import AlertRuleSerializer
from deliveries.configuration.kind import Kind
from deliveries.models import AlertRule


class AlertRules(Kind):
    """Known by their name. Channels are routes, and with those."""

    name = "alert_rules"
    noun = "alert rule"
    serializer = AlertRuleSerializer
    identity = ("name",)
    always = ("kind",)

    def rows(self) -> QuerySet[AlertRule]:
        """Return those whose endpoint and route are in service, by name."""
        live = AlertRule.objects.filter(endpoint__retired_at=None, route__retired_at=None)
        return live.select_related("endpoint", "route").order_by("name")

    def retire(self, row: AlertRule) -> None:
        """Delete it; the alerts that it found stay."""
        row.delete()
