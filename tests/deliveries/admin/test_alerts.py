"""The pages of alerts, of their rules and of their channels."""

from __future__ import annotations

import re
from typing import Any

from django.test import TestCase
from django.urls import reverse
from django.utils import timezone

from deliveries.models import Alert, AlertRule, AuditEntry, Event
from integrations.models import Connection, EndpointGroup, Route
from tests.deliveries.api.cases import make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint, make_route


class AlertPagesTestCase(TestCase):
    def setUp(self) -> None:
        self.shop = make_endpoint(slug="shop")
        self.route = make_route(self.shop, name="to the ERP")
        self.rule = AlertRule.objects.get(kind="dead_letters")
        self.ada = make_user("ada", role="administrator", is_staff=True)
        self.client.force_login(self.ada)

    def alert(self, **values: Any) -> Alert:
        now = timezone.now()
        return Alert.objects.create(
            **{
                "rule": self.rule,
                "rule_name": "Dead letters",
                "kind": "dead_letters",
                "key": "k",
                "endpoint": self.shop,
                "about": "shop → to the ERP",
                "text": "2 deliveries gave up.",
                "state": "firing",
                "since": now,
                "seen_at": now,
                "page": "deliveries",
                "page_filters": {"status": "dead", "route": str(self.route.pk)},
                **values,
            }
        )


class AlertPageTests(AlertPagesTestCase):
    def test_leads_to_what_it_is_about_and_names_the_runbook(self) -> None:
        row = self.alert()
        page = self.client.get(reverse("admin:deliveries_alert_change", args=[row.pk]))
        [link] = re.findall(r'href="/admin/deliveries/delivery/\?([^"]*)"', page.content.decode())
        # PostgreSQL keeps an object's fields in an order of its own.
        self.assertEqual(sorted(link.split("&amp;")), [f"route={self.route.pk}", "status=dead"])
        self.assertContains(page, "docs/runbooks/dead-letters.md")

    def test_links_to_the_runbook_where_it_is_served(self) -> None:
        row = self.alert()
        with self.settings(HUB_DOCS_URL="https://docs.example.com"):
            page = self.client.get(reverse("admin:deliveries_alert_change", args=[row.pk]))
        self.assertContains(page, 'href="https://docs.example.com/runbooks/dead-letters.html"')

    def test_is_in_the_list_and_on_the_first_page_while_it_fires(self) -> None:
        self.alert()
        self.alert(state="resolved", about="long ago", key="k2")
        self.assertContains(self.client.get(reverse("admin:deliveries_alert_changelist")), "long ago")
        home = self.client.get(reverse("admin:index"))
        self.assertContains(home, "Dead letters: shop → to the ERP")
        self.assertNotContains(home, "long ago")

    def test_cannot_be_changed(self) -> None:
        url = reverse("admin:deliveries_alert_change", args=[self.alert().pk])
        self.assertEqual(self.client.post(url, {}).status_code, 405)


class RulePageTests(AlertPagesTestCase):
    def values(self, **changes: Any) -> dict[str, Any]:
        made = {"name": "quiet", "kind": "silence", "endpoint": str(self.shop.pk), "threshold": "1"}
        return {**made, "remind_hours": "24", "time_zone": "UTC", "enabled": "on", **changes}

    def test_makes_one_and_notes_it(self) -> None:
        answer = self.client.post(reverse("admin:deliveries_alertrule_add"), self.values(quiet_times="SAT,SUN"))
        self.assertEqual(answer.status_code, 302)
        self.assertEqual(AlertRule.objects.get(name="quiet").limit, 1)
        self.assertTrue(AuditEntry.objects.filter(object_type="alertrule", action="made").exists())

    def test_says_what_is_wrong_with_one(self) -> None:
        page = self.client.post(reverse("admin:deliveries_alertrule_add"), self.values(quiet_times="SOMEDAY"))
        self.assertContains(page, "&#x27;SOMEDAY&#x27; is no day of the week")

    def test_refuses_a_rule_over_all_from_who_is_restricted(self) -> None:
        restrict(self.ada, EndpointGroup.objects.create(name="team"))
        page = self.client.post(reverse("admin:deliveries_alertrule_add"), self.values(endpoint=""))
        self.assertContains(page, "You are restricted to groups: name one of their endpoints.")

    def test_shows_the_state_of_each(self) -> None:
        self.alert()
        self.alert(state="pending", key="k2", rule=AlertRule.objects.get(kind="silence"))
        AlertRule.objects.filter(kind="refusals").update(enabled=False)
        page = self.client.get(reverse("admin:deliveries_alertrule_changelist"))
        for text in ("1 firing", "1 pending", ">off<", ">ok<", "300 seconds"):
            self.assertContains(page, text)

    def test_sends_a_test_and_links_to_its_event(self) -> None:
        url = reverse("admin:deliveries_alertrule_test", args=[self.rule.pk])
        self.assertContains(self.client.post(url, follow=True), "No channel is set")
        make_route(make_endpoint(slug="hub-alerts", provider="internal"))
        page = self.client.post(url, follow=True)
        self.assertContains(page, reverse("admin:deliveries_event_change", args=[Event.objects.get().pk]))
        self.assertEqual(self.client.get(url).status_code, 405)

    def test_sends_none_for_a_viewer(self) -> None:
        self.client.force_login(make_user("vera", role="viewer", is_staff=True))
        answer = self.client.post(reverse("admin:deliveries_alertrule_test", args=[self.rule.pk]))
        self.assertEqual((answer.status_code, Event.objects.count()), (403, 0))


class ChannelPageTests(AlertPagesTestCase):
    def add(self, key: str, **values: str) -> Any:
        return self.client.post(reverse("admin:deliveries_alertrule_channel", args=[key]), values, follow=True)

    def test_adds_a_mail_address(self) -> None:
        page = self.add("email", recipients="ops@example.com, ada@example.com")
        self.assertContains(page, "E-mail to ops@example.com, ada@example.com")
        route = Route.objects.get(handler="email.send")
        self.assertEqual((route.endpoint.slug, route.priority), ("hub-alerts", 9))

    def test_refuses_what_is_no_address(self) -> None:
        self.assertContains(self.add("email", recipients="ops"), "Enter a valid email address.")
        self.assertFalse(Route.objects.filter(handler="email.send").exists())

    def test_adds_a_channel_of_slack_and_a_webhook(self) -> None:
        Connection.objects.create(name="out", base_url="https://slack.com/api")
        self.assertContains(self.add("slack", connection="out", channel_id="C0123456789"), "Slack C0123456789")
        self.assertContains(self.add("webhook", connection="out"), "Webhook out")
        self.assertEqual(self.client.get(reverse("admin:deliveries_alertrule_channel", args=["fax"])).status_code, 404)

    def test_is_not_for_who_sees_some_endpoints_only(self) -> None:
        group = EndpointGroup.objects.create(name="team")
        restrict(self.ada, group)
        self.assertEqual(self.add("email", recipients="eve@example.com").status_code, 403)
        self.assertNotContains(self.client.get(reverse("admin:deliveries_alertrule_changelist")), "Add e-mail")
