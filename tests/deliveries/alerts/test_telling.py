"""Messages about alerts: one for all that is new, through every channel, and never a storm."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import override_settings

from deliveries.alerts import channels, telling
from deliveries.models import Alert, AlertRule, AuditEntry, Delivery, Event
from deliveries.receiving.own_events import NotMade
from integrations.handlers import handlers
from integrations.models import Connection, Endpoint, Route
from tests.deliveries.alerts.cases import NOW, AlertTestCase
from tests.factories import make_delivery, make_route


class TellingTestCase(AlertTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.channel()

    def die(self, count: int = 1) -> None:
        """Let ``count`` further routes have a dead letter."""
        for _ in range(count):
            make_delivery(make_route(self.shop), status="dead", finished_at=NOW)

    def mend(self) -> None:
        Delivery.objects.filter(status="dead").update(status="discarded")

    def told(self, minutes: float = 0) -> Any:
        """Look; return the payload of the message, None if there was none."""
        event = self.look(minutes)
        return None if event is None else event.payload


class MessageTests(TellingTestCase):
    def test_is_one_for_all_that_fired_at_a_time(self) -> None:
        self.rule("dead_letters")
        self.die(3)
        payload = self.told()
        self.assertEqual((payload["counts"], len(payload["fired"])), ({"fired": 3, "recovered": 0, "reminders": 0}, 3))
        self.assertIn("and 2 more", payload["subject"])
        self.assertEqual(Event.objects.get(endpoint__slug="hub-alerts").event_type, "alerts.fired")

    def test_says_what_is_wrong_what_to_do_and_where(self) -> None:
        self.rule("dead_letters", name="Dead letters")
        self.die()
        payload = self.told()
        alert = payload["fired"][0]
        self.assertEqual(alert["runbook"], "docs/runbooks/dead-letters.md")
        self.assertTrue(alert["url"].endswith(f"/admin/deliveries/alert/{alert['id']}/change/"))
        for part in ("Dead letters: shop → ", "1 delivery gave up.", "Open one to see its error", alert["url"]):
            self.assertIn(part, payload["text"])

    @override_settings(HUB_DOCS_URL="https://docs.example.com")
    def test_links_to_the_runbook_where_it_is_served(self) -> None:
        self.assertEqual(telling.runbook("dead_letters"), "https://docs.example.com/runbooks/dead-letters.html")

    def test_names_ten_of_many_and_counts_the_others(self) -> None:
        self.rule("dead_letters")
        self.die(25)
        payload = self.told()
        self.assertEqual((payload["counts"]["fired"], len(payload["fired"])), (25, 10))
        self.assertIn("… and 15 more.", payload["text"])
        self.assertIsNone(self.told(1))

    def test_comes_once_for_what_lasts(self) -> None:
        self.rule("dead_letters")
        self.die()
        self.told()
        self.assertIsNone(self.told(1))

    def test_comes_again_after_as_many_hours_as_the_rule_says(self) -> None:
        self.rule("dead_letters", remind_hours=2)
        self.die()
        self.told()
        self.assertIsNone(self.told(119))
        self.assertEqual(self.told(120)["counts"]["reminders"], 1)
        self.assertIsNone(self.told(121))

    def test_never_comes_again_where_the_rule_says_so(self) -> None:
        self.rule("dead_letters", remind_hours=0)
        self.die()
        self.told()
        self.assertIsNone(self.told(60 * 24 * 30))

    def test_tells_that_it_is_over(self) -> None:
        self.rule("dead_letters")
        self.die()
        self.told()
        self.mend()
        payload = self.told(3)
        self.assertEqual((payload["counts"]["recovered"], payload["subject"][:11]), (1, "[hub] Over:"))
        self.assertIsNone(self.told(4))

    def test_tells_the_end_of_what_was_told_alone(self) -> None:
        self.rule("dead_letters", quiet_times="WED")
        self.die()
        self.assertIsNone(self.told())
        self.mend()
        self.look(3)
        AlertRule.objects.update(quiet_times="")
        self.assertIsNone(self.told(4))
        self.assertEqual(Alert.objects.get().state, "resolved")

    def test_waits_for_the_end_of_quiet_times(self) -> None:
        self.rule("dead_letters", quiet_times="WED 12:00-13:00")
        self.die()
        self.assertIsNone(self.told())
        self.assertEqual(self.told(30)["counts"]["fired"], 1)


class ChannelTests(TellingTestCase):
    def test_missing_leaves_all_to_be_told_once_there_is_one(self) -> None:
        telling.hub_alerts().routes.update(enabled=False)  # type: ignore[union-attr]
        self.rule("dead_letters")
        self.die()
        self.assertIsNone(self.told())
        self.channel()
        self.assertEqual(self.told(1)["counts"]["fired"], 1)

    def test_are_routes_each_with_a_delivery_of_its_own(self) -> None:
        self.channel(events=["alerts.recovered"])
        self.channel()
        self.rule("dead_letters")
        self.die()
        self.look()
        self.assertEqual(Delivery.objects.filter(endpoint__slug="hub-alerts").count(), 2)

    def shown(self, channel: Route) -> Any:
        """Add ``channel``, and return what its handler makes of a message."""
        channels.add(channel, by=User.objects.create(username="ada"))
        event = telling.test(self.rule("dead_letters", name="Dead letters"), now=NOW)
        preview = handlers[channel.handler].preview
        assert preview is not None
        self.assertEqual(event.deliveries.filter(route=channel).count(), 1)
        return preview(event.inbound(), channel.config)

    @override_settings(DEFAULT_FROM_EMAIL="hub@example.com")
    def test_can_be_a_mail(self) -> None:
        shown = self.shown(channels.mail(["ops@example.com", "ada@example.com"]))
        self.assertEqual(
            (shown["to"], shown["subject"]), (["ops@example.com", "ada@example.com"], "[hub] Test: Dead letters")
        )
        self.assertIn("This is a test: nothing is wrong.", shown["text"])

    def test_can_be_a_channel_of_slack(self) -> None:
        Connection.objects.create(name="slack", base_url="https://slack.com/api")
        shown = self.shown(channels.slack("slack", "C0123456789"))
        self.assertEqual(shown["channel"], "C0123456789")
        self.assertIn("*[hub] Test: Dead letters*", shown["text"])

    def test_can_be_a_signed_webhook(self) -> None:
        Connection.objects.create(
            name="pager",
            base_url="https://pager.example.com",
            auth="standard_webhooks",
            credentials={"secret": "whsec_" + "a" * 32},
        )
        shown = self.shown(channels.webhook("pager", "hooks/hub"))
        self.assertEqual((shown["connection"], shown["path"]), ("pager", "hooks/hub"))

    def test_makes_the_endpoint_of_the_messages_and_notes_who_did(self) -> None:
        Route.objects.filter(endpoint__slug="hub-alerts").delete()
        Endpoint.objects.filter(slug="hub-alerts").delete()
        channels.add(channels.mail(["ops@example.com"]), by=User.objects.create(username="ada"))
        self.assertEqual(telling.hub_alerts().routes.count(), 1)  # type: ignore[union-attr]
        self.assertEqual(sorted(AuditEntry.objects.values_list("object_type", flat=True)), ["endpoint", "route"])

    def test_cannot_be_where_another_endpoint_has_the_slug(self) -> None:
        Endpoint.objects.filter(slug="hub-alerts").update(provider="github")
        with self.assertRaises(channels.NoPlace):
            channels.add(channels.mail(["ops@example.com"]), by=User.objects.create(username="ada"))
        self.assertIsNone(telling.hub_alerts())


class StormTests(TellingTestCase):
    @override_settings(HUB_ALERT_MESSAGES_PER_HOUR=3)
    def test_ends_in_one_note_that_more_is_held_back(self) -> None:
        self.rule("dead_letters")
        subjects = []
        for minute in range(10):
            self.die()
            payload = self.told(minute)
            subjects.append(payload and payload["subject"])
        self.assertEqual(subjects[3], "[hub] More alerts are held back")
        self.assertEqual(([bool(text) for text in subjects[:4]], subjects[4:]), ([True] * 4, [None] * 6))

        # An hour after the first: all that was held back, together.
        self.assertEqual(self.told(60)["counts"]["fired"], 7)

    def test_of_one_rule_is_a_hundred_alerts_at_most(self) -> None:
        self.rule("dead_letters")
        self.die(104)
        self.look()
        self.assertEqual(Alert.objects.count(), 100)


class TestMessageTests(TellingTestCase):
    def test_goes_the_way_of_all_messages_and_keeps_no_alert(self) -> None:
        event = telling.test(self.rule("dead_letters", name="Dead letters"), now=NOW)
        self.assertEqual((event.event_type, event.payload["subject"]), ("alerts.test", "[hub] Test: Dead letters"))
        self.assertEqual((event.deliveries.count(), Alert.objects.count()), (1, 0))

    def test_is_refused_where_no_channel_is_set(self) -> None:
        telling.hub_alerts().routes.update(enabled=False)  # type: ignore[union-attr]
        with self.assertRaisesMessage(NotMade, "No channel is set"):
            telling.test(self.rule("dead_letters"), now=NOW + timedelta(minutes=1))
