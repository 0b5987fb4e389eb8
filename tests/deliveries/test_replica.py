"""The replica: lists of history come from there, and nothing else does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.apps import apps
from django.db import connections
from django.test import SimpleTestCase, TestCase
from django.urls import reverse

from deliveries import replica
from deliveries.models import Delivery, Event
from deliveries.replica import REPLICA, Router
from tests.deliveries.api.cases import make_user
from tests.factories import make_delivery, make_endpoint, make_route


def _tables() -> list[Any]:
    """Return the models with a table: all, as SQLite wants to see the table of each foreign key."""
    return [model for model in apps.get_models() if not model._meta.proxy and model._meta.managed]


class ReplicaTests(TestCase):
    """With a second database, which is behind: the first delivery is there, the second is not."""

    def setUp(self) -> None:
        path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "replica.sqlite3"
        self.add_replica({"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)})
        route = make_route(make_endpoint(slug="gh", provider="github", secret="a"))
        self.old, self.new = make_delivery(route), make_delivery(route)
        with connections[REPLICA].schema_editor() as editor:
            for model in _tables():
                editor.create_model(model)
        for row in (self.old.event.endpoint, self.old.route, self.old.event, self.old):
            row.save(using=REPLICA, force_insert=True)
        self.client.force_login(make_user("ada", is_superuser=True, is_staff=True))

    def add_replica(self, config: dict[str, Any]) -> None:
        connections.settings[REPLICA] = connections.configure_settings({"default": {}, REPLICA: config})[REPLICA]
        self.addCleanup(self.forget)
        # Not one of the test's databases: those are made, and rolled back, with the whole suite's.
        self.enterContext(mock.patch.object(type(self), "databases", {"default", REPLICA}))

    def forget(self) -> None:
        connections[REPLICA].close()
        del connections[REPLICA], connections.settings[REPLICA]

    def shown(self, model: str = "delivery") -> Any:
        response = self.client.get(reverse(f"admin:deliveries_{model}_changelist"))
        self.assertEqual(response.status_code, 200)
        return response

    def test_fills_a_list_and_says_so(self) -> None:
        response = self.shown()

        self.assertEqual([row.pk for row in response.context["cl"].result_list], [self.old.pk])
        self.assertContains(response, "From the replica, which may be behind")

    def test_is_not_asked_for_the_page_of_a_row(self) -> None:
        response = self.client.get(reverse("admin:deliveries_delivery_change", args=[self.new.pk]))
        self.assertEqual(response.status_code, 200)

    def test_is_done_without_when_it_is_away(self) -> None:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute("DROP TABLE deliveries_delivery")

        response = self.shown()

        self.assertEqual({row.pk for row in response.context["cl"].result_list}, {self.old.pk, self.new.pk})
        self.assertNotContains(response, "From the replica")

    def test_is_never_written_to_and_never_asked_outside_of_a_list(self) -> None:
        with replica.reading():
            self.assertEqual(Event.objects.all().db, REPLICA)
            Delivery.objects.filter(pk=self.old.pk).update(attempt_count=7)
        self.assertEqual(Event.objects.all().db, "default")
        self.assertEqual(Delivery.objects.get(pk=self.old.pk).attempt_count, 7)
        self.assertEqual(Delivery.objects.using(REPLICA).get(pk=self.old.pk).attempt_count, 0)


class RouterTests(SimpleTestCase):
    def test_leaves_the_replicas_schema_to_replication(self) -> None:
        self.assertFalse(Router().allow_migrate(REPLICA, "deliveries"))
        self.assertTrue(Router().allow_migrate("default", "deliveries"))
