"""The pages of schedules."""

from __future__ import annotations

from typing import Any

from django.test import TestCase
from django.urls import reverse

from deliveries.models import AuditEntry, Event, Schedule
from tests.deliveries.api.cases import make_user
from tests.factories import make_endpoint


class SchedulePageTests(TestCase):
    def setUp(self) -> None:
        self.inside = make_endpoint(slug="inside", provider="internal")
        self.client.force_login(make_user("ada", role="administrator", is_staff=True))

    def made(self, **changes: Any) -> Schedule:
        values = {
            "name": "report",
            "endpoint": str(self.inside.pk),
            "event_type": "report.wanted",
            "payload": '{"a": 1}',
            "cron": "0 9 * * *",
            "time_zone": "Europe/Berlin",
            "missed": "once",
            "enabled": "on",
            **changes,
        }
        response = self.client.post(reverse("admin:deliveries_schedule_add"), values)
        self.assertEqual(response.status_code, 302, response.content and response.context["adminform"].errors)
        return Schedule.objects.get()

    def test_makes_one_and_shows_the_next_five_runs(self) -> None:
        row = self.made()

        page = self.client.get(reverse("admin:deliveries_schedule_change", args=[row.pk]))

        self.assertEqual((row.payload, row.next_at is not None), ({"a": 1}, True))
        self.assertContains(page, "At 09:00 every day (Europe/Berlin)")
        self.assertContains(page, "09:00 Europe/Berlin", count=5)

    def test_shows_a_run_on_the_day_of_its_time_zone(self) -> None:
        row = self.made(cron="0 22 * * SUN", time_zone="America/New_York")

        page = self.client.get(reverse("admin:deliveries_schedule_change", args=[row.pk]))

        self.assertContains(page, "Sun 22:00 America/New_York", count=5)

    def test_gives_a_date_with_its_time_a_line_of_its_own(self) -> None:
        page = self.client.get(reverse("admin:deliveries_schedule_add"))

        lines = [[field.field.name for field in line] for part in page.context["adminform"] for line in part]
        for name in ("at", "starts_at", "ends_at"):
            self.assertIn([name], lines)

    def test_runs_now_and_leads_to_the_event(self) -> None:
        row = self.made()

        page = self.client.post(reverse("admin:deliveries_schedule_run", args=[row.pk]), follow=True)

        event = Event.objects.get()
        self.assertContains(page, reverse("admin:deliveries_event_change", args=[event.pk]))
        self.assertTrue(AuditEntry.objects.filter(object_id=str(row.pk), message="Run now.").exists())

    def test_is_not_run_by_a_viewer_nor_by_a_look(self) -> None:
        row = self.made()
        address = reverse("admin:deliveries_schedule_run", args=[row.pk])
        self.assertEqual(self.client.get(address).status_code, 405)
        self.client.force_login(make_user("vera", role="viewer", is_staff=True))

        page = self.client.get(reverse("admin:deliveries_schedule_change", args=[row.pk]))

        self.assertNotContains(page, address)
        self.assertEqual(self.client.post(address).status_code, 403)
        self.assertFalse(Event.objects.exists())

    def test_offers_internal_endpoints_only(self) -> None:
        make_endpoint(slug="walrus", provider="github")

        page = self.client.get(reverse("admin:deliveries_schedule_add"))

        self.assertContains(page, "inside")
        self.assertNotContains(page, "walrus")
