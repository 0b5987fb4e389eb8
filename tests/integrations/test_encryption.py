"""Encryption at rest: rotation, a lost key, and what the database sees."""

from __future__ import annotations

import json
import traceback

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection
from django.test import SimpleTestCase, TestCase, override_settings

from integrations.encryption import decrypt, encrypt, rotate
from integrations.models import Endpoint, Secret
from tests.factories import make_endpoint

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


class EncryptionTests(SimpleTestCase):
    @override_settings(HUB_ENCRYPTION_KEYS=[OLD])
    def test_gives_back_what_it_took_and_never_the_same_token(self) -> None:
        for plain in (b"", b"s3cret", bytes(range(256))):
            self.assertEqual(decrypt(encrypt(plain)), plain)
        self.assertNotEqual(encrypt(b"a"), encrypt(b"a"))

    def test_reads_under_every_key_and_writes_under_the_first(self) -> None:
        with override_settings(HUB_ENCRYPTION_KEYS=[OLD]):
            token = encrypt(b"s3cret")
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]):
            self.assertEqual(decrypt(token), b"s3cret")
            rotated = rotate(token)
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW]):
            self.assertEqual(decrypt(rotated), b"s3cret")

    def test_fails_loudly_without_the_key_and_says_nothing_of_the_token(self) -> None:
        with override_settings(HUB_ENCRYPTION_KEYS=[OLD]):
            token = encrypt(b"s3cret")
        for bad in (token, token[:-10], b"plain text", b"", "\u00e9".encode()):
            with self.subTest(bad), override_settings(HUB_ENCRYPTION_KEYS=[OTHER]):
                with pytest.raises(ImproperlyConfigured, match="HUB_ENCRYPTION_KEYS holds no key") as failure:
                    decrypt(bad)
                shown = "".join(traceback.format_exception(failure.value))
                self.assertNotIn("InvalidToken", shown)
                self.assertNotIn(token.decode()[:20], shown)


class EncryptedTextFieldTests(TestCase):
    def stored(self, secret: Secret) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM integrations_secret WHERE label = %s", [secret.label])
            text: str = cursor.fetchone()[0]
        return text

    def test_keeps_a_token_in_the_database_and_text_in_python(self) -> None:
        secret = Secret.objects.create(endpoint=make_endpoint(), label="a", value="gr\u00fcn s3cret")

        self.assertEqual(Secret.objects.get(pk=secret.pk).value, "gr\u00fcn s3cret")
        self.assertTrue(self.stored(secret).startswith("gAAAA"))
        self.assertEqual(decrypt(self.stored(secret).encode()).decode(), "gr\u00fcn s3cret")

    def test_keeps_an_empty_text_empty(self) -> None:
        secret = Secret.objects.create(endpoint=make_endpoint(), label="b", value="")

        self.assertEqual(self.stored(secret), "")
        self.assertEqual(Secret.objects.get(pk=secret.pk).value, "")

    def test_encrypts_in_every_way_of_writing(self) -> None:
        endpoint = make_endpoint()
        Secret.objects.bulk_create([Secret(endpoint=endpoint, label="c", value="one")])
        secret = Secret.objects.get(label="c")
        self.assertNotIn("one", self.stored(secret))

        Secret.objects.filter(pk=secret.pk).update(value="two")
        self.assertNotIn("two", self.stored(secret))
        secret.value = "three"
        Secret.objects.bulk_update([secret], ["value"])

        self.assertNotIn("three", self.stored(secret))
        self.assertEqual(Secret.objects.get(pk=secret.pk).value, "three")

    def test_refuses_comparisons_that_would_find_nothing(self) -> None:
        for lookup in ("value", "value__contains", "value__in", "value__startswith"):
            with self.subTest(lookup), pytest.raises(FieldError):
                list(Secret.objects.filter(**{lookup: "one"}))
        self.assertEqual(list(Secret.objects.filter(value__isnull=True)), [])

    def test_fails_on_a_value_that_somebody_wrote_in_plain(self) -> None:
        secret = Secret.objects.create(endpoint=make_endpoint(), label="d", value="x")
        for plain in ("s3cret", "s3cr\u00e9t"):
            with connection.cursor() as cursor:
                cursor.execute("UPDATE integrations_secret SET value = %s WHERE label = 'd'", [plain])
            with self.subTest(plain), pytest.raises(ImproperlyConfigured) as failure:
                _ = Secret.objects.get(pk=secret.pk).value
            self.assertNotIn(plain, str(failure.value))


class EncryptedJSONFieldTests(TestCase):
    SETTINGS = {"verify_token": "gr\u00fcn s3cret"}

    def stored(self, endpoint: Endpoint) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT settings FROM integrations_endpoint WHERE slug = %s", [endpoint.slug])
            text: str = cursor.fetchone()[0]
        return text

    def test_keeps_a_token_in_the_database_and_the_value_in_python(self) -> None:
        endpoint = make_endpoint(provider="meta", settings=self.SETTINGS)

        self.assertEqual(Endpoint.objects.get(pk=endpoint.pk).settings, self.SETTINGS)
        self.assertTrue(self.stored(endpoint).startswith("gAAAA"))
        self.assertEqual(json.loads(decrypt(self.stored(endpoint).encode())), self.SETTINGS)

    def test_encrypts_in_every_way_of_writing(self) -> None:
        endpoint = make_endpoint(provider="meta")
        Endpoint.objects.filter(pk=endpoint.pk).update(settings=self.SETTINGS)
        self.assertTrue(self.stored(endpoint).startswith("gAAAA"))

        endpoint = Endpoint.objects.get(pk=endpoint.pk)
        Endpoint.objects.bulk_update([endpoint], ["settings"])
        endpoint.save()
        endpoint.refresh_from_db()

        self.assertTrue(self.stored(endpoint).startswith("gAAAA"))
        self.assertEqual(endpoint.settings, self.SETTINGS)
        self.assertEqual(Endpoint.objects.defer("settings").get(pk=endpoint.pk).settings, self.SETTINGS)

    def test_is_not_shown_by_a_query_that_bypasses_the_model(self) -> None:
        make_endpoint(provider="meta", settings=self.SETTINGS)

        (value,) = Endpoint.objects.values_list("settings", flat=True)

        self.assertTrue(str(value).startswith("gAAAA"))

    def test_keeps_a_change_in_place(self) -> None:
        endpoint = Endpoint.objects.get(pk=make_endpoint(provider="meta", settings=self.SETTINGS).pk)
        endpoint.settings["verify_token"] = "other"
        endpoint.save()

        self.assertEqual(Endpoint.objects.get(pk=endpoint.pk).settings, {"verify_token": "other"})

    def test_refuses_comparisons_that_would_find_nothing(self) -> None:
        for lookup in ("settings", "settings__contains", "settings__verify_token"):
            with self.subTest(lookup), pytest.raises(FieldError):
                list(Endpoint.objects.filter(**{lookup: "one"}))

    def test_fails_over_a_lost_key_only_where_the_value_is_read(self) -> None:
        endpoint = make_endpoint(provider="meta", settings=self.SETTINGS)

        with override_settings(HUB_ENCRYPTION_KEYS=[OTHER]):
            row = Endpoint.objects.get(pk=endpoint.pk)
            self.assertEqual(row.slug, endpoint.slug)
            with pytest.raises(ImproperlyConfigured, match="HUB_ENCRYPTION_KEYS holds no key"):
                _ = row.settings
