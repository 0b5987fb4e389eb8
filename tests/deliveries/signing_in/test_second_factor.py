"""The second factor: set up, shown at login, required, lost; and no way in that goes around it."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, TestCase, override_settings

from deliveries.models import AuditEntry
from integrations.encryption import decrypt
from tests.deliveries.admin.people import make_user
from tests.deliveries.signing_in.codes import (
    AGAIN,
    HOME,
    LOGIN,
    PASSWORD,
    SECOND,
    SET_UP,
    code,
    is_in,
    log_in,
    set_up,
)

pytestmark = pytest.mark.any_database

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


class SecondFactorTests(TestCase):
    def setUp(self) -> None:
        cache.clear()
        self.user = make_user("operator")
        self.secret, self.recovery_codes = set_up(log_in(self.user))

    def logged_in_with(self, text: str) -> Client:
        client = log_in(self.user)
        client.post(SECOND, {"code": text})
        return client

    def test_is_asked_for_after_the_password(self) -> None:
        client = Client()
        answer = client.post(LOGIN, {"username": "operator", "password": "correct horse battery"})

        self.assertRedirects(answer, SECOND)
        self.assertFalse(is_in(client))
        self.assertRedirects(client.post(SECOND, {"code": code(self.secret)}), HOME)
        self.assertTrue(is_in(client))

    def test_leaves_nothing_open_without_it(self) -> None:
        client = log_in(self.user)
        for path in (HOME, "/admin/deliveries/event/", "/admin/account/second-factor/", SET_UP, "/api/docs/"):
            answer = client.get(path)
            self.assertEqual((path, answer.status_code), (path, 302))
            self.assertIn(LOGIN, answer["Location"])
        self.assertEqual(client.get("/api/schema/").status_code, 401)
        self.assertEqual(client.post("/admin/password_change/", {"old_password": "x"}).status_code, 302)
        self.assertNotIn("_auth_user_id", client.session)

    def test_is_no_code_of_another_time_and_none_twice(self) -> None:
        self.assertFalse(is_in(self.logged_in_with(code(self.secret, ahead=5))))
        shown = code(self.secret)
        self.assertTrue(is_in(self.logged_in_with(shown)))
        self.assertFalse(is_in(self.logged_in_with(shown)))

    def test_can_be_kept_by_who_was_about_to_give_it_up(self) -> None:
        client = log_in(make_user("viewer", name="careful"))
        set_up(client)

        for page, way_back in (("second-factor/give-up", "second-factor"), ("recovery-codes/new", "recovery-codes")):
            self.assertContains(client.get(f"/admin/account/{page}/"), f'href="/admin/account/{way_back}/"')

    def test_that_is_wrong_leaves_an_empty_field_and_says_what_to_do(self) -> None:
        client = log_in(self.user)

        for address in (SECOND, SET_UP):
            if address == SET_UP:
                client = log_in(make_user("viewer", name="without"))
                client.post(f"{AGAIN}?next={SET_UP}", {"password": PASSWORD})
            page = client.post(address, {"code": "000000"})

            self.assertContains(page, "Enter the one that is shown now")
            self.assertContains(page, 'inputmode="numeric"')
            self.assertNotContains(page, 'value="000000"')

    def test_is_limited_in_its_attempts_whatever_comes_then(self) -> None:
        client = log_in(self.user)
        for _ in range(10):
            client.post(SECOND, {"code": "000000"})

        client.post(SECOND, {"code": code(self.secret)})
        self.assertFalse(is_in(client))
        self.assertEqual(AuditEntry.objects.filter(message="The second factor was wrong.").count(), 10)

    def test_is_limited_over_all_sessions_and_addresses(self) -> None:
        """Beginning again with the password, or from elsewhere, gives no more attempts."""
        for number in range(10):
            client = Client(REMOTE_ADDR=f"198.51.100.{number + 1}")
            log_in(self.user, client).post(SECOND, {"code": "000000"})

        self.assertFalse(is_in(self.logged_in_with(code(self.secret))))
        self.assertFalse(is_in(self.logged_in_with(self.recovery_codes[0])))

    def test_is_typed_on_a_pad_of_digits(self) -> None:
        self.assertContains(log_in(self.user).get(SECOND), 'inputmode="numeric"')

    def test_can_be_a_recovery_code_once(self) -> None:
        self.assertEqual(len(self.recovery_codes), 10)

        self.assertTrue(is_in(self.logged_in_with(self.recovery_codes[3])))
        self.assertFalse(is_in(self.logged_in_with(self.recovery_codes[3])))
        self.assertTrue(AuditEntry.objects.filter(message="Used a recovery code.", who="operator").exists())

    def test_is_on_record_when_it_is_set_up_and_given_up(self) -> None:
        client = self.logged_in_with(code(self.secret))
        give_up = "/admin/account/second-factor/give-up/"
        self.assertRedirects(client.post(give_up), f"{AGAIN}?next={give_up.replace('/', '%2F')}")
        client.post(f"{AGAIN}?next={give_up}", {"password": "correct horse battery"})
        client.post(give_up)

        self.assertFalse(Authenticator.objects.exists())
        said = AuditEntry.objects.filter(object_type="user", action="changed").values_list("message", flat=True)
        self.assertEqual(set(said), {"Set up a second factor.", "Took their own second factor away."})

    def test_lies_encrypted_in_the_database(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT data FROM mfa_authenticator")
            stored = str(cursor.fetchall())
        self.assertNotIn(self.secret, stored)
        self.assertNotIn(self.recovery_codes[0], stored)

    def test_is_reset_by_a_command(self) -> None:
        make_user("superuser", name="root")
        self.assertEqual(self.reset("operator"), "operator has no second factor any more\n")
        self.assertEqual(self.reset("operator"), "operator has no second factor (there was none)\n")

        self.assertTrue(is_in(log_in(self.user)))
        entry = AuditEntry.objects.get(message="Took the second factor away.")
        self.assertEqual((entry.who, entry.object_name, entry.via), ("root", "operator", "command"))
        with self.assertRaisesMessage(CommandError, "there is no user 'nobody'"):
            self.reset("nobody")

    def reset(self, username: str) -> str:
        out = StringIO()
        call_command("reset_second_factor", username, stdout=out)
        return out.getvalue()

    def test_has_pages_of_its_own_that_show_no_secret(self) -> None:
        client = self.logged_in_with(code(self.secret))
        page = client.get("/admin/account/second-factor/")
        self.assertContains(page, "10 recovery codes are left")
        self.assertContains(page, "<time datetime=", count=2)
        self.assertNotContains(page, self.secret)
        codes = "/admin/account/recovery-codes/"
        for path in (codes, f"{codes}file/", f"{codes}new/"):
            self.assertTrue(client.get(path)["Location"].startswith(AGAIN), path)
        self.assertContains(client.get(HOME), 'href="/admin/account/second-factor/"')
        for model in ("mfa/authenticator", "socialaccount/socialaccount", "account/emailaddress"):
            self.client.force_login(make_user("superuser", name=model))
            self.assertEqual(self.client.get(f"/admin/{model}/").status_code, 404)


@override_settings(HUB_ENCRYPTION_KEYS=[OLD])
class TheKeyTests(TestCase):
    def test_of_a_second_factor_is_rotated_like_all_others(self) -> None:
        user = make_user("operator")
        secret, recovery_codes = set_up(log_in(user))
        with override_settings(HUB_ENCRYPTION_KEYS=[NEW, OLD]):
            self.assertIn("encrypted 2 values anew", self.rotate())
            self.assertIn("encrypted 0 values anew, 2 were", self.rotate())

        with override_settings(HUB_ENCRYPTION_KEYS=[NEW]):
            data: Any = dict(Authenticator.objects.values_list("type", "data"))
            self.assertEqual(decrypt(data["totp"]["secret"].encode()).decode(), secret)
            client = log_in(user)
            client.post(SECOND, {"code": recovery_codes[0]})
            self.assertTrue(is_in(client))

    def test_that_is_lost_is_named(self) -> None:
        set_up(log_in(make_user("operator")))
        with (
            override_settings(HUB_ENCRYPTION_KEYS=[NEW]),
            self.assertRaisesMessage(
                CommandError, f"mfa_authenticator.data {Authenticator.objects.get(type='totp').pk}"
            ),
        ):
            self.rotate()

    def rotate(self) -> str:
        out = StringIO()
        call_command("rotate_encryption_key", stdout=out)
        return out.getvalue()


@override_settings(HUB_REQUIRE_SECOND_FACTOR=True)
class ARequiredSecondFactorTests(TestCase):
    def setUp(self) -> None:
        cache.clear()
        self.user = make_user("administrator")

    def test_is_set_up_before_anything_else_is_seen(self) -> None:
        client = log_in(self.user)
        for path in (HOME, "/admin/deliveries/event/?status=dead", "/admin/auth/user/"):
            answer = client.get(path)
            self.assertEqual((path, answer.status_code), (path, 302))
            self.assertTrue(answer["Location"].startswith(SET_UP))
        self.assertRedirects(client.post("/admin/integrations/endpoint/add/"), SET_UP, fetch_redirect_response=False)
        for path in ("/api/docs/", "/api/schema/"):
            answer = client.get(path)
            self.assertEqual((answer.status_code, json.loads(answer.content)["error"]), (403, "permission_denied"))

        set_up(client)
        self.assertTrue(is_in(client))
        self.assertEqual(client.get("/api/docs/").status_code, 200)

    def test_is_shown_in_a_session_that_was_there_before_it(self) -> None:
        before, other = log_in(self.user), log_in(self.user)
        secret, _ = set_up(other)

        again = "/admin/account/second-factor/again/"
        answer = before.get("/admin/deliveries/event/")
        self.assertRedirects(answer, f"{again}?next=%2Fadmin%2Fdeliveries%2Fevent%2F", fetch_redirect_response=False)
        before.post(again, {"code": code(secret)})
        self.assertTrue(is_in(before))

    def test_does_not_concern_who_has_none_to_show_yet_and_wants_out(self) -> None:
        client = log_in(self.user)
        client.post("/admin/logout/")
        self.assertNotIn("_auth_user_id", client.session)

    def test_is_seen_at_each_login_anew(self) -> None:
        client = log_in(self.user)
        secret, _ = set_up(client)
        client.post("/admin/logout/")
        log_in(self.user, client)

        self.assertFalse(is_in(client))
        client.post(SECOND, {"code": code(secret)})
        self.assertTrue(is_in(client))


class ALoginTests(TestCase):
    def setUp(self) -> None:
        cache.clear()

    def test_is_for_active_staff(self) -> None:
        user = make_user("operator")
        for change in ({"is_staff": False}, {"is_active": False}):
            type(user).objects.filter(pk=user.pk).update(**{"is_staff": True, "is_active": True, **change})
            client = log_in(user)
            self.assertNotIn("_auth_user_id", client.session, change)
            self.assertContains(client.get(LOGIN), "Log in")

    def test_of_one_name_has_a_limit_from_wherever_it_is_tried(self) -> None:
        user = make_user("operator")
        for number in range(10):
            Client(REMOTE_ADDR=f"192.0.2.{number}").post(LOGIN, {"username": "operator", "password": "wrong"})

        client = log_in(user)
        self.assertFalse(is_in(client))
        other = make_user("viewer")
        self.assertTrue(is_in(log_in(other)))

    def test_leads_to_where_one_wanted_to_go_and_nowhere_else(self) -> None:
        make_user("operator")
        for wanted, got in (("/admin/deliveries/event/", "/admin/deliveries/event/"), ("https://evil.example/", HOME)):
            answer = Client().post(
                f"{LOGIN}?next={wanted}", {"username": "operator", "password": "correct horse battery"}
            )
            self.assertRedirects(answer, got, fetch_redirect_response=False)

    def test_makes_a_session_of_its_own(self) -> None:
        user = make_user("operator")
        client = Client()
        client.get(LOGIN)
        session = client.session
        session["planted"] = "yes"
        session.save()
        before = session.session_key
        log_in(user, client)
        self.assertNotEqual(client.session.session_key, before)
