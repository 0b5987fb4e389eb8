"""How long a login lasts."""

from __future__ import annotations

import time

import pytest
from django.test import Client, TestCase, override_settings

from deliveries.models import AuditEntry
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.signing_in.codes import PASSWORD, is_in, log_in

pytestmark = pytest.mark.any_database
HOME = "/admin/"
HOUR = 3600


@override_settings(HUB_SESSION_HOURS=12, HUB_SESSION_IDLE_MINUTES=60)
class ASessionTests(TestCase):
    def setUp(self) -> None:
        self.client: Client = logged_in("operator")

    def age(self, *, since: int, seen: int) -> None:
        """Make the session so many seconds old, and its owner's last click."""
        session, now = self.client.session, int(time.time())
        session["hub_since"], session["hub_seen"] = now - since, now - seen
        session.save()

    def is_in(self, path: str = HOME, **headers: str) -> bool:
        return self.client.get(path, headers=headers).status_code == 200

    def test_lasts_while_somebody_clicks(self) -> None:
        self.age(since=11 * HOUR, seen=HOUR - 30)

        self.assertTrue(self.is_in())
        self.assertLess(time.time() - self.client.session["hub_seen"], 60)

    def test_ends_when_nobody_does(self) -> None:
        self.age(since=2 * HOUR, seen=HOUR)

        self.assertFalse(self.is_in())
        self.assertNotIn("_auth_user_id", self.client.session)

    def test_ends_when_it_is_old_whoever_clicks(self) -> None:
        self.age(since=12 * HOUR, seen=1)

        self.assertFalse(self.is_in())

    def test_is_not_kept_alive_by_what_a_page_fetches(self) -> None:
        self.age(since=HOUR, seen=HOUR - 100)
        self.assertTrue(self.is_in("/admin/overview/", **{"Sec-Fetch-Mode": "cors"}))

        self.assertGreaterEqual(time.time() - self.client.session["hub_seen"], HOUR - 100)

    def test_ends_for_the_pages_of_the_api_too(self) -> None:
        self.assertTrue(self.is_in("/api/docs/"))
        self.age(since=1, seen=HOUR)
        self.assertFalse(self.is_in("/api/docs/"))

    def test_without_a_beginning_is_over(self) -> None:
        session = self.client.session
        del session["hub_since"]
        session.save()

        self.assertFalse(self.is_in())

    def test_is_written_once_a_minute_at_most(self) -> None:
        self.age(since=100, seen=30)
        before = self.client.session["hub_seen"]
        self.assertTrue(self.is_in())

        self.assertEqual(self.client.session["hub_seen"], before)


class ANewPasswordTests(TestCase):
    """It ends all sessions but the one that it was set in."""

    NEW = "another long pass phrase"

    def setUp(self) -> None:
        self.user = make_user("operator")
        self.here, self.there = log_in(self.user), log_in(self.user)

    def test_ends_the_other_sessions(self) -> None:
        passwords = {"old_password": PASSWORD, "new_password1": self.NEW, "new_password2": self.NEW}
        self.here.post("/admin/password_change/", passwords)

        self.assertEqual((is_in(self.here), is_in(self.there)), (True, False))

    def test_ends_all_where_somebody_else_has_set_it(self) -> None:
        passwords = {"usable_password": "true", "password1": self.NEW, "password2": self.NEW}
        logged_in("administrator").post(f"/admin/auth/user/{self.user.pk}/password/", passwords)

        self.assertEqual((is_in(self.here), is_in(self.there)), (False, False))

    def test_of_none_ends_all_too(self) -> None:
        disabled = {"usable_password": "false", "unset-password": "1"}
        logged_in("superuser").post(f"/admin/auth/user/{self.user.pk}/password/", disabled)

        self.assertEqual((is_in(self.here), is_in(self.there)), (False, False))

    def test_ends_none_where_it_was_refused(self) -> None:
        passwords = {"old_password": "wrong", "new_password1": self.NEW, "new_password2": self.NEW}
        self.here.post("/admin/password_change/", passwords)

        self.assertEqual((is_in(self.here), is_in(self.there)), (True, True))
        self.assertFalse(AuditEntry.objects.filter(message__contains="password").exists())


class LoggingOutElsewhereTests(TestCase):
    PAGE = "/admin/sessions/"

    def setUp(self) -> None:
        self.user = make_user("viewer")
        self.here, self.there = log_in(self.user), log_in(self.user)

    def test_ends_ones_other_sessions_and_nobody_elses(self) -> None:
        somebody = log_in(make_user("operator"))
        self.assertContains(self.here.get(self.PAGE), "You are logged in at 1 other place:")

        answer = self.here.post(self.PAGE, follow=True)

        self.assertContains(answer, "You are logged out in 1 other place.")
        self.assertContains(answer, "You are logged in here alone.")
        self.assertEqual((is_in(self.here), is_in(self.there), is_in(somebody)), (True, False, True))

    def test_is_on_record(self) -> None:
        self.here.post(self.PAGE)

        entry = AuditEntry.objects.get(message="Logged out in 1 other place.")
        self.assertEqual((entry.user, entry.action, entry.object_id), (self.user, "logged_out", str(self.user.pk)))

    def test_of_one_who_is_in_nowhere_else_notes_nothing(self) -> None:
        self.there.post("/admin/logout/")
        before = AuditEntry.objects.count()

        self.here.post(self.PAGE)

        self.assertEqual(AuditEntry.objects.count(), before)

    def test_asks_for_a_login_and_for_a_form_of_the_page(self) -> None:
        self.assertEqual(Client().get(self.PAGE).status_code, 302)
        strict = log_in(self.user, Client(enforce_csrf_checks=False))
        strict.handler.enforce_csrf_checks = True
        self.assertEqual(strict.post(self.PAGE).status_code, 403)
        self.assertEqual(self.here.put(self.PAGE).status_code, 405)
        self.assertTrue(is_in(self.there))

    @override_settings(HUB_REQUIRE_SECOND_FACTOR=True)
    def test_is_behind_the_second_factor(self) -> None:
        self.assertEqual(self.here.post(self.PAGE).status_code, 302)
        with override_settings(HUB_REQUIRE_SECOND_FACTOR=False):
            self.assertTrue(is_in(self.there))


class SwitchingOffTests(TestCase):
    def test_ends_all_sessions_for_good(self) -> None:
        user = make_user("viewer")
        person, somebody = log_in(user), log_in(make_user("operator"))

        for lost in ("is_active", "is_staff"):
            with self.subTest(lost):
                log_in(user, person)
                self.assertTrue(is_in(person))
                setattr(user, lost, False)
                user.save()
                setattr(user, lost, True)
                user.save()
                self.assertEqual((is_in(person), is_in(somebody)), (False, True))
