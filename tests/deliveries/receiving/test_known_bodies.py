"""The look for a body that came before goes by the index of bodies, however little the database knows of the table."""

from __future__ import annotations

import os
from typing import ClassVar

from django.db import connection
from django.test import TestCase

from deliveries.models import Event
from deliveries.models.known_bodies import Look, under_another_key, under_key_with
from integrations.models import Endpoint
from tests.factories import make_endpoint, make_event


class TheLookForABody(TestCase):
    endpoint: ClassVar[Endpoint]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.endpoint = make_endpoint()

    def plan(self, look: Look) -> str:
        """Return how the database would look, in its words."""
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        event = Event(endpoint=self.endpoint, body_sha256=os.urandom(32))
        with connection.cursor() as cursor:
            cursor.execute(f"{explain} {look.statement(connection.vendor)}", look.values(event, connection))
            return "\n".join(str(row[-1]) for row in cursor.fetchall())

    def assert_goes_by_bodies(self) -> None:
        for look in (under_another_key(Event(dedupe_key="id:1")), under_key_with("id:")):
            with self.subTest(look.comparison):
                self.assertIn("event_by_body", self.plan(look))

    def test_goes_by_the_body_and_has_no_other_index_to_go_by(self) -> None:
        if connection.vendor != "postgresql":
            self.assert_goes_by_bodies()
            return
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # a table that is known as empty needs no index
            self.assert_goes_by_bodies()
            cursor.execute("DROP INDEX event_by_body")
        self.assertNotIn("Index", self.plan(under_key_with("id:")))

    def test_goes_by_the_body_where_one_endpoint_has_all_events(self) -> None:
        for number in range(100):
            make_event(self.endpoint, body=b'{"number": %d, "pad": "%s"}' % (number, os.urandom(500).hex().encode()))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE deliveries_event")
        self.assert_goes_by_bodies()
