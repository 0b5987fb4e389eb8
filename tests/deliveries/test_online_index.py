"""`AddIndexOnline`, on a table of its own kind and outside of a transaction."""

from __future__ import annotations

from typing import Any

from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.test import TransactionTestCase

from deliveries.models import Event
from deliveries.online_index import AddIndexOnline


class AddIndexOnlineTests(TransactionTestCase):
    def test_makes_an_index_that_the_database_uses_and_takes_it_back(self) -> None:
        before = MigrationLoader(None).project_state()
        after = before.clone()
        operation = AddIndexOnline("event", models.Index("received_at", "event_id", name="made_online"))
        operation.state_forwards("deliveries", after)

        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("deliveries", editor, before, after)
        self.addCleanup(self.drop)
        self.assertIn("made_online", self.indexes())

        with connection.schema_editor(atomic=False) as editor:
            operation.database_backwards("deliveries", editor, after, before)
        self.assertNotIn("made_online", self.indexes())

    def indexes(self) -> dict[str, Any]:
        with connection.cursor() as cursor:
            return connection.introspection.get_constraints(cursor, Event._meta.db_table)

    def drop(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX IF EXISTS made_online")
