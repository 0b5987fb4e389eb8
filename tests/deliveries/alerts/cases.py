"""What tests of alerts have in common: a moment, a place, and rules of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import TestCase

from deliveries.alerts.evaluating import claim, evaluate
from deliveries.alerts.telling import tell
from deliveries.models import Alert, AlertRule, Event, Worker
from integrations.models import Endpoint, Route
from tests.factories import make_endpoint, make_route

NOW = datetime(2026, 11, 25, 12, 30, 20, tzinfo=UTC)  # a Wednesday


class AlertTestCase(TestCase):
    def setUp(self) -> None:
        AlertRule.objects.all().delete()  # those that an installation begins with
        self.shop = make_endpoint(slug="shop", provider="github", created_at=NOW - timedelta(days=40))
        Endpoint.objects.filter(pk=self.shop.pk).update(created_at=NOW - timedelta(days=40))
        self.route = make_route(self.shop, name="to the ERP")
        Worker.objects.create(name="w", started_at=NOW, beat_at=NOW + timedelta(days=2))

    def rule(self, kind: str, **values: Any) -> AlertRule:
        row = AlertRule(**{"name": kind, "kind": kind, "for_seconds": 0, **values})
        row.full_clean()
        row.save()
        return row

    def look(self, minutes: float = 0) -> Event | None:
        """Look and tell, so many minutes after `NOW`; return the message."""
        now = NOW + timedelta(minutes=minutes)
        claim(now)
        evaluate(now=now)
        return tell(now=now)

    def channel(self, **values: Any) -> Route:
        """Let messages go somewhere."""
        endpoint = Endpoint.objects.filter(slug="hub-alerts").first()
        return make_route(endpoint or make_endpoint(slug="hub-alerts", provider="internal"), **values)

    def texts(self, *, state: str = "firing") -> list[str]:
        """Return what the alerts of one state say, the oldest first."""
        return [row.text for row in Alert.objects.filter(state=state).order_by("since", "pk")]
