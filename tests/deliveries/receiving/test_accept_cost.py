"""What one accepted event asks of the database, counted: a statement more is a regression that no clock has to show."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.db import close_old_connections, connection, connections
from django.http import HttpResponse
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries import wakeup
from deliveries.models import Delivery, Event
from deliveries.receiving import endpoints
from hub.requests import Handler
from integrations.models import Endpoint
from tests.calls import counted
from tests.deliveries.receiving.cases import Sender, cut_connection, signature, signed_endpoint
from tests.factories import make_route

#: Calls of Python functions, a few over what they are with Python 3.11.
ACCEPTED_ON_POSTGRES, ACCEPTED_ON_SQLITE = 740, 800


class Warm(Sender, TransactionTestCase):
    """An endpoint that the process knows, for as long as the test takes."""

    def setUp(self) -> None:
        fresh = patch.object(endpoints._cache, "_fresh_seconds", 600)
        fresh.start()
        self.addCleanup(fresh.stop)

    def warm(self, *, routes: int = 1, **values: str) -> Endpoint:
        endpoint = signed_endpoint(**values)
        for _ in range(routes):
            make_route(endpoint)
        self.send(endpoint, event_id="warm", body=b'{"warm": 1}')
        return endpoint


class OneAcceptedEventTests(Warm):
    @property
    def accept(self) -> list[str]:
        """All in one on PostgreSQL, where a statement is a transaction; the look for a known body is part of it."""
        return ["WITH"] if connection.vendor == "postgresql" else ["BEGIN", "INSERT", "INSERT", "COMMIT"]

    def statements(self, endpoint: Endpoint, **values: str) -> list[str]:
        """Return the verbs of all statements, those of the transaction too; without the workers' hint."""
        with CaptureQueriesContext(connection) as captured, patch.object(wakeup._Last, "at", float("inf")):
            self.assertEqual(self.send(endpoint, **values).status_code, 200)
        return [query["sql"].split()[0] for query in captured]

    def test_takes_one_statement_or_one_transaction_of_two_however_many_routes_there_are(self) -> None:
        self.assertEqual(self.statements(self.warm(), event_id="1"), self.accept)
        self.assertEqual(self.statements(self.warm(routes=10), event_id="2"), self.accept)

        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (4, 22))

    def test_takes_one_locked_look_more_where_deliveries_are_held(self) -> None:
        statements = self.statements(self.warm(state="paused"), event_id="1")

        # The lock and the statement after it are one round trip, and so one transaction.
        at_once = ["SELECT", "WITH"]
        one_by_one = ["BEGIN", "INSERT", "SELECT", "INSERT", "COMMIT"]
        self.assertEqual(statements, at_once if connection.vendor == "postgresql" else one_by_one)

    @pytest.mark.stricter_database
    def test_is_planned_once_for_all(self) -> None:
        if connection.vendor != "postgresql":
            self.skipTest("SQLite plans what it is given")
        for number, endpoint in enumerate((self.warm(), self.warm(routes=10), self.warm(state="paused"))):
            connection.close()  # the next one has planned nothing yet
            for again in range(8):
                self.assertEqual(self.send(endpoint, event_id=f"{number}-{again}").status_code, 200)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement ~ 'WITH'"
                )
                self.assertEqual(cursor.fetchall(), [(3, 5)])  # the server tries five plans before it keeps one

    def test_takes_one_statement_or_two_short_transactions_where_it_came_before(self) -> None:
        statements = self.statements(self.warm(), event_id="warm", body=b'{"warm": 1}')

        one_by_one = ["BEGIN", "INSERT", "COMMIT", "SELECT", "BEGIN", "UPDATE", "COMMIT"]
        self.assertEqual(statements, ["WITH"] if connection.vendor == "postgresql" else one_by_one)
        self.assertEqual((Event.objects.get().duplicates, Delivery.objects.count()), (1, 1))

    def test_takes_one_look_for_a_kept_key_more_where_events_have_gone(self) -> None:
        endpoint = self.warm()
        Endpoint.objects.filter(pk=endpoint.pk).update(keys_kept_since=timezone.now())
        endpoints.forget()
        self.send(endpoint, event_id="load")

        statements = self.statements(endpoint, event_id="1")

        at_once = ["BEGIN", "WITH", "SELECT", "COMMIT"]
        one_by_one = ["BEGIN", "INSERT", "SELECT", "INSERT", "COMMIT"]
        self.assertEqual(statements, at_once if connection.vendor == "postgresql" else one_by_one)

    def test_calls_the_workers_only_to_what_is_due(self) -> None:
        with patch("deliveries.receiving.queueing.hint_on_commit") as hint:
            self.send(self.warm(state="paused"), event_id="1")
            self.assertFalse(hint.called)

            self.send(self.warm(), event_id="1")
            self.assertTrue(hint.called)


