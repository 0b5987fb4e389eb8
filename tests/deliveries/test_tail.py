"""``manage.py tail``."""

from __future__ import annotations

import io
import json
import uuid
from datetime import timedelta
from typing import Any

from django.core.management import CommandError, call_command
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Rejection
from deliveries.tailing import Line, Stream
from integrations.models import Endpoint
from tests.factories import make_delivery, make_endpoint, make_event, make_route


def tail(*options: str) -> str:
    out = io.StringIO()
    call_command("tail", "--once", "--since", "1h", *options, stdout=out)
    return out.getvalue()


def attempt(delivery: Delivery, number: int = 1, **values: Any) -> Attempt:
    now = timezone.now()
    Delivery.objects.filter(pk=delivery.pk).update(attempt_count=number)
    values = {"outcome": "succeeded", "finished_at": now, **values}
    return Attempt.objects.create(
        delivery=delivery, number=number, trigger="first", started_at=now - timedelta(milliseconds=12), **values
    )


class TailTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="orders")
        self.route = make_route(self.endpoint, name="note it")
        self.stream = Stream(since=timezone.now() - timedelta(minutes=1))

    def new(self) -> list[tuple[str, str, str]]:
        return [(line.status, line.route, line.text) for line in self.stream.new()]

    def refuse(self, endpoint: Endpoint) -> None:
        Rejection.objects.create(
            endpoint=endpoint, reason="signature_mismatch", received_at=timezone.now(), source="192.0.2.1"
        )

    def test_shows_events_refusals_and_outcomes_in_the_order_in_which_they_happened(self) -> None:
        event = make_event(self.endpoint, event_type="order.paid", event_id="o-1")
        self.refuse(self.endpoint)
        attempt(make_delivery(self.route, event=event, status="succeeded", finished_at=timezone.now()))

        lines = [line.split(maxsplit=2)[1:] for line in tail().splitlines()]

        self.assertEqual(
            lines,
            [
                ["received", "orders / order.paid  verified o-1"],
                ["refused", "orders  signature_mismatch from 192.0.2.1"],
                ["succeeded", "orders / note it / order.paid  attempt 1, 12 ms"],
            ],
        )

    def test_shows_each_thing_once(self) -> None:
        attempt(make_delivery(self.route))
        self.refuse(self.endpoint)

        self.assertEqual(len(self.new()), 3)
        self.assertEqual(self.new(), [])
        make_event(self.endpoint)
        self.assertEqual([status for status, _, _ in self.new()], ["received"])

    def test_shows_what_was_committed_late(self) -> None:
        newest = make_event(self.endpoint)
        self.new()
        make_event(self.endpoint, id=uuid.UUID(int=newest.pk.int - (15_000 << 80)), event_id="late")

        self.assertEqual(self.new(), [("received", "", "verified late")])

    def test_shows_an_attempt_when_it_ends(self) -> None:
        delivery = make_delivery(self.route)
        running = attempt(delivery, outcome="running", finished_at=None)
        self.assertEqual([status for status, _, _ in self.new()], ["received"])
        self.assertEqual(self.new(), [])

        Attempt.objects.filter(pk=running.pk).update(outcome="succeeded", finished_at=timezone.now())

        self.assertEqual([status for status, _, _ in self.new()], ["succeeded"])

    def test_says_why_an_attempt_failed_and_what_comes_next(self) -> None:
        due = timezone.now() + timedelta(minutes=1)
        failed = {"outcome": "failed", "error_type": "ConnectError", "error_message": "refused\nmore"}
        waiting = make_delivery(self.route, status="waiting", now=due)
        dead = make_delivery(self.route, status="dead", finished_at=timezone.now())
        attempt(waiting, **failed)
        attempt(dead, 1, **failed)
        attempt(dead, 2, **failed)

        lines = [(status, text) for status, route, text in self.new() if route]

        text = "attempt {} failed, 12 ms: ConnectError: refused"
        self.assertEqual(
            lines,
            [
                ("waiting", f"{text.format(1)}; again at {due:%H:%M:%S} UTC"),
                ("failed", text.format(1)),
                ("dead", text.format(2)),
            ],
        )

    def test_can_be_limited_to_an_endpoint_and_to_statuses(self) -> None:
        other = make_endpoint(slug="billing")
        for endpoint in (self.endpoint, other):
            make_event(endpoint)
            self.refuse(endpoint)
            attempt(make_delivery(make_route(endpoint)))

        self.assertEqual(len(tail().splitlines()), 8)
        found = [json.loads(line) for line in tail("--endpoint", "billing", "--json").splitlines()]
        self.assertEqual(
            [(item["endpoint"], item["status"]) for item in found],
            [("billing", status) for status in ("received", "refused", "received", "succeeded")],
        )
        self.assertEqual(len(tail("--status", "refused").splitlines()), 2)

    def test_begins_now_unless_it_is_told_otherwise(self) -> None:
        attempt(make_delivery(self.route))
        out = io.StringIO()

        call_command("tail", "--once", stdout=out)

        self.assertEqual(out.getvalue(), "")

    def test_knows_a_wrong_endpoint(self) -> None:
        with self.assertRaisesMessage(CommandError, "there is no endpoint 'nope'"):
            tail("--endpoint", "nope")

    def test_shows_no_control_characters(self) -> None:
        make_event(self.endpoint, event_type="a\x1b[31m", event_id="b\x07")

        self.assertIn("orders / a?[31m  verified b?", tail())

    def test_loads_no_bodies_and_asks_a_fixed_number_of_questions(self) -> None:
        for _ in range(3):
            attempt(make_delivery(self.route))

        with CaptureQueriesContext(connection) as queries:
            lines: list[Line] = self.stream.new()

        self.assertEqual(len(lines), 6)
        self.assertLessEqual(len(queries), 7)
        self.assertFalse([query for query in queries if "raw_body" in query["sql"] or "sealed" in query["sql"]])
