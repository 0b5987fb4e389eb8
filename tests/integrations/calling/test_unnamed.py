"""Outside systems that are called without a connection: what all workers share of them, and what is kept of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

from django.test import override_settings
from django.utils import timezone

from integrations.calling.opening import StoredConnections
from integrations.connectors.answers import AnswerNotSuccessful
from integrations.connectors.egress import EgressRefused
from integrations.connectors.postgres import DatabaseFailed
from integrations.connectors.system import SystemFailed
from integrations.errors import CircuitOpen, RateLimited, RetryLater
from integrations.handlers import handlers
from integrations.models import Circuit, UnnamedHealth
from integrations.validation import validate_handler_config
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.handlers.contexts import Kept, context_of, event_of
from tests.integrations.handlers.test_email_send import CONFIG as MAIL
from tests.integrations.handlers.test_email_send import PAYLOAD, free_port

ROW = {"database": "env:HUB_SECRET_WAREHOUSE", "table": "shop.orders", "columns": {"order": "id"}}


class UnnamedTestCase(CallingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint_id = uuid4()
        self.journal = Kept()

    def attempt(
        self, key: str, config: Mapping[str, Any], *, route: str = "r", endpoint_id: UUID | None = None
    ) -> None:
        """Run the handler as a worker does, for one attempt."""
        validate_handler_config(key, dict(config))
        context = replace(
            context_of(config, self.journal),
            deadline=timezone.now() + timedelta(seconds=20),
            connections=StoredConnections(endpoint_id or self.endpoint_id),
            route=route,
        )
        handlers[key].run(event_of({**PAYLOAD, "id": "o-1"}), context)

    def fails(self, error: type[Exception], key: str, config: Mapping[str, Any], *, times: int) -> None:
        for _ in range(times):
            with self.assertRaises(error):
                self.attempt(key, config)


class AnAddressTests(UnnamedTestCase):
    def forward(self, path: str = "/catch/1", **options: Any) -> None:
        self.attempt("http.forward", {"url": f"{self.system.url}{path}"}, **options)

    def test_is_called_no_more_after_failures_in_a_row_and_no_attempt_is_spent(self) -> None:
        self.system.answers(500)
        for _ in range(5):
            with self.assertRaises(AnswerNotSuccessful):
                self.forward()
        with self.assertRaises(CircuitOpen) as waiting:
            self.forward()

        self.assertEqual((len(self.system.requests), waiting.exception.spends_attempt), (5, False))
        self.assertIn("5 failures in a row, the last: answered 500", str(waiting.exception))
        self.assertNotIn("catch", str(waiting.exception))  # such an address can be a key

    def test_is_called_again_after_a_pause_and_by_all_once_it_is_well(self) -> None:
        self.system.answers(500)
        for _ in range(5):
            with self.assertRaises(AnswerNotSuccessful):
                self.forward()
        self.system.answers(200)
        UnnamedHealth.objects.update(open_until=timezone.now())

        self.forward()
        self.forward()

        self.assertEqual(UnnamedHealth.objects.get().circuit(timezone.now()), Circuit.CLOSED)

    def test_that_is_down_stands_in_the_way_of_no_other_route(self) -> None:
        self.system.answers(500)
        for _ in range(5):
            with self.assertRaises(AnswerNotSuccessful):
                self.forward()
        self.system.answers(200)

        self.forward(route="another")
        self.forward(endpoint_id=uuid4())

        self.assertEqual(len(self.system.requests), 7)

    def test_is_not_called_while_it_has_asked_for_no_calls(self) -> None:
        self.system.answers(429, Retry_After="600")
        with self.assertRaises(RetryLater) as later:
            self.forward()
        self.assertEqual(later.exception.after, timedelta(seconds=600))
        self.system.answers(200)
        with self.assertRaises(RateLimited):
            self.forward()

        self.assertEqual(len(self.system.requests), 1)

    def test_is_left_alone_before_it_refuses_where_it_says_that_no_calls_are_left(self) -> None:
        self.system.answers(200, X_RateLimit_Remaining="0", X_RateLimit_Reset="600")
        self.forward()
        with self.assertRaises(RateLimited):
            self.forward()

    def test_is_guarded_and_what_was_sent_is_kept_without_a_connection(self) -> None:
        with override_settings(HUB_EGRESS_ALLOW=[]), self.assertRaises(EgressRefused):
            self.forward()
        self.forward()

        refused, sent = self.journal.calls
        self.assertEqual((refused["error"], sent["status"]), ("EgressRefused", 200))
        self.assertEqual((sent["method"], sent["url"]), ("POST", f"{self.system.url}/catch/1"))
        self.assertNotIn("connection", sent)
        self.assertEqual(self.journal.answers[-1]["status"], 200)

    def test_is_forgotten_when_nothing_was_heard_of_it_for_long(self) -> None:
        self.forward()
        self.assertEqual(UnnamedHealth.objects.prune(now=timezone.now() + timedelta(days=29), limit=9), 0)
        self.assertEqual(UnnamedHealth.objects.prune(now=timezone.now() + timedelta(days=31), limit=9), 1)

    def test_that_is_well_costs_one_look(self) -> None:
        self.forward()
        with self.assertNumQueries(1):
            self.forward()


class TheMailServerTests(UnnamedTestCase):
    def test_is_asked_no_more_after_failures_in_a_row_and_no_attempt_is_spent(self) -> None:
        backend = "django.core.mail.backends.smtp.EmailBackend"
        with override_settings(EMAIL_BACKEND=backend, EMAIL_HOST="127.0.0.1", EMAIL_PORT=free_port()):
            self.fails(SystemFailed, "email.send", MAIL, times=5)
            self.fails(CircuitOpen, "email.send", MAIL, times=1)

        self.assertEqual([call["error"] for call in self.journal.calls], ["SystemFailed"] * 5)
        health = UnnamedHealth.objects.get()
        self.assertEqual((health.name, health.circuit(timezone.now())), ("127.0.0.1", Circuit.OPEN))
        self.assertIn("127.0.0.1: SEND: the mail server cannot be reached", health.last_error)


class ADatabaseTests(UnnamedTestCase):
    def test_is_asked_no_more_after_failures_in_a_row_and_no_attempt_is_spent(self) -> None:
        url = f"postgres://hub:s3cret-Of-The-Warehouse@127.0.0.1:{free_port()}/warehouse"
        with mock.patch.dict("os.environ", {"HUB_SECRET_WAREHOUSE": url}):
            self.fails(DatabaseFailed, "table.append", ROW, times=5)
            self.fails(CircuitOpen, "table.append", ROW, times=1)

        health = UnnamedHealth.objects.get()
        self.assertEqual((health.name, health.circuit(timezone.now())), ("HUB_SECRET_WAREHOUSE", Circuit.OPEN))
        self.assertNotIn("s3cret", str([*self.journal.calls, *self.journal.answers, health.last_error]))

    def test_is_sent_a_row_which_is_kept(self) -> None:
        url = f"postgres://hub:s3cret@127.0.0.1:{free_port()}/warehouse"
        with mock.patch.dict("os.environ", {"HUB_SECRET_WAREHOUSE": url}):
            self.fails(DatabaseFailed, "table.append", ROW, times=1)

        (call,) = self.journal.calls
        self.assertEqual((call["method"], call["url"]), ("INSERT", "postgresql://hub_secret_warehouse/shop.orders"))
        self.assertEqual(json.loads(call["body"]), {"event_id": event_of({}).id, "order": "o-1"})
