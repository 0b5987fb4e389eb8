"""``/health/live`` and ``/health/ready``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from unittest import mock

from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, SimpleTestCase, TestCase, override_settings
from django.utils import timezone
from knox.models import AuthToken

from deliveries import readiness, self_check
from deliveries.disk import Disk
from deliveries.models import Worker
from integrations.models import Endpoint
from tests.deliveries.api.cases import make_user
from tests.deliveries.overload.loads import standing
from tests.factories import make_delivery, make_endpoint, make_route

READY = "/health/ready"
STRANGER = {"REMOTE_ADDR": "192.0.2.7"}


class LiveTests(SimpleTestCase):
    def test_is_bare_and_for_everybody(self) -> None:
        response = self.client.get("/health/live", **STRANGER)

        self.assertEqual((response.status_code, response.content), (200, b"ok\n"))
        self.assertIn("X-Request-ID", response)

    def test_is_only_read(self) -> None:
        self.assertEqual(self.client.head("/health/live").status_code, 200)
        self.assertEqual(self.client.post("/health/live").status_code, 405)


class ReadyTests(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        Worker.objects.beat("host:1", now=self.now)

    def ready(self, status: int) -> dict[str, Any]:
        response = self.client.get(READY)
        self.assertEqual(response.status_code, status, response.content)
        answer: dict[str, Any] = response.json()
        return answer

    def test_answers_200_with_every_check(self) -> None:
        for path in ("/health", READY):
            with self.subTest(path=path):
                response = self.client.get(path)

                self.assertEqual(response.status_code, 200, response.content)
                answer = response.json()
                self.assertEqual((answer["status"], answer["reason"]), ("ready", None))
                self.assertEqual(
                    list(answer["checks"]), ["database", "migrations", "workers", "queue", "disk", "load", "self_check"]
                )
                self.assertTrue(all(check["ok"] for check in answer["checks"].values()))
                self.assertEqual(answer["checks"]["workers"]["alive"], 1)

    def test_says_what_is_refused_and_stays_ready(self) -> None:
        with standing(pressure=5.25, accept_only_by="ada"):
            answer = self.ready(200)

        self.assertEqual(answer["checks"]["load"], {"ok": True, "refused_below_priority": 5.2, "accept_only": True})

    def test_answers_503_when_no_worker_is_heard_of(self) -> None:
        Worker.objects.update(beat_at=self.now - timedelta(minutes=5))

        answer = self.ready(503)

        self.assertIn("worker", answer["reason"])
        self.assertEqual((answer["status"], answer["checks"]["workers"]["ok"]), ("unavailable", False))
        self.assertGreaterEqual(answer["checks"]["workers"]["last_beat_seconds"], 300)
        self.assertTrue(answer["checks"]["queue"]["ok"])

    def test_answers_503_when_there_has_never_been_a_worker(self) -> None:
        Worker.objects.all().delete()

        self.assertIsNone(self.ready(503)["checks"]["workers"]["last_beat_seconds"])

    @override_settings(HUB_READY_QUEUE_SECONDS=60)
    def test_answers_503_when_a_delivery_has_been_due_for_too_long(self) -> None:
        delivery = make_delivery(make_route(make_endpoint()), due_at=self.now - timedelta(seconds=90))

        answer = self.ready(503)
        self.assertGreaterEqual(answer["checks"]["queue"]["oldest_due_seconds"], 90)
        self.assertIn("60 s", answer["reason"])

        delivery.due_at = self.now - timedelta(seconds=30)
        delivery.save()
        self.assertGreaterEqual(self.ready(200)["checks"]["queue"]["oldest_due_seconds"], 30)

    @override_settings(HUB_READY_QUEUE_SECONDS=60)
    def test_does_not_count_what_is_held_or_not_yet_due(self) -> None:
        route = make_route(make_endpoint())
        make_delivery(route, status="held", due_at=self.now - timedelta(hours=1))
        make_delivery(route, status="waiting", due_at=self.now + timedelta(hours=1))
        make_delivery(route, status="dead", due_at=self.now - timedelta(hours=1), finished_at=self.now)

        self.assertEqual(self.ready(200)["checks"]["queue"]["oldest_due_seconds"], 0)

    @override_settings(HUB_READY_QUEUE_SECONDS=60)
    def test_does_not_count_what_is_paused_or_stands_behind_another_of_its_key(self) -> None:
        long_due = self.now - timedelta(hours=1)
        make_delivery(make_route(make_endpoint(), paused=True), status="waiting", due_at=long_due)
        make_delivery(make_route(make_endpoint(state="paused")), due_at=long_due)
        make_delivery(make_route(make_endpoint()), due_at=long_due, ordering_key="a", ordinal=2, blocked=True)

        self.assertEqual(self.ready(200)["checks"]["queue"]["oldest_due_seconds"], 0)

    def test_names_missing_migrations_and_asks_no_further(self) -> None:
        recorder = MigrationRecorder(connection)
        (latest,) = MigrationLoader(connection).graph.leaf_nodes("deliveries")
        recorder.record_unapplied(*latest)
        check = readiness.Migrations()

        finding = check(self.now)
        self.assertFalse(finding.ok)
        self.assertEqual(finding.facts, {"missing": 1})

        recorder.record_applied(*latest)
        self.assertTrue(check(self.now).ok)
        with self.assertNumQueries(0):
            self.assertTrue(check(self.now).ok)

    def test_answers_503_when_the_disk_is_nearly_full(self) -> None:
        for free, status in ((100 * 1024**2, 503), (300 * 1024**2, 200)):
            with mock.patch.object(readiness, "disk", return_value=Disk(10 * 1024**3, free)):
                found = self.ready(status)["checks"]["disk"]
            self.assertEqual((found["free_bytes"], found["ok"]), (free, status == 200))

    def test_says_nothing_of_a_disk_that_is_not_seen(self) -> None:
        with mock.patch.object(readiness, "disk", return_value=None):
            self.assertEqual(self.ready(200)["checks"]["disk"], {"ok": True})

    @override_settings(HUB_SELF_CHECK_SECONDS=60)
    def test_tells_that_the_self_check_is_late_and_stays_ready(self) -> None:
        endpoint = self_check.ensure_endpoint()
        self.assertFalse(self.ready(200)["checks"]["self_check"]["late"])
        Endpoint.objects.filter(pk=endpoint.pk).update(created_at=self.now - timedelta(minutes=10))
        self.assertTrue(self.ready(200)["checks"]["self_check"]["late"])

    def test_is_only_read(self) -> None:
        self.assertEqual(self.client.post(READY).status_code, 405)


class AccessTests(TestCase):
    def setUp(self) -> None:
        Worker.objects.beat("host:1", now=timezone.now())

    def get(self, **environment: str) -> Any:
        return self.client.get(READY, **environment)

    def test_is_refused_to_strangers_in_the_contracts_shape(self) -> None:
        response = self.get(**STRANGER)

        self.assertEqual(response.status_code, 401)
        self.assertEqual(response.json()["error"], "not_authenticated")
        self.assertNotIn("checks", response.json())

    def test_is_not_won_by_a_forwarding_header(self) -> None:
        response = self.get(**STRANGER, HTTP_X_FORWARDED_FOR="127.0.0.1")

        self.assertEqual(response.status_code, 401)

    @override_settings(HUB_TRUSTED_PROXIES=[ip_network("127.0.0.0/8")])
    def test_goes_by_the_address_behind_a_trusted_proxy(self) -> None:
        self.assertEqual(self.get(HTTP_X_FORWARDED_FOR="192.0.2.7").status_code, 401)
        self.assertEqual(self.get().status_code, 200)

    @override_settings(HUB_OPERATIONS_NETWORKS=[ip_network("192.0.2.0/24")])
    def test_is_given_to_the_operations_networks(self) -> None:
        self.assertEqual(self.get(**STRANGER).status_code, 200)
        self.assertEqual(self.get(REMOTE_ADDR="127.0.0.1").status_code, 401)
        self.assertEqual(self.get(REMOTE_ADDR="").status_code, 401)

    def test_is_given_to_valid_tokens_from_anywhere(self) -> None:
        _, token = AuthToken.objects.create(make_user("probe"))

        self.assertEqual(self.get(**STRANGER, HTTP_AUTHORIZATION=f"Token {token}").status_code, 200)
        response = self.get(**STRANGER, HTTP_AUTHORIZATION=f"Token {token[:-1]}x")
        self.assertEqual((response.status_code, response.json()["error"]), (401, "invalid_token"))


class DatabaseAwayTests(TestCase):
    def test_answers_503_in_json_within_seconds(self) -> None:
        started = time.monotonic()

        response = without_database(lambda: Client().get(READY))

        self.assertEqual(response.status_code, 503)
        answer = response.json()
        self.assertEqual(answer["status"], "unavailable")
        self.assertEqual(list(answer["checks"]), ["database"])
        self.assertTrue(answer["reason"])
        self.assertNotIn("nowhere", response.content.decode())
        self.assertLess(time.monotonic() - started, 5)

    def test_answers_503_to_a_token_too(self) -> None:
        _, token = AuthToken.objects.create(make_user("probe"))

        response = without_database(lambda: Client().get(READY, **STRANGER, HTTP_AUTHORIZATION=f"Token {token}"))

        self.assertEqual((response.status_code, response.json()["error"]), (503, "unavailable"))

    def test_leaves_the_hub_alive(self) -> None:
        self.assertEqual(without_database(lambda: Client().get("/health/live")).status_code, 200)


def without_database(run: Callable[[], Any]) -> Any:
    """Return ``run()`` from a thread whose connection leads to a database that is not there."""
    results: list[Any] = []

    def away() -> None:
        own = connections["default"]
        own.settings_dict = {**own.settings_dict, "HOST": "/nowhere", "NAME": "/nowhere/hub.sqlite3"}
        try:
            results.append(run())
        finally:
            own.close()

    thread = threading.Thread(target=away)
    thread.start()
    thread.join(20)
    return results[0]
