"""Each kind of rule finds what it is about, and nothing where all is well."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.db import connection
from django.test import SimpleTestCase, override_settings

from deliveries.alerts.certificate import Certificates
from deliveries.alerts.kinds import FINDERS, certificate_expiry, disk_forecast, disk_space
from deliveries.alerts.specs import SPECS
from deliveries.disk import Disk, disk
from deliveries.models import Alert, AlertRule, EventVariant, RejectionCount, Worker
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from deliveries.stats.disk import Forecast, forecast
from integrations.models import Connection, Secret
from integrations.models.connection_health import ConnectionHealth
from tests.deliveries.alerts.cases import NOW, AlertTestCase
from tests.deliveries.concerns.history import hear, hear_every_week
from tests.factories import make_delivery, make_endpoint, make_event, make_route
from tests.running_hub import ROOT


class KindTests(SimpleTestCase):
    def test_has_a_finder_and_a_runbook_each(self) -> None:
        self.assertEqual(set(FINDERS), set(SPECS))
        pages = {path.stem.replace("-", "_") for path in (ROOT / "docs/runbooks").glob("*.md")} - {"index"}
        self.assertEqual(pages, set(SPECS))

    def test_is_listed_with_its_runbook(self) -> None:
        text = (ROOT / "docs/runbooks/index.md").read_text()
        for kind, spec in SPECS.items():
            self.assertIn(f"[{spec.name}]({kind.replace('_', '-')}.md)", text)


class WorkTests(AlertTestCase):
    def test_worker_gone_finds_that_none_or_too_few_are_heard_of(self) -> None:
        self.rule("worker_gone", threshold=2)
        self.look()
        self.assertEqual(self.texts(), ["1 of 2 workers is heard of."])

        Worker.objects.all().delete()
        self.look(1)
        self.assertIn("No worker is heard of", self.texts()[-1])

    def test_worker_gone_is_content_with_as_many_as_there_should_be(self) -> None:
        self.rule("worker_gone")
        self.look()
        self.assertEqual(self.texts(), [])

    def test_queue_age_finds_what_waits_for_longer_than_the_threshold(self) -> None:
        self.rule("queue_age", threshold=600)
        make_delivery(self.route, due_at=NOW - timedelta(seconds=590))
        self.look()
        self.assertEqual(self.texts(), [])

        self.look(1)
        self.assertIn("no worker takes the oldest", self.texts()[0])

    def test_queue_age_of_one_route_says_nothing_of_another(self) -> None:
        other = make_route(self.shop)
        self.rule("queue_age", endpoint=self.shop, route=other)
        make_delivery(self.route, due_at=NOW - timedelta(hours=1))
        self.look()
        self.assertEqual(self.texts(), [])

        make_delivery(other, due_at=NOW - timedelta(hours=1))
        self.look(1)
        self.assertEqual(len(self.texts()), 1)

    def test_queue_depth_finds_that_a_part_of_the_capacity_waits(self) -> None:
        self.rule("queue_depth", capacity=5)
        for _ in range(3):
            make_delivery(self.route, due_at=NOW)
        self.look()
        self.assertEqual(self.texts(), [])

        make_delivery(self.route, due_at=NOW)
        self.look(1)
        self.assertIn("4 deliveries or more wait for a worker, 80 % of the 5", self.texts()[0])

    def test_dead_letters_finds_routes_that_have_as_many(self) -> None:
        self.rule("dead_letters", threshold=2)
        make_delivery(self.route, status="dead", finished_at=NOW)
        self.look()
        self.assertEqual(self.texts(), [])

        make_delivery(self.route, status="dead", finished_at=NOW)
        self.look(1)
        self.assertEqual(self.texts(), ["2 deliveries gave up."])

    def test_failure_rate_finds_routes_whose_attempts_fail(self) -> None:
        self.rule("failure_rate")
        for measure, count in ((Measure.FAILED, 5), (Measure.SUCCEEDED, 4)):
            counting.add(measure, self.shop.pk, at=NOW, route=self.route.pk, count=count)
        counting.flush()
        self.look()
        self.assertEqual(self.texts(), [], "nine attempts say nothing")

        counting.add(Measure.SUCCEEDED, self.shop.pk, at=NOW, route=self.route.pk)
        counting.flush()
        self.look(1)
        self.assertEqual(self.texts(), ["5 of 10 attempts failed in the last 15 minutes."])

    def test_circuit_open_finds_connections_that_rest(self) -> None:
        self.rule("circuit_open")
        row = Connection.objects.create(name="crm", base_url="https://crm.example.com")
        ConnectionHealth.objects.create(connection=row, failures=5, open_until=NOW + timedelta(minutes=1))
        self.look()
        self.assertIn("It is not called: 5 calls failed in a row", self.texts()[0])

    def test_blocked_keys_finds_keys_that_wait_for_an_order(self) -> None:
        self.rule("blocked_keys")
        route = make_route(self.shop, ordering_key="id")
        make_delivery(route, status="dead", finished_at=NOW, ordering_key="a", ordinal=1)
        self.look()
        self.assertEqual(self.texts(), [])

        make_delivery(route, ordering_key="a", ordinal=2, blocked=True)
        self.look(1)
        self.assertIn("1 ordering key stands still", self.texts()[0])


class ReceivingTests(AlertTestCase):
    def test_refusals_finds_endpoints_that_refuse_as_much(self) -> None:
        self.rule("refusals")
        hear(self.shop, NOW, 12, measure=Measure.REFUSED)
        hear(self.shop, NOW, 13)
        self.look()
        self.assertEqual(self.texts(), [])

        hear(self.shop, NOW, 1, measure=Measure.REFUSED)
        self.look(1)
        self.assertEqual(self.texts(), ["It refused 13 of 26 requests in the last 15 minutes."])

    def test_ack_deadline_finds_answers_close_to_what_the_provider_waits(self) -> None:
        self.rule("ack_deadline")
        for seconds, count in ((0.1, 15), (9.0, 5)):
            for _ in range(count):
                counting.time(Measure.ACK, self.shop.pk, at=NOW, seconds=seconds)
        counting.flush()
        self.look()
        self.assertIn("GitHub waits 10 s", self.texts()[0])

    def test_ack_deadline_says_nothing_of_answers_in_time(self) -> None:
        self.rule("ack_deadline")
        for _ in range(20):
            counting.time(Measure.ACK, self.shop.pk, at=NOW, seconds=2.0)
        counting.flush()
        self.look()
        self.assertEqual(self.texts(), [])

    def test_silence_compares_with_the_endpoints_own_history(self) -> None:
        self.rule("silence")
        hear_every_week(self.shop, NOW, [20, 30, 25, 40])
        self.look()
        self.assertIn("Nothing came in", self.texts()[0])

    def test_silence_counts_against_a_threshold_of_its_own(self) -> None:
        self.rule("silence", endpoint=self.shop, threshold=1)
        hear(self.shop, NOW - timedelta(minutes=50), 1)
        self.look()
        self.assertEqual(self.texts(), [])

        self.look(20)
        self.assertEqual(self.texts(), ["0 came in the last 60 minutes; expected are 1 or more."])

    def test_silence_is_not_said_of_an_endpoint_that_is_new_or_off(self) -> None:
        make_endpoint(slug="new")
        type(self.shop).objects.filter(pk=self.shop.pk).update(state="disabled")
        self.rule("silence", threshold=1)
        self.look()
        self.assertEqual(self.texts(), [])

    def test_changed_duplicates_finds_other_bodies_of_the_window(self) -> None:
        self.rule("changed_duplicates")
        event = make_event(self.shop)
        for hours in (2, 0.5):
            EventVariant.objects.create(
                event=event,
                body_sha256=hashlib.sha256(str(hours).encode()).digest(),
                received_at=NOW - timedelta(hours=hours),
            )
        self.look()
        self.assertEqual(self.texts(), ["Under ids that are known already 1 other body came."])

    def test_secret_expiry_finds_endpoints_whose_last_secret_ends(self) -> None:
        self.rule("secret_expiry")
        Secret.objects.create(endpoint=self.shop, value="a", expires_at=NOW + timedelta(days=13))
        self.look()
        self.assertIn("Its last secret expires on 2026-12-08", self.texts()[0])

    def test_secret_expiry_tells_of_what_is_over_already(self) -> None:
        self.rule("secret_expiry")
        Secret.objects.create(endpoint=self.shop, value="a", expires_at=NOW - timedelta(days=1))
        self.look()
        self.assertIn("UTC; since then every request is refused.", self.texts()[0])

    def test_secret_expiry_is_content_with_another_that_stays(self) -> None:
        self.rule("secret_expiry")
        Secret.objects.create(endpoint=self.shop, value="a", expires_at=NOW + timedelta(days=13))
        Secret.objects.create(endpoint=self.shop, value="b")
        self.look()
        self.assertEqual(self.texts(), [])


class MachineTests(AlertTestCase):
    def test_shedding_finds_endpoints_that_refused_for_want_of_room(self) -> None:
        self.rule("shedding", threshold=5)
        hour = NOW.replace(minute=0, second=0)
        for reason, count in (("shed", 3), ("disk_full", 2), ("signature_mismatch", 90)):
            RejectionCount.objects.create(endpoint=self.shop, reason=reason, hour=hour, count=count)
        RejectionCount.objects.create(endpoint=make_endpoint(slug="few"), reason="shed", hour=hour, count=4)
        self.look()
        self.assertEqual(self.texts(), ["It answered 503 to 5 requests since 12:00 UTC, for want of room."])
        self.assertEqual(Alert.objects.get().endpoint, self.shop)
        self.look(44)
        self.assertEqual(len(self.texts()), 1)
        for minutes in (46, 60):
            self.look(minutes)
        self.assertEqual(self.texts(), [])

    def test_disk_space_finds_a_disk_that_is_nearly_full(self) -> None:
        self.rule("disk_space")
        with mock.patch.object(disk_space, "disk", return_value=Disk(1000 * 1024**3, 99 * 1024**3)):
            self.look()
        self.assertEqual(self.texts(), ["10 % of the database's disk are free, 99.0 GiB."])

    def test_disk_space_says_nothing_where_no_disk_is_seen(self) -> None:
        self.rule("disk_space", threshold=99)
        with mock.patch.object(disk_space, "disk", return_value=None):
            self.look()
        self.assertEqual(self.texts(), [])

    def test_disk_forecast_finds_a_disk_that_is_full_before_its_days_are_over(self) -> None:
        self.rule("disk_forecast", threshold=10)
        day, gib = timedelta(days=1), 1024**3
        told = "At the growth of the last week, 2.00 GiB a day, the database's disk is full in 9 days."
        for full_in, texts in ((None, []), (10 * day, []), (9.5 * day, [told])):
            with mock.patch.object(disk_forecast, "forecast", return_value=Forecast(gib, 2 * gib, gib, full_in)):
                self.look()
            self.assertEqual(self.texts(), texts)

    def test_disk_forecast_is_that_of_the_statistics(self) -> None:
        self.rule("disk_forecast", threshold=365)
        for age in range(1, 4):
            hear(self.shop, NOW - timedelta(days=age), 10)
        with override_settings(HUB_DATABASE_DISK_BYTES=forecast(NOW).size + 1):
            self.look()
        self.assertEqual(len(self.texts()), 1)

    def test_disk_is_that_of_a_file_and_not_of_a_server_or_memory(self) -> None:
        with mock.patch.dict(connection.settings_dict, NAME=ROOT / "db.sqlite3"):
            found = disk()
        if connection.vendor == "sqlite":
            assert found is not None
            self.assertTrue(0 < found.free_percent < 100)
        else:
            self.assertIsNone(found)

    @override_settings(HUB_BASE_URL="https://hooks.example.com")
    def test_certificate_expiry_finds_a_certificate_that_is_over_soon(self) -> None:
        self.rule("certificate_expiry")
        ends = {"days": 15}
        known = Certificates(lambda host, port: NOW + timedelta(**ends), run=lambda work: work())
        with mock.patch.object(certificate_expiry, "certificates", known):
            self.look()
            self.assertEqual(self.texts(), [])
            ends["days"] = 10
            self.look(60 * 6)
        self.assertIn("hooks.example.com is valid until 2026-12-05", self.texts()[0])


class CertificateTests(SimpleTestCase):
    def test_is_asked_for_only_now_and_then_and_only_of_https(self) -> None:
        asked: list[tuple[str, int]] = []

        def ask(host: str, port: int) -> datetime:
            asked.append((host, port))
            return datetime(2027, 1, 1, tzinfo=UTC)

        known = Certificates(ask, run=lambda work: work())
        for url, hours in (("http://a.example", 0), ("https://a.example:8443", 0), ("https://a.example:8443", 5)):
            known.expiry(url, now=NOW + timedelta(hours=hours))
        self.assertEqual(asked, [("a.example", 8443)])
        self.assertIsNone(known.expiry("http://a.example", now=NOW))


class DefaultRuleTests(AlertTestCase):
    def setUp(self) -> None:
        """Keep the rules that an installation begins with."""

    def test_are_one_of_each_kind_on_and_valid(self) -> None:
        rules = list(AlertRule.objects.all())
        self.assertEqual(sorted(rule.kind for rule in rules), sorted(SPECS))
        for rule in rules:
            rule.full_clean()
            self.assertTrue(rule.enabled)


class ThresholdTests(SimpleTestCase):
    def test_is_said_as_people_say_it(self) -> None:
        said = {
            ("dead_letters", 1): "1 delivery",
            ("dead_letters", 20): "20 deliveries",
            ("worker_gone", 1): "1 worker",
            ("failure_rate", 50): "50 % of the attempts",
            ("failure_rate", 1): "1 % of the attempts",
            ("silence", 0): "less than a tenth of the weeks before",
            ("silence", 5): "5 requests",
        }
        self.assertEqual({(kind, limit): SPECS[kind].in_words(limit) for kind, limit in said}, said)