class WhatOneAcceptCallsTests(Warm):
    """Calls of Python functions: the processor time of an accept is theirs, and no clock counts as surely."""

    def calls(self, endpoint: Endpoint) -> int:
        """Return how many functions are called for one more event, by the application that the server runs."""
        application = Handler()
        counts = []
        for number in range(4):
            body = b'{"type": "push", "number": %d}' % number
            environ = {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": f"/hooks/{endpoint.slug}",
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_HOST": "testserver",
                "HTTP_X_SIGNATURE": signature(body),
                "HTTP_X_EVENT_ID": f"counted-{number}",
                "REMOTE_ADDR": "127.0.0.1",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(body),
            }
            counts.append(_calls_of(lambda environ=environ: application(environ, lambda *_: None).close()))
        return min(counts)

    def test_are_no_more_than_they_were(self) -> None:
        is_postgres = connection.vendor == "postgresql"
        keeps = patch.dict(connection.settings_dict, {"CONN_HEALTH_CHECKS": is_postgres, "CONN_MAX_AGE": 600})
        keeps.start()
        self.addCleanup(keeps.stop)
        connection.close()  # the next one is kept from request to request
        logging.disable(logging.INFO)  # what listens to the lines is the test run's own
        self.addCleanup(logging.disable, logging.NOTSET)
        with patch.object(wakeup._Last, "at", float("inf")):
            accepted = self.calls(self.warm())

        self.assertLessEqual(accepted, ACCEPTED_ON_POSTGRES if is_postgres else ACCEPTED_ON_SQLITE)
        self.assertEqual(Event.objects.filter(event_id__startswith="counted").count(), 4)


def _calls_of(run: Callable[[], object]) -> int:
    with counted() as calls:
        run()
        return len(calls)


@pytest.mark.stricter_database
class AKeptConnectionTests(Warm):
    def setUp(self) -> None:
        super().setUp()
        if connection.vendor != "postgresql":
            self.skipTest("SQLite has no connection that could be cut")
        checks = patch.dict(connection.settings_dict, {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 600})
        checks.start()
        self.addCleanup(checks.stop)
        connection.close()  # the next one is opened with these

    def served(self, endpoint: Endpoint) -> HttpResponse:
        """Return the answer to an event, begun as the server begins; Django's test client leaves its part out."""
        close_old_connections()
        return self.send(endpoint, event_id="1")

    def test_is_not_asked_whether_it_works_while_it_is_quiet(self) -> None:
        endpoint = self.warm()

        with patch.object(type(connections["default"]), "is_usable", side_effect=AssertionError) as asked:
            self.assertEqual(self.served(endpoint).status_code, 200)

        self.assertFalse(asked.called)

    def test_is_opened_anew_once_the_server_has_cut_it(self) -> None:
        endpoint = self.warm()
        cut = cut_connection()

        self.assertEqual(self.served(endpoint).status_code, 200)
        self.assertNotEqual(connection.connection.info.backend_pid, cut)
