"""``manage.py rotate_encryption_key``."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test import TestCase, override_settings
from django.test.utils import isolate_apps

from deliveries import rotation
from deliveries.models import Event, Rejection
from deliveries.rotation import Column, columns
from integrations.encryption import EncryptedTextField, decrypt
from integrations.models import Secret
from tests.deliveries.receiving.cases import Sender, signed_endpoint

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def rotate() -> str:
    out = StringIO()
    call_command("rotate_encryption_key", stdout=out)
    return out.getvalue()


@override_settings(HUB_ENCRYPTION_KEYS=[OLD])
class RotationTests(Sender, TestCase):
    def fill(self, events: int = 1) -> None:
        """Store what is encrypted: secrets, an event's credentials and body, a rejection's."""
        endpoint = signed_endpoint(sensitive=True)
        Secret.objects.create(endpoint=endpoint, value="second", signing_key="private", label="second")
        for number in range(events):
            self.send(endpoint, b'{"n": 1}', event_id=f"e-{number}", headers={"Authorization": "Bearer abc"})
        self.send(endpoint, b'{"n": 2}', event_id="e-0", headers={"Authorization": "Bearer other"})
        self.send(endpoint, b'{"n": 3}', secret="wrong")

    def test_brings_everything_under_the_first_key(self) -> None:
        self.fill()
        settings = Rejection.objects.get().endpoint.settings

        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]):
            line = rotate()

        # the endpoint's settings, three of the secrets, two of each stored request: event, variant, rejection
        self.assertEqual(line, "encrypted 10 values anew, 0 were under the first key already\n")
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW]):
            self.assertIn(("second", "private"), [(each.value, each.signing_key) for each in Secret.objects.all()])
            event, rejection = Event.objects.get(), Rejection.objects.get()
            self.assertEqual((event.body, event.variants.get().body), (b'{"n": 1}', b'{"n": 2}'))
            self.assertEqual(event.original_headers["Authorization"], "Bearer abc")
            self.assertEqual(rejection.body, b'{"n": 3}')
            self.assertEqual(rejection.endpoint.settings, settings)

    def test_does_nothing_the_second_time(self) -> None:
        self.fill()
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]):
            rotate()
            before = self.stored()

            self.assertEqual(rotate(), "encrypted 0 values anew, 10 were under the first key already\n")

            self.assertEqual(self.stored(), before)

    def test_goes_on_after_the_first_batch(self) -> None:
        self.fill(events=5)
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]), pytest.MonkeyPatch.context() as patch:
            patch.setattr(rotation, "_TEXTS_AT_ONCE", 2)
            patch.setattr(rotation, "_BODIES_AT_ONCE", 2)

            self.assertIn("encrypted 18 values", rotate())

    def test_names_what_no_key_decrypts_and_does_the_rest(self) -> None:
        self.fill()
        lost = Secret.objects.create(endpoint=signed_endpoint(), value="x", label="lost")
        with override_settings(HUB_ENCRYPTION_KEYS=[OTHER]):
            Secret.objects.filter(pk=lost.pk).update(value="under a key that is gone")

        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]), self.assertRaises(CommandError) as failure:
            rotate()

        self.assertIn(f"integrations_secret.value {lost.pk}", str(failure.exception))
        self.assertIn("encrypted 12 values anew", str(failure.exception))
        self.assertNotIn("gAAAA", str(failure.exception))

    def test_leaves_what_was_changed_meanwhile(self) -> None:
        endpoint = signed_endpoint()
        secret = endpoint.secrets.get()
        column = next(each for each in columns() if each.label == "integrations_secret.value")
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]):
            batch = column._batch(None)
            changes = list(column._changes(batch, rotation.Rotation()))
            Secret.objects.filter(pk=secret.pk).update(value="changed")

            self.assertEqual([column._write(*change) for change in changes], [0])
            self.assertEqual(Secret.objects.get(pk=secret.pk).value, "changed")

    def stored(self) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT value, signing_key FROM integrations_secret ORDER BY id")
            tokens = cursor.fetchall()
        self.assertTrue(all(decrypt(value.encode()) for value, _ in tokens))
        return [*tokens, *(bytes(raw) for raw in Event.objects.values_list("raw_body", flat=True))]


class TestTheColumns:
    def test_are_found_in_every_app(self) -> None:
        found = {column.label for column in columns()}

        assert {
            "integrations_endpoint.settings",
            "integrations_secret.value",
            "integrations_secret.signing_key",
            "deliveries_event.sealed",
            "deliveries_event.raw_body",
            "deliveries_eventvariant.sealed",
            "deliveries_eventvariant.raw_body",
            "deliveries_rejection.sealed",
            "deliveries_rejection.raw_body",
            "integrations_connection.credentials",
            "integrations_connectiontoken.access_token",
            "integrations_connectiontoken.refresh_token",
        } <= found

    @pytest.mark.django_db
    def test_can_each_be_read_whatever_they_are_called(self) -> None:
        assert [column.newest(1) for column in columns()] == [[]] * len(columns())

    def test_are_those_of_a_model_that_nobody_has_thought_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with isolate_apps("integrations"):

            class Unthought(models.Model):
                credential = EncryptedTextField()

                class Meta:
                    app_label = "integrations"

                def __str__(self) -> str:
                    return ""

        monkeypatch.setattr("deliveries.rotation.apps.get_models", lambda: [Unthought])

        assert columns() == [Column(Unthought, "credential", is_body=False)]
