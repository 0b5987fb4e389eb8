"""Calls by connections, to a real server on loopback."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.test import TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.calling.opening import client_for, spec_of
from integrations.connectors.answers import AnswerNotSuccessful
from integrations.connectors.client import Frame, HttpClient
from integrations.connectors.egress import EgressRefused
from integrations.connectors.http import CallFailed
from integrations.errors import CircuitOpen, ConnectionMissing, ConnectionPaused, NotCalled, RateLimited, RetryLater
from integrations.models import Circuit, Connection, ConnectionHealth
from tests.integrations.calling.systems import System


@override_settings(HUB_EGRESS_ALLOW=System.NETWORKS)
class CallingTestCase(TransactionTestCase):
    def setUp(self) -> None:
        self.system = self.enterContext(System())
        self.kept: list[dict[str, Any]] = []
        self.slept: list[float] = []

    def client_of(
        self, connection: Connection, *, left: float = 60.0, sleep: Callable[[float], None] | None = None
    ) -> HttpClient:
        """Return the client of a new attempt."""
        frame = Frame(
            left=lambda: left - sum(self.slept),
            key=lambda name: f"key of {name}",
            record=lambda summary: self.kept.append(dict(summary)),
            sleep=sleep or self.slept.append,
        )
        return client_for(connection, frame)


class CallTests(CallingTestCase):
    def test_carries_the_proof_and_what_is_sent(self) -> None:
        client = self.client_of(self.system.connection("crm", headers={"X-Team": "shop"}))
        self.system.answers(201, b'{"id": 7}')

        answer = client.post("/contacts", json={"email": "ada@example.com"}, params={"dry": 1, "none": None})

        sent = self.system.requests[0]
        self.assertEqual((sent.method, sent.path), ("POST", "/contacts?dry=1"))
        self.assertEqual(sent.headers["Authorization"], "Bearer swordfish-token")
        self.assertEqual((sent.headers["X-Team"], sent.headers["Content-Type"]), ("shop", "application/json"))
        self.assertEqual(sent.json, {"email": "ada@example.com"})
        self.assertEqual((answer.status_code, answer.json()), (201, {"id": 7}))

    def test_of_an_answer_that_is_no_success_gives_no_json(self) -> None:
        client = self.client_of(self.system.connection("crm"))
        self.system.answers(422, b'{"error": "no"}')

        with self.assertRaisesMessage(AnswerNotSuccessful, "crm: POST /contacts: answered 422"):
            client.post("/contacts?key=x", json={}).json()

    def test_keeps_the_answer_with_credentials_masked_in_every_spelling(self) -> None:
        secret = 'sword"fish/1'
        connection = self.system.connection(
            "crm", auth="basic", credentials={"username": "ada-user", "password": secret}, kept_response_bytes=200
        )
        pair = base64.b64encode(f"ada-user:{secret}".encode())
        self.system.answers(200, b'{"a": "sword\\"fish/1", "b": "sword%22fish%2F1", "c": "' + pair + b'"}' + b" " * 500)

        self.client_of(connection).get()

        kept = self.kept[0]
        self.assertEqual(kept["status"], 200)
        self.assertEqual((len(kept["body"]), kept["body_is_whole"]), (200, False))
        for text in ("fish", pair.decode()):
            self.assertNotIn(text, str(kept))
        self.assertNotIn("fish", repr(spec_of(connection)))

    def test_reads_no_compressed_text(self) -> None:
        self.system.answers(200, b"\x1f\x8b" + b"0" * 50, Content_Encoding="gzip")

        self.assertEqual(len(self.client_of(self.system.connection("crm")).get().text), 52)

    def test_goes_below_the_base_url_only(self) -> None:
        client = self.client_of(self.system.connection("crm", base_url=f"{self.system.url}/v2"))
        for path in ("../admin", "//elsewhere.example.com/", "https://elsewhere.example.com/", "/%2e%2e/admin", "a\\b"):
            with self.subTest(path=path), self.assertRaises(Exception) as caught:
                client.get(path)
            self.assertEqual(type(caught.exception).__name__, "AddressRefused")
        client.get("/contacts")
        self.assertEqual([sent.path for sent in self.system.requests], ["/v2/contacts"])

    def test_is_refused_to_private_addresses_unless_they_are_allowed(self) -> None:
        for egress in ([], None):
            with self.subTest(egress=egress), override_settings(HUB_EGRESS_ALLOW=[] if egress is None else ["x"]):
                connection = self.system.connection(f"crm-{egress is None}", egress=egress)
                with self.assertRaises(EgressRefused):
                    self.client_of(connection).get()
        self.assertEqual(self.system.requests, [])

    def test_is_not_made_within_a_transaction(self) -> None:
        client = self.client_of(self.system.connection("crm"))

        with self.assertRaisesMessage(RuntimeError, "transaction.atomic()"), transaction.atomic():
            client.get()

    def test_needs_credentials_that_are_there(self) -> None:
        connection = self.system.connection("crm", credentials={"token": "env:HUB_SECRET_NOT_THERE"})

        with self.assertRaisesMessage(ConnectionMissing, "HUB_SECRET_NOT_THERE"):
            self.client_of(connection)


class CostTests(CallingTestCase):
    def test_is_one_look_at_a_connection_that_is_well_and_has_no_rate(self) -> None:
        client = self.client_of(self.system.connection("crm"))
        client.get()

        with self.assertNumQueries(1):
            client.get()

    def test_is_one_transaction_where_there_is_a_rate(self) -> None:
        client = self.client_of(self.system.connection("crm", rate_per_second=1000))
        client.get()

        with CaptureQueriesContext(database) as queries:
            client.get()
        writes = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
        self.assertEqual((len(writes), len(queries)), (1, 5))


class TriesTests(CallingTestCase):
    def test_are_made_again_where_that_is_safe(self) -> None:
        self.system.answers(503)
        for method, tries in (("GET", 3), ("PUT", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1)):
            with self.subTest(method=method):
                self.system.requests.clear()
                client = self.client_of(self.system.connection(f"crm-{method}".lower(), breaker_failures=0))
                self.assertEqual(client.request(method, "/").status_code, 503)
                self.assertEqual(len(self.system.requests), tries)

    def test_of_a_post_carry_the_same_key(self) -> None:
        self.system.answers(500)
        connection = self.system.connection("crm", idempotency_header="Idempotency-Key")

        client = self.client_of(connection)
        client.post("/a")
        self.system.answers(200)
        client.post("/a")

        keys = [sent.headers["Idempotency-Key"] for sent in self.system.requests]
        self.assertEqual(keys, ["key of crm POST /a 1"] * 3 + ["key of crm POST /a 2"])

    def test_wait_with_growing_jitter(self) -> None:
        self.system.answers(503)
        connection = self.system.connection("crm", retry={"max_attempts": 4, "initial_seconds": 1, "max_seconds": 3})

        self.client_of(connection).get()

        self.assertEqual(len(self.slept), 3)
        self.assertTrue(all(0 <= wait <= most for wait, most in zip(self.slept, (2, 3, 3), strict=True)), self.slept)

    def test_are_made_after_the_wait_that_is_asked_for(self) -> None:
        self.system.answers(429, Retry_After="1")
        connection = self.system.connection("crm", retry={"max_attempts": 2, "max_seconds": 10})
        began = time.monotonic()

        answer = self.client_of(connection, sleep=time.sleep).post("/a")

        self.assertEqual((answer.status_code, len(self.system.requests)), (429, 2))
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_are_left_to_the_delivery_if_the_wait_is_long(self) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=900)
        forms = ("900", moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        for status, value in product((408, 425, 429, 500, 503), forms):
            with self.subTest(status=status, value=value):
                self.system.answers(status, Retry_After=value)
                with self.assertRaises(RetryLater) as caught:
                    self.client_of(self.system.connection(f"crm-{status}-{len(value)}")).get()
                self.assertAlmostEqual(caught.exception.after.total_seconds(), 900, delta=5)
                self.assertTrue(caught.exception.spends_attempt)

    def test_end_with_the_time_of_the_attempt(self) -> None:
        self.system.answers(503)
        connection = self.system.connection("crm", retry={"max_attempts": 9, "initial_seconds": 60, "max_seconds": 300})

        self.assertEqual(self.client_of(connection, left=0.5).get().status_code, 503)
        self.assertLess(sum(self.slept), 0.5)

    def test_are_made_of_what_could_not_be_sent_whatever_the_method(self) -> None:
        connection = self.system.connection("crm", base_url="http://127.0.0.1:9", breaker_failures=0)

        with self.assertRaises(CallFailed):
            self.client_of(connection).post("/a")

        self.assertEqual(len(self.kept), 3)


class CircuitTests(CallingTestCase):
    def fail(self, connection: Connection, times: int = 1) -> None:  # type: ignore[override]
        self.system.answers(500)
        for _ in range(times):
            self.client_of(connection).post("/a")

    def health(self) -> ConnectionHealth:
        return ConnectionHealth.objects.get()

    def test_opens_after_failures_in_a_row_and_spends_no_attempt(self) -> None:
        connection = self.system.connection("crm", breaker_failures=3)
        self.fail(connection, 2)
        self.system.answers(200)
        self.client_of(connection).get()
        self.fail(connection, 3)

        with self.assertRaises(CircuitOpen) as caught:
            self.client_of(connection).post("/a")

        self.assertFalse(caught.exception.spends_attempt)
        self.assertGreaterEqual(caught.exception.after, timedelta(seconds=29))
        self.assertIn("answered 500", str(caught.exception))
        self.assertEqual(len(self.system.requests), 6)

    def test_is_tried_by_one_call_which_closes_it(self) -> None:
        connection = self.system.connection("crm", breaker_failures=1)
        self.fail(connection)
        ConnectionHealth.objects.update(open_until=timezone.now())
        self.system.answers(200)

        probing = self.client_of(connection)
        self.assertEqual(self.health().circuit(timezone.now()), Circuit.HALF_OPEN)
        ConnectionHealth.objects.update(probe_until=timezone.now() + timedelta(seconds=30))
        with self.assertRaises(CircuitOpen):
            self.client_of(connection).get()
        ConnectionHealth.objects.update(probe_until=None)
        probing.get()

        self.assertEqual(self.health().circuit(timezone.now()), Circuit.CLOSED)
        self.client_of(connection).get()

    def test_opens_for_twice_as_long_if_the_try_fails(self) -> None:
        connection = self.system.connection("crm", breaker_failures=1, breaker_seconds=30)
        self.fail(connection)
        ConnectionHealth.objects.update(open_until=timezone.now())
        self.fail(connection)

        left = self.health().open_until - timezone.now()
        self.assertAlmostEqual(left.total_seconds(), 60, delta=5)

    def test_that_an_attempt_has_opened_itself_spends_it(self) -> None:
        """Or a delivery that always fails would never come to an end."""
        self.system.answers(500)
        connection = self.system.connection("crm", breaker_failures=2)

        with self.assertRaises(RetryLater) as caught:
            self.client_of(connection).get()

        self.assertNotIsInstance(caught.exception, NotCalled)
        self.assertEqual(len(self.system.requests), 2)

    def test_is_left_alone_by_a_paused_connection(self) -> None:
        with self.assertRaises(ConnectionPaused):
            self.client_of(self.system.connection("crm", state="paused")).get()
        self.assertEqual(self.system.requests, [])


class RateTests(CallingTestCase):
    def test_lets_a_burst_through_and_sends_the_others_away_one_by_one(self) -> None:
        connection = self.system.connection("crm", rate_per_second=0.5, burst=2)
        client = self.client_of(connection)
        client.get()
        client.get()

        turns = []
        for _ in range(3):
            with self.assertRaises(RateLimited) as caught:
                self.client_of(connection).get()
            turns.append(caught.exception.after.total_seconds())

        self.assertEqual(len(self.system.requests), 2)
        self.assertAlmostEqual(turns[0], 2, delta=1)
        self.assertAlmostEqual(turns[1] - turns[0], 2, delta=1)
        self.assertAlmostEqual(turns[2] - turns[1], 2, delta=1)

    def test_waits_in_place_for_a_turn_that_is_near(self) -> None:
        client = self.client_of(self.system.connection("crm", rate_per_second=2, burst=1))
        client.get()
        client.get()

        self.assertAlmostEqual(self.slept[0], 0.5, delta=0.3)

    def test_is_what_the_system_says_before_it_refuses(self) -> None:
        for number, headers in enumerate(
            (
                {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "90"},
                {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(timezone.now().timestamp()) + 90)},
                {"RateLimit": '"minute";r=10;t=5, "hour";r=0;t=90'},
                {"RateLimit": "limit=10, remaining=0, reset=90"},
            )
        ):
            with self.subTest(headers=headers):
                connection = self.system.connection(f"crm-{number}")
                self.system.answers(200, **headers)
                self.client_of(connection).get()

                with self.assertRaises(RateLimited) as caught:
                    self.client_of(connection).get()
                self.assertAlmostEqual(caught.exception.after.total_seconds(), 90, delta=5)
                self.assertEqual(ConnectionHealth.objects.get(pk=connection.pk).remaining, 0)

    def test_keeps_the_longer_of_two_waits(self) -> None:
        connection = self.system.connection("crm")
        for value in ("600", "1"):
            ConnectionHealth.objects.filter(pk=connection.pk).update(open_until=None)
            self.system.answers(429, Retry_After=value)
            with self.assertRaises(RetryLater):
                self.client_of(connection).get()

        until = ConnectionHealth.objects.get().closed_until
        self.assertGreater(until - timezone.now(), timedelta(seconds=500))
