"""Alerts that were over long ago go."""

from __future__ import annotations

from typing import Any

from django.test import TestCase, override_settings

from deliveries.models import Alert
from deliveries.retention import prune_rejections, prune_some_alerts
from tests.deliveries.retention.aging import NOW, ago


@override_settings(HUB_ALERT_DAYS=10)
class OldAlertTests(TestCase):
    def alert(self, ended: float | None, **values: Any) -> Alert:
        over = {} if ended is None else {"state": "resolved", "resolved_at": ago(ended), "ended_told": True}
        given = {"state": "firing", "since": ago(30), "seen_at": ago(20), **over, **values}
        return Alert.objects.create(rule_name="r", kind="silence", key=str(Alert.objects.count()), text="t", **given)

    def test_go_by_age_and_none_that_is_open_or_untold(self) -> None:
        old = self.alert(11)
        stay = {self.alert(9), self.alert(None), self.alert(11, ended_told=False)}

        self.assertEqual(prune_some_alerts(now=NOW), 1)

        self.assertEqual(set(Alert.objects.all()), stay)
        self.assertNotIn(old, stay)

    def test_go_with_the_command_too(self) -> None:
        self.alert(11)
        prune_rejections(now=NOW, dry_run=True)
        self.assertTrue(Alert.objects.exists())

        prune_rejections(now=NOW)

        self.assertFalse(Alert.objects.exists())
