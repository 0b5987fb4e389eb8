"""``Authorization: Token ...`` and ``manage.py create_token``."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

from django.core.management import CommandError, call_command
from django.test import TestCase
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from deliveries.models import AuditEntry
from tests.deliveries.api.cases import API, ApiTestCase, make_user

URL = f"{API}/providers/"


def create_token(*arguments: str) -> str:
    output = io.StringIO()
    call_command("create_token", *arguments, stdout=output)
    return output.getvalue()


class TokenTests(ApiTestCase):
    def get(self, authorization: str) -> Any:
        return APIClient().get(URL, headers={"Authorization": authorization})

    def test_from_the_command_line_open_the_api(self) -> None:
        token = create_token("ada").split()[-1]

        self.assertEqual(self.get(f"Token {token}").status_code, 200)

    def test_that_are_none_are_refused(self) -> None:
        _, token = AuthToken.objects.create(self.user)
        values = ["Token", "Token a b", "Token x", f"Token {token}x", f"Token {token[:-1]}", "Token " + "a" * 100_000]
        values += ["Token \x00" + "a" * 30, "Token " + "a" * 20 + "\x00", "Token é" + "a" * 30, "Token ''" + "a" * 30]
        for value in values:
            with self.subTest(value=value[:40]):
                response = self.get(value)
                self.assert_error(response, 401, "invalid_token")
                self.assertEqual(response["WWW-Authenticate"], "Token")
        for value in (f"Bearer {token}", "Basic YTpi", token):
            with self.subTest(value=value[:10]):
                self.assert_error(self.get(value), 401, "not_authenticated")

    def test_end_with_their_time_and_with_their_user(self) -> None:
        row, token = AuthToken.objects.create(self.user, expiry=timedelta(days=1))
        AuthToken.objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(seconds=1))
        self.assert_error(self.get(f"Token {token}"), 401, "invalid_token")

        _, token = AuthToken.objects.create(self.user)
        self.user.is_active = False
        self.user.save()
        self.assert_error(self.get(f"Token {token}"), 401, "invalid_token")

    def test_are_kept_as_a_hash(self) -> None:
        token = create_token("ada").split()[-1]

        kept = " ".join(str(value) for row in AuthToken.objects.values() for value in row.values())

        self.assertNotIn(token, kept)

    def test_do_not_open_the_admin(self) -> None:
        response = self.client.get("/admin/")

        self.assertEqual(response.status_code, 302)


class CreateTokenTests(TestCase):
    def setUp(self) -> None:
        self.user = make_user("ada")

    def test_prints_one_line_that_ends_in_the_token(self) -> None:
        output = create_token("ada")

        self.assertEqual(output.count("\n"), 1)
        self.assertTrue(re.fullmatch(r"[0-9a-f]{64}", output.split()[-1]))
        self.assertIn("until it is revoked", output)
        self.assertIsNone(AuthToken.objects.get().expiry)

    def test_takes_the_tokens_life(self) -> None:
        for text, life in {
            "30m": {"minutes": 30},
            "12h": {"hours": 12},
            "90d": {"days": 90},
            "4w": {"weeks": 4},
        }.items():
            with self.subTest(text):
                AuthToken.objects.all().delete()
                output = create_token("ada", "--expires", text)
                expiry = AuthToken.objects.get().expiry
                self.assertAlmostEqual(expiry, timezone.now() + timedelta(**life), delta=timedelta(seconds=30))
                self.assertIn(f"until {expiry:%Y-%m-%d %H:%M} UTC", output)

    def test_refuses_an_unknown_or_inactive_user(self) -> None:
        make_user("bob", is_active=False)

        for name in ("nobody", "bob", "a\x00b", ""):
            with self.subTest(name=name), self.assertRaises(CommandError) as caught:
                create_token(name)
            self.assertEqual(str(caught.exception).count("\n"), 0)
        self.assertFalse(AuthToken.objects.exists())

    def test_refuses_a_life_that_is_none(self) -> None:
        for text in ("", "90", "d", "-1d", "0d", "1.5h", "90 d", "9999999w", "10y", "٩d", "1d1h"):
            with self.subTest(text=text), self.assertRaises(CommandError) as caught:
                create_token("ada", f"--expires={text}")
            self.assertIn("--expires", str(caught.exception))
        self.assertFalse(AuthToken.objects.exists())

    def test_notes_it_in_the_log_without_the_token(self) -> None:
        token = create_token("ada").split()[-1]

        entry = AuditEntry.objects.changes().get()
        self.assertEqual((entry.action, entry.object_type, entry.who), ("made", "token", "ada"))
        self.assertEqual((entry.via, entry.object_id), ("command", token[:8]))
        self.assertNotIn(token, entry.message)
