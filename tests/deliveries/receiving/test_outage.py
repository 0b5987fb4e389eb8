"""The database is there and does not let the hub write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection
from django.test import TransactionTestCase
from django.utils import timezone

from deliveries.models import Event
from deliveries.receiving import last_use
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_route


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Let another connection hold ``table``, and this one give up soon."""
    parameters = connection.get_connection_params()
    if connection.vendor == "sqlite":
        other = sqlite3.connect(parameters["database"], isolation_level=None)
        give_up, wait_again, lock = "PRAGMA busy_timeout = 50", "PRAGMA busy_timeout = 20000", "BEGIN IMMEDIATE"
    else:
        known = {name: parameters[name] for name in ("dbname", "user", "host", "port") if name in parameters}
        other = psycopg.connect(**known)
        give_up, wait_again = "SET lock_timeout = '50ms'", "SET lock_timeout = 0"
        lock = f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
    try:
        with connection.cursor() as cursor:
            cursor.execute(give_up)
        other.execute(lock)
        yield
    finally:
        other.rollback()
        other.close()
        with connection.cursor() as cursor:
            cursor.execute(wait_again)


class AnOutage(Sender, TransactionTestCase):
    def test_is_answered_with_503_and_nothing_is_stored(self) -> None:
        make_route(endpoint := signed_endpoint())

        with locked("deliveries_event"), self.assertLogs("django.request", "ERROR"):
            response = self.send(endpoint, event_id="1")

        self.assertEqual((response.status_code, response.json()), (503, {"error": "unavailable"}))
        self.assertGreater(int(response["Retry-After"]), 0)
        self.assertEqual(Event.objects.count(), 0)
        self.assertEqual(self.send(endpoint, event_id="1").json()["status"], "accepted")

    def test_does_not_turn_a_refusal_into_an_error(self) -> None:
        endpoint = signed_endpoint()
        self.send(endpoint, event_id="warm")

        with locked("deliveries_rejection"), self.assertLogs("deliveries.receiving.rejections", "ERROR"):
            response = self.send(endpoint, secret="wrong")

        self.assertEqual((response.status_code, response.json()), (401, {"error": "invalid_signature"}))

    def test_does_not_turn_an_accepted_event_into_an_error(self) -> None:
        endpoint = signed_endpoint()
        secret = endpoint.secrets.get()

        with locked("integrations_secret"), self.assertLogs("deliveries.receiving.last_use", "WARNING"):
            last_use.note(secret.pk, at=timezone.now())

        secret.refresh_from_db()
        self.assertIsNone(secret.last_used_at)
