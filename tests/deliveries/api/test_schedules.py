"""``/api/v1/schedules/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from deliveries.models import Event, Schedule
from integrations.api.scopes import Scope
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint

URL = f"{API}/schedules/"
NEW: dict[str, Any] = {"name": "report", "endpoint": "inside", "cron": "0 9 * * MON-FRI", "time_zone": "Europe/Berlin"}


class ScheduleApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_endpoint(slug="inside", provider="internal")

    def made(self, **changes: Any) -> dict[str, Any]:
        response = self.client.post(URL, {**NEW, **changes})
        self.assertEqual(response.status_code, 201, response.content)
        answer: dict[str, Any] = response.json()
        return answer

    def test_makes_one_that_knows_its_next_tick(self) -> None:
        answer = self.made(payload={"report": "orders"})

        self.assertEqual(answer["payload"], {"report": "orders"})
        self.assertEqual(answer["missed"], "once")
        self.assertEqual(answer["next_at"][11:16], timezone.localtime(Schedule.objects.get().next_at).strftime("%H:%M"))

    def test_plans_anew_when_the_rule_changes(self) -> None:
        url = f"{URL}{self.made()['id']}/"

        off = self.client.patch(url, {"enabled": False}).json()
        on = self.client.patch(url, {"enabled": True, "cron": "", "interval_seconds": 60}).json()

        self.assertIsNone(off["next_at"])
        self.assertIsNotNone(on["next_at"])

    def test_keeps_a_tick_that_is_due_when_the_same_rule_is_sent_again(self) -> None:
        answer = self.made()
        due = timezone.now().replace(microsecond=0) - timedelta(hours=1)
        Schedule.objects.update(next_at=due)

        self.client.patch(f"{URL}{answer['id']}/", {"cron": answer["cron"], "enabled": True, "payload": {"a": 1}})

        self.assertEqual(Schedule.objects.get().next_at, due)

    def test_says_when_it_runs_next(self) -> None:
        answer = self.client.get(f"{URL}{self.made()['id']}/next/").json()

        self.assertEqual(len(answer["next"]), 5)
        self.assertEqual(answer["in_words"], "At 09:00 on Monday through Friday (Europe/Berlin)")

    def test_runs_now_by_who_may_operate(self) -> None:
        url = f"{URL}{self.made()['id']}/run/"
        self.assertEqual(client_of(make_user("v", role="viewer")).post(url).status_code, 403)
        self.assertEqual(client_of(self.user, Scope.READ).post(url).status_code, 403)

        response = client_of(make_user("o", role="operator"), Scope.REPLAY).post(url)

        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(response.json()["event"], str(Event.objects.get().pk))

    def test_refuses_what_has_no_time_or_no_place(self) -> None:
        make_endpoint(slug="outside", provider="github")
        for name, changes in (
            ("cron", {"cron": ""}),
            ("cron", {"cron": "99 * * * *"}),
            ("cron", {"interval_seconds": 60}),
            ("time_zone", {"time_zone": "Mars"}),
            ("endpoint", {"endpoint": "outside"}),
            ("endpoint", {"endpoint": "nowhere"}),
            ("missed", {"missed": "never"}),
        ):
            with self.subTest(changes=changes):
                self.assert_error(self.client.post(URL, {**NEW, **changes}), 400, "validation_error", name)

    def test_is_removed_and_leaves_its_events(self) -> None:
        url = f"{URL}{self.made()['id']}/"
        self.client.post(f"{url}run/")

        self.assertEqual(self.client.delete(url).status_code, 204)

        self.assertEqual((Schedule.objects.count(), Event.objects.count()), (0, 1))
