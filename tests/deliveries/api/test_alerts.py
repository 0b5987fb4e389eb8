"""Alert rules and alerts over the API."""

from __future__ import annotations

from typing import Any

from django.test import TestCase
from django.utils import timezone

from deliveries.models import Alert, AlertRule, AuditEntry, Event
from integrations.models import EndpointGroup
from tests.deliveries.api.cases import API, client_of, make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint, make_route


class AlertRuleTests(TestCase):
    def setUp(self) -> None:
        self.client_ = client_of(make_user("ada", role="administrator"))
        self.shop = make_endpoint(slug="shop")

    def make(self, **values: Any) -> Any:
        body = {"name": "quiet", "kind": "silence", "endpoint": "shop", "threshold": 1, **values}
        return self.client_.post(f"{API}/alert-rules/", body)

    def test_are_made_changed_and_removed(self) -> None:
        made = self.make(quiet_times="SAT,SUN", time_zone="Europe/Berlin")
        self.assertEqual(made.status_code, 201, made.content)
        url = f"{API}/alert-rules/{made.json()['id']}/"
        self.assertEqual(self.client_.patch(url, {"threshold": 3}).json()["threshold"], 3.0)
        self.assertEqual(self.client_.delete(url).status_code, 204)
        self.assertFalse(AlertRule.objects.filter(name="quiet").exists())
        self.assertEqual(AuditEntry.objects.filter(object_type="alertrule").count(), 3)

    def test_name_a_route_of_their_endpoint(self) -> None:
        route = make_route(self.shop, name="to the ERP")
        make_route(make_endpoint(slug="other"), name="elsewhere")
        made = self.make(kind="dead_letters", route="to the ERP")
        self.assertEqual(made.json()["route"], "to the ERP", made.content)
        self.assertEqual(AlertRule.objects.get(name="quiet").route, route)
        refused = self.make(name="other", kind="dead_letters", route="elsewhere")
        self.assertEqual((refused.status_code, list(refused.json()["fields"])), (400, ["route"]))

    def test_are_refused_where_they_mean_nothing(self) -> None:
        for field, values in (
            ("endpoint", {"kind": "disk_space", "threshold": 5}),
            ("threshold", {"kind": "dead_letters", "threshold": 0}),
            ("capacity", {"capacity": 10}),
            ("window_seconds", {"kind": "dead_letters", "window_seconds": 600}),
            ("quiet_times", {"quiet_times": "SOMEDAY"}),
            ("quiet_times", {"quiet_times": "MON 25:00-26:00"}),
            ("time_zone", {"time_zone": "Mars/Olympus"}),
            ("kind", {"kind": "nonsense"}),
        ):
            with self.subTest(values):
                refused = self.make(**values)
                self.assertEqual(refused.status_code, 400)
                self.assertIn(field, refused.json()["fields"])

    def test_of_who_is_restricted_are_for_their_endpoints(self) -> None:
        group = EndpointGroup.objects.create(name="team")
        make_endpoint(slug="ours", group=group)
        sam = make_user("sam", role="administrator")
        restrict(sam, group)
        self.client_ = client_of(sam)
        self.assertEqual(self.make(endpoint="ours").status_code, 201)
        self.assertIn("endpoint", self.make(name="all", endpoint=None).json()["fields"])
        self.assertEqual([row["name"] for row in self.client_.get(f"{API}/alert-rules/").json()["results"]], ["quiet"])

    def test_send_a_test_on_order(self) -> None:
        url = f"{API}/alert-rules/{self.make().json()['id']}/test/"
        self.assertEqual(self.client_.post(url).status_code, 409)
        make_route(make_endpoint(slug="hub-alerts", provider="internal"))
        sent = self.client_.post(url)
        self.assertEqual((sent.status_code, sent.json()["event"]), (201, str(Event.objects.get().pk)))
        self.assertEqual(client_of(make_user("eve", role="viewer")).post(url).status_code, 403)


class AlertListTests(TestCase):
    def test_is_filtered_by_state_and_shows_where_to_read_on(self) -> None:
        shop, now = make_endpoint(slug="shop"), timezone.now()
        for state in ("firing", "resolved"):
            Alert.objects.create(
                rule_name="r",
                kind="silence",
                key=state,
                endpoint=shop,
                state=state,
                since=now,
                seen_at=now,
                text="Quiet.",
            )
        client = client_of(make_user("vera", role="viewer"))
        [row] = client.get(f"{API}/alerts/?state=firing").json()["results"]
        self.assertEqual((row["endpoint"], row["runbook"]), ("shop", "docs/runbooks/silence.md"))
        self.assertEqual(client.get(f"{API}/alerts/{row['id']}/").json(), row)
        self.assertEqual(client.post(f"{API}/alerts/", {}).status_code, 403)
