"""The hub sends itself a signed event, and tells when none comes out at the other end."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock, skipUnless

import structlog
from django.db import Error, OperationalError, ProgrammingError, connection
from django.test import LiveServerTestCase, TestCase, override_settings
from django.utils import timezone

from deliveries import self_check
from deliveries.alerts.evaluating import Watch
from deliveries.alerts.kinds import silence
from deliveries.alerts.look import Look
from deliveries.concerns import Kind, Sight, concerns
from deliveries.metrics.exposition import exposed
from deliveries.models import AlertRule, Delivery, DeliveryStatus, Event, Rejection, Rollup, RollupTotal
from deliveries.models.rollup import Grain, Measure
from deliveries.readiness import end_to_end
from deliveries.stats.counting import counting
from integrations.models import Endpoint, UnnamedHealth
from tests.deliveries.alerts.cases import NOW, AlertTestCase
from tests.deliveries.receiving.cases import signed_endpoint
from tests.integrations.connectors.servers import Server, make_certificate, say_nothing, serving, talking


@override_settings(HUB_SELF_CHECK_SECONDS=60)
class SelfCheckTests(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()

    def is_told(self, *, minutes: float) -> bool:
        found = concerns(Sight(None, now=self.now + timedelta(minutes=minutes)))
        return any(concern.kind == Kind.SELF_CHECK for concern in found)

    def test_is_verified_stored_and_queued_like_any_event(self) -> None:
        self.assertTrue(self_check.send(self.now))
        event = Event.objects.get()
        self.assertEqual((event.verdict, event.event_type), ("verified", "self_check"))
        self.assertEqual(event.deliveries.get().route.handler, "log")
        self.assertEqual((event.endpoint.keep_events_days, Rejection.objects.count()), (1, 0))

    def test_is_sent_once_in_each_interval(self) -> None:
        self.assertEqual([self_check.send(self.now), self_check.send(self.now)], [True, False])
        self.assertTrue(self_check.send(self.now + timedelta(seconds=60)))
        self.assertEqual((Event.objects.count(), Endpoint.objects.count()), (2, 1))

    @skipUnless(connection.vendor == "postgresql", "needs roles")
    def test_says_that_a_worker_may_not_make_its_endpoint(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE reads_alone; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reads_alone")
            cursor.execute("SET LOCAL ROLE reads_alone")
            with structlog.testing.capture_logs() as told:
                self.assertFalse(self_check.send(self.now))
            cursor.execute("RESET ROLE")
        self.assertEqual(told, [{"event": "self_check.not_made", "log_level": "error"}])
        with mock.patch.object(self_check, "ensure_endpoint", side_effect=ProgrammingError), self.assertRaises(Error):
            self_check.send(self.now)

    def test_is_sent_by_the_worker_that_looks(self) -> None:
        Watch().step(self.now)
        self.assertEqual(Event.objects.count(), 1)

    def test_is_late_when_none_came_out_for_three_intervals_and_a_minute(self) -> None:
        self_check.send(self.now)
        self.assertFalse(self.is_told(minutes=3.9))
        self.assertTrue(self.is_told(minutes=4.2))

    def test_is_in_time_again_once_one_came_out(self) -> None:
        self_check.send(self.now)
        Event.objects.update(received_at=self.now + timedelta(minutes=4))
        self.assertTrue(self.is_told(minutes=5))
        Delivery.objects.update(status="succeeded", finished_at=self.now)
        self.assertFalse(self.is_told(minutes=5))

    def told(self, *, minutes: float) -> str:
        """Return what is told after so many minutes, without the times."""
        found = concerns(Sight(None, now=self.now + timedelta(minutes=minutes)))
        (text,) = (concern.text for concern in found if concern.kind == Kind.SELF_CHECK)
        return text.partition(". ")[2]

    def at(self, minutes: float) -> str:
        return f"{self.now + timedelta(minutes=minutes):%H:%M:%S} UTC"

    def test_says_that_nothing_arrived(self) -> None:
        self_check.ensure_endpoint()
        self.assertEqual(self.told(minutes=5), "Received: no.")

    def test_says_that_it_cannot_be_signed(self) -> None:
        endpoint = self_check.ensure_endpoint()
        Endpoint.objects.update(created_at=self.now - timedelta(minutes=1))
        endpoint.secrets.update(expires_at=self.now)
        self_check.send(self.now)
        self.assertEqual(self.told(minutes=5), "Received: no. It could not be signed.")

    def test_says_that_sending_it_failed(self) -> None:
        self_check.ensure_endpoint()
        Endpoint.objects.update(created_at=self.now - timedelta(minutes=1))
        with mock.patch("deliveries.receiving.ingest.accept", side_effect=ZeroDivisionError("MARKER")):
            self_check.send(self.now)
        self.assertEqual(self.told(minutes=5), "Received: no. Sending it failed (ZeroDivisionError).")

    def test_says_that_the_database_was_away(self) -> None:
        self_check.ensure_endpoint()
        Endpoint.objects.update(created_at=self.now - timedelta(minutes=1))
        with mock.patch("deliveries.receiving.ingest.accept", side_effect=OperationalError):
            self_check.send(self.now)
        self.assertEqual(self.told(minutes=5), "Received: no. It was answered 503.")

    def test_says_that_it_is_not_sent(self) -> None:
        self_check.send(self.now)
        Endpoint.objects.update(state="disabled")
        self.assertEqual(self.told(minutes=5), "It is not sent: its endpoint is switched off or paused.")

    def test_says_that_it_was_refused_and_why(self) -> None:
        self_check.send(self.now)
        Delivery.objects.update(status="succeeded", finished_at=self.now)
        endpoint = Endpoint.objects.get()
        endpoint.content_types = ["text/plain"]
        endpoint.save()
        self_check.send(self.now + timedelta(minutes=4))
        refused = Rejection.objects.get()
        at = f"{refused.received_at:%H:%M:%S} UTC"
        self.assertEqual(self.told(minutes=5), f"Received: yes, at {at}. Verified: no, it was refused (content_type).")
        with timezone.override("Asia/Kolkata"):  # as on the page of somebody there
            there = f"{refused.received_at + timedelta(hours=5, minutes=30):%H:%M:%S} IST"
            self.assertIn(f"Received: yes, at {there}.", self.told(minutes=5))

    def test_says_how_its_delivery_stands(self) -> None:
        self_check.send(self.now)
        for status in ("pending", "held", "waiting", "dead"):
            Delivery.objects.update(status=status, finished_at=self.now if status == "dead" else None)
            with self.subTest(status):
                self.assertEqual(
                    self.told(minutes=5),
                    f"Received and verified: yes, at {self.at(0)}. Handled: no, its delivery is "
                    f"{DeliveryStatus(status).label.lower()}.",
                )
        Delivery.objects.all().delete()
        self.assertEqual(
            self.told(minutes=5), f"Received and verified: yes, at {self.at(0)}. Handled: no, it has no delivery."
        )

    def test_says_within_what_time_the_last_one_was_handled(self) -> None:
        self_check.send(self.now)
        Delivery.objects.update(status="succeeded", finished_at=self.now + timedelta(seconds=2))
        received_at = Event.objects.get().received_at
        seen = self_check.look(received_at + timedelta(minutes=5))
        assert seen is not None
        self.assertEqual((seen.longest_seconds, seen.age_seconds), (240, 300))
        self.assertAlmostEqual(seen.took_seconds or 0, 2, delta=0.5)
        facts = end_to_end(received_at + timedelta(minutes=5)).facts
        self.assertEqual((facts["late"], facts["stuck_at"]), (True, "receiving"))
        facts = end_to_end(received_at + timedelta(minutes=1)).facts
        self.assertNotIn("stuck_at", facts)

    def test_is_nobodys_traffic(self) -> None:
        orders = signed_endpoint(slug="orders")
        counting.take()
        self_check.send(self.now)
        counting.add(Measure.ACCEPTED, orders.pk, at=self.now)
        counting.flush()

        self.assertEqual(set(Rollup.objects.values_list("endpoint__slug", flat=True)), {"orders"})
        total = RollupTotal.objects.filter(grain_minutes=Grain.HOUR).values_list("measure", "count")
        self.assertEqual(list(total), [("accepted", 1)])
        text, _ = exposed(None, now=self.now, accept="")
        self.assertNotIn(b'hub_events_accepted_total{endpoint="hub-self-check"}', text)
        self.assertIn(b'hub_events_accepted_total{endpoint="orders"} 1.0', text)

    def test_is_not_missed_by_a_rule_about_silence(self) -> None:
        self_check.send(self.now)
        signed_endpoint(slug="orders")
        Endpoint.objects.update(created_at=self.now - timedelta(days=1))
        rule = AlertRule(kind="silence", threshold=1, window_seconds=3600)

        found = list(silence.find(rule, Look(self.now)))

        self.assertEqual([finding.about for finding in found], ["orders"])

    def test_is_in_the_metrics(self) -> None:
        self_check.send(self.now)
        text, _ = exposed(None, now=self.now + timedelta(minutes=2), accept="")
        self.assertRegex(text if isinstance(text, str) else text.decode(), r"hub_self_check_age_seconds 1[12]\d")

    def test_is_not_sent_to_an_endpoint_that_is_switched_off(self) -> None:
        self_check.send(self.now)
        Endpoint.objects.update(state="disabled")
        self.assertFalse(self_check.send(self.now + timedelta(minutes=5)))

    @override_settings(HUB_SELF_CHECK_SECONDS=0)
    def test_can_be_off(self) -> None:
        with self.assertNumQueries(0):
            self.assertEqual((self_check.send(self.now), self_check.look(self.now)), (False, None))


@override_settings(HUB_SELF_CHECK_SECONDS=60)
class OverHttpTests(LiveServerTestCase):
    def send(self, url: str) -> bool:
        """Send it to ``url``; return, once that is done, whether it was on its way."""
        with self.settings(HUB_SELF_CHECK_URL=url):
            began = self_check.send(timezone.now())
            with self_check._under_way:  # until the request is answered
                return began

    def test_is_an_event_like_any_other(self) -> None:
        with structlog.testing.capture_logs() as told:
            self.assertTrue(self.send(self.live_server_url))
        event = Event.objects.get()
        self.assertEqual((event.verdict, event.event_type, event.source), ("verified", "self_check", "127.0.0.1"))
        self.assertNotIn("error", {line["log_level"] for line in told})

    def test_goes_by_no_proxy_of_the_environment(self) -> None:
        with mock.patch.dict(os.environ, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY=""):
            self.send(self.live_server_url)
        self.assertEqual(Event.objects.count(), 1)

    def test_may_come_from_elsewhere_than_before(self) -> None:
        self.assertEqual(self_check.ensure_endpoint().allowed_networks, ["127.0.0.0/8", "::1/128"])
        self.send(self.live_server_url)
        self.assertEqual(Endpoint.objects.get().allowed_networks, [])

    def told(self) -> tuple[str, str]:
        """Return what a page and `/health/ready` say of it once it is late, without the times."""
        late = timezone.now() + timedelta(minutes=5)
        found = concerns(Sight(None, now=late))
        (text,) = (concern.text for concern in found if concern.kind == Kind.SELF_CHECK)
        return text.partition(". ")[2], str(end_to_end(late).facts["detail"])

    def made_before(self) -> None:
        """Have the endpoint as it is: made some time before anything is sent."""
        self_check.ensure_endpoint()
        Endpoint.objects.update(created_at=timezone.now() - timedelta(minutes=1))

    def test_says_that_nobody_answers(self) -> None:
        self.made_before()
        with socket.socket() as closed, structlog.testing.capture_logs() as told:
            closed.bind(("127.0.0.1", 0))
            self.send(f"http://127.0.0.1:{closed.getsockname()[1]}")
        self.assertEqual([line["event"] for line in told], ["self_check.unreachable"])
        self.assertEqual(Event.objects.count(), 0)
        text, detail = self.told()
        self.assertEqual(detail, "connection_refused")
        self.assertEqual(
            text,
            "Received: no. HUB_SELF_CHECK_URL cannot be reached: the connection was refused, as nobody listens there.",
        )

    def test_says_of_an_address_why_it_cannot_be_reached(self) -> None:
        self.made_before()
        with TemporaryDirectory() as folder, talking(lambda connection: connection.close()) as closing:
            context, _ = make_certificate(Path(folder), names=["127.0.0.1"])
            with serving(Server(), tls=context) as secured, serving(Server()) as plain:
                for url, words, detail in (
                    ("http://user:MARKER@hub.invalid/MARKER", "its name is not found", "name_not_found"),
                    (secured.url, "its certificate is from nobody that is trusted here", "certificate_issuer"),
                    (plain.url.replace("http:", "https:"), "TLS cannot be agreed on", "tls"),
                    (closing, "it broke off, or does not speak HTTP", "no_http"),
                ):
                    with self.subTest(detail):
                        self.send(url)
                        said = self.told()
                        self.assertIn(words, said[0])
                        self.assertEqual(said[1], detail)
                        self.assertNotIn("MARKER", "".join(said))

    def test_says_that_no_answer_came_in_time(self) -> None:
        self.made_before()
        with (
            talking(say_nothing) as silent,
            mock.patch.object(self_check, "_HTTP_SECONDS", 0.2),
        ):
            self.send(silent)
        self.assertEqual(self.told()[1], "timed_out")

    def test_says_what_answers_in_the_hubs_place(self) -> None:
        self.made_before()
        with serving(Server(status=502, body=b"MARKER")) as other:
            self.send(other.url)
            self.assertEqual(self.told(), ("Received: no. It was answered 502.", "status 502"))
            for body in (b"MARKER", b'["MARKER"]', b"{}"):
                other.status, other.body = 200, body
                self.send(other.url)
                said = ("Received: no. It was answered 200, but not by a hub.", "other_answer 200")
                self.assertEqual(self.told(), said)

    def test_says_how_far_a_later_one_got(self) -> None:
        self.made_before()
        with serving(Server(status=502)) as other:
            self.send(other.url)
        UnnamedHealth.objects.update(last_error_at=timezone.now() - timedelta(seconds=30))
        self.send(self.live_server_url)
        self.assertIn("Received and verified: yes", self.told()[0])
        UnnamedHealth.objects.update(last_error_at=timezone.now() + timedelta(seconds=30))
        self.assertEqual(self.told()[1], "status 502")

    def test_says_what_was_answered_instead(self) -> None:
        with structlog.testing.capture_logs() as told:
            self.send(f"{self.live_server_url}/elsewhere")
        self.assertIn({"event": "self_check.refused", "status": 404, "log_level": "error"}, told)

    def test_is_not_sent_again_while_nobody_has_answered(self) -> None:
        with self_check._under_way, self.settings(HUB_SELF_CHECK_URL=self.live_server_url):
            self.assertFalse(self_check.send(timezone.now()))


@override_settings(HUB_SELF_CHECK_SECONDS=60)
class RuleTests(AlertTestCase):
    def test_of_the_self_check_fires_when_it_is_late(self) -> None:
        self.rule("self_check")
        endpoint = self_check.ensure_endpoint()
        Endpoint.objects.filter(pk=endpoint.pk).update(created_at=NOW - timedelta(minutes=4))
        self.look()
        self.assertEqual(self.texts(), [])
        self.look(1)
        self.assertEqual(
            self.texts(),
            ["The hub's own event has not come out within 240 s: none has for 300 s. Received: no."],
        )
