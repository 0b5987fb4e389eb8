"""What each process may do with which table."""

from __future__ import annotations

from django.apps import apps
from django.test import SimpleTestCase

from deliveries.database_roles import grants
from integrations.models import Restriction


class AWorkerTests(SimpleTestCase):
    def test_writes_what_handlers_and_their_clients_keep_and_nothing_that_is_set_up(self) -> None:
        found = grants()
        for model in apps.get_app_config("integrations").get_models():
            # Whom a role or a person is restricted to is set up with them, and has no page of its own.
            is_kept = not model._meta.default_permissions and model is not Restriction
            with self.subTest(model.__name__):
                self.assertEqual("INSERT" in found[model._meta.db_table].worker, is_kept)
