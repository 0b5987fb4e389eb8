"""Single sign-on against a real provider on loopback: who is let in, as what, and who is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, SimpleTestCase, TestCase, override_settings

from deliveries.models import AuditEntry
from hub import signing_in
from tests.deliveries.admin.people import make_user
from tests.deliveries.signing_in.codes import HOME, LOGIN, SECOND, code, is_in, log_in, set_up
from tests.deliveries.signing_in.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider

pytestmark = pytest.mark.any_database
START = "/admin/login/oidc/sso/login/"
ROLES = {"hub-admins": "administrator", "hub-team": "operator"}
ADA = {"sub": "u-1", "preferred_username": "ada", "email": "ada@example.com", "name": "Ada L", "groups": ["hub-team"]}


def told(issuer: str, **values: Any) -> signing_in.Provider:
    chosen = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Staff", "roles": ROLES, "scopes": []}
    return signing_in.Provider(issuer=issuer, **{**chosen, **values})


@override_settings(HUB_OIDC_ROLES=ROLES)
class SingleSignOnTests(TestCase):
    provider: Provider

    @classmethod
    def setUpClass(cls) -> None:
        running = running_provider()
        cls.provider = running.__enter__()
        cls.addClassCleanup(running.__exit__, None, None, None)
        known = override_settings(SOCIALACCOUNT_PROVIDERS=signing_in.providers(told(cls.provider.issuer)))
        known.enable()
        cls.addClassCleanup(known.disable)
        super().setUpClass()

    def setUp(self) -> None:
        cache.clear()
        self.provider.person, self.provider.lies = dict(ADA), {}

    def come(self, client: Client | None = None, *, start: str = START) -> Client:
        """Go by the provider and back, as a browser does."""
        client = client or Client()
        back = self.way_back(client, start=start)
        self.answer: Any = client.get(back)
        return client

    def way_back(self, client: Client, *, start: str = START) -> str:
        """Return the address on which the provider sends the browser back to the hub."""
        there = client.get(start)["Location"]
        self.assertTrue(there.startswith(f"{self.provider.issuer}/authorization?"), there)
        back = httpx.get(there).headers["Location"]
        self.assertTrue(back.startswith("http://testserver/"), back)
        return back.removeprefix("http://testserver")

    def assertKeptOut(self, client: Client) -> None:  # noqa: N802 - as unittest has it
        self.assertNotIn("_auth_user_id", client.session)
        self.assertFalse(is_in(client))

    def test_lets_in_who_has_a_role_and_makes_their_account(self) -> None:
        client = self.come(start=f"{START}?next=/admin/deliveries/event/")

        self.assertRedirects(self.answer, "/admin/deliveries/event/")
        user = User.objects.get(username="ada")
        self.assertEqual([group.name for group in user.groups.all()], ["operator"])
        self.assertEqual((user.is_staff, user.is_superuser, user.has_usable_password()), (True, False, False))
        self.assertTrue(is_in(client))
        said = list(AuditEntry.objects.filter(object_type="user").order_by("id").values_list("message", "who"))
        self.assertIn(("Came by single sign-on for the first time.", "ada"), said)

    def test_keeps_out_who_has_none_and_makes_nothing(self) -> None:
        for groups in ([], ["others"], "hub-admin", None, {"hub-team": True}, [["hub-team"]]):
            self.provider.person["groups"] = groups
            self.assertKeptOut(self.come())
            self.assertRedirects(self.answer, LOGIN)
        self.assertFalse(User.objects.exists())
        self.assertEqual(AuditEntry.objects.filter(action="login_failed").count(), 6)

    def test_gives_at_each_login_the_roles_of_that_day(self) -> None:
        self.come()
        user = User.objects.get()
        user.groups.add(Group.objects.create(name="by hand"))
        self.provider.person["groups"] = ["hub-admins", "others"]
        self.come()

        self.assertEqual({group.name for group in user.groups.all()}, {"administrator", "by hand"})
        self.provider.person["groups"] = []
        self.assertKeptOut(self.come())
        self.assertEqual({group.name for group in user.groups.all()}, {"by hand"})

    def test_does_not_take_over_an_account_of_the_same_name_or_address(self) -> None:
        mine = make_user("superuser", name="ada")
        User.objects.filter(pk=mine.pk).update(email="ada@example.com")
        client = self.come()

        self.assertNotEqual(client.session["_auth_user_id"], str(mine.pk))
        self.assertFalse(User.objects.exclude(pk=mine.pk).get().is_superuser)

    def test_is_not_added_to_who_is_logged_in_already(self) -> None:
        mine = make_user("superuser", name="root")
        client = self.come(log_in(mine), start=f"{START}?process=connect")

        self.assertEqual(client.session.get("_auth_user_id"), str(mine.pk))
        self.assertRedirects(self.answer, LOGIN, target_status_code=302)
        self.assertKeptOut(Client())
        self.assertFalse(mine.socialaccount_set.exists())

    def test_believes_no_token_that_is_wrong(self) -> None:
        for lie in (
            {"aud": "another"},
            {"iss": "https://evil.example"},
            {"exp": 1},
            {"sub": "somebody-else"},
            {"sub": ""},
        ):
            with self.subTest(lie=lie):
                self.provider.lies = lie
                self.assertKeptOut(self.come())
        self.assertFalse(User.objects.exists())

    def test_takes_an_answer_once_and_from_the_browser_that_asked(self) -> None:
        asked = Client()
        back = self.way_back(asked)
        self.assertKeptOut(self.open(Client(), back))
        self.open(asked, back)
        self.assertTrue(is_in(asked))
        asked.post("/admin/logout/")
        self.assertKeptOut(self.open(asked, back))

    def open(self, client: Client, address: str) -> Client:
        self.assertIn(client.get(address).status_code, {200, 302, 401})
        return client

    def test_says_that_it_did_not_work_where_the_provider_refuses(self) -> None:
        client = Client()
        back = self.way_back(client).partition("?")[0]
        self.assertContains(client.get(f"{back}?error=server_error"), "You have not been logged in", status_code=401)
        self.assertKeptOut(client)

    def test_says_so_where_the_provider_does_not_answer(self) -> None:
        """It was answered 500."""
        away = signing_in.providers(told("http://127.0.0.1:9"))
        with override_settings(SOCIALACCOUNT_PROVIDERS=away):
            page = self.client.get(START, follow=True)

        self.assertContains(page, "You have not been logged in", status_code=page.status_code)
        self.assertLess(page.status_code, 500)

    def test_asks_for_the_second_factor_of_who_has_one(self) -> None:
        client = self.come()
        user = User.objects.get()
        user.set_password("correct horse battery")
        user.save()
        secret, _ = set_up(log_in(user))
        client.post("/admin/logout/")
        self.come(client)

        self.assertRedirects(self.answer, SECOND)
        self.assertKeptOut(client)
        client.post(SECOND, {"code": code(secret)})
        self.assertTrue(is_in(client))

    @override_settings(HUB_REQUIRE_SECOND_FACTOR=True)
    def test_counts_as_a_second_factor_only_where_the_provider_asks_for_it(self) -> None:
        client = self.come()
        self.assertFalse(is_in(client))
        self.assertEqual(client.get("/admin/account/second-factor/set-up/").status_code, 200)  # without a password
        with override_settings(HUB_OIDC_PROVES_SECOND_FACTOR=True):
            self.assertTrue(is_in(self.come()))

    def test_stands_on_the_login_page(self) -> None:
        page = self.client.get(f"{LOGIN}?next=/admin/tail/")
        self.assertContains(page, 'href="/admin/login/oidc/sso/login/?next=%2Fadmin%2Ftail%2F"')
        self.assertContains(page, "Staff")

    def test_is_nowhere_without_a_provider(self) -> None:
        with override_settings(SOCIALACCOUNT_PROVIDERS={}):
            self.assertEqual(self.client.get(START).status_code, 404)
            self.assertNotContains(self.client.get(LOGIN), "oidc")

    def test_has_no_other_way_in(self) -> None:
        self.assertRedirects(self.client.get("/admin/login/signup/"), LOGIN)
        self.assertFalse(is_in(self.client))
        self.assertEqual(self.client.get(HOME).status_code, 302)


class TheProvidersSettingsTests(SimpleTestCase):
    def test_have_to_be_whole(self) -> None:
        for name, values in (
            ("HUB_OIDC_ISSUER", {"issuer": "http://sso.example.com"}),
            ("HUB_OIDC_CLIENT_ID", {"client_id": ""}),
            ("HUB_OIDC_CLIENT_SECRET", {"client_secret": ""}),
            ("HUB_OIDC_ROLES", {"roles": {}}),
        ):
            with self.assertRaisesMessage(ImproperlyConfigured, name):
                signing_in.providers(told(**{"issuer": "https://sso.example.com", **values}))
        self.assertEqual(signing_in.providers(told("")), {})
