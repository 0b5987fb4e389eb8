from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.test import Client, TestCase
from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.models import AuthToken

from tests.deliveries.admin.people import logged_in, make_user

PAGE = "/admin/knox/authtoken/"


class TokenTests(TestCase):
    def make(self, client: Client, **fields: str) -> Any:
        return client.post(PAGE, {"make": "yes", **fields})

    def test_is_shown_once_and_works(self) -> None:
        client = logged_in("viewer")
        made = self.make(client).context["made"]

        user, _ = TokenAuthentication().authenticate_credentials(made.encode())
        self.assertEqual(user.username, "viewer")
        later = client.get(PAGE)
        self.assertNotContains(later, made)
        self.assertContains(later, made[:8])

    def test_never_shows_its_digest(self) -> None:
        client = logged_in("superuser")
        self.make(client)

        self.assertNotContains(client.get(PAGE), AuthToken.objects.get().digest)

    def test_expires_when_asked_to(self) -> None:
        self.make(logged_in("viewer"), days="2")

        left = AuthToken.objects.get().expiry - timezone.now()
        self.assertEqual(left.days, 1)

    def test_is_not_made_for_a_nonsensical_time(self) -> None:
        for days in ("0", "-1", "x", "99999999999999999999"):
            self.assertEqual(self.make(logged_in("viewer"), days=days).status_code, 200)
        self.assertFalse(AuthToken.objects.exists())

    def test_is_revoked_by_its_owner_or_a_superuser_only(self) -> None:
        self.make(logged_in("viewer"))
        key = AuthToken.objects.get().token_key

        logged_in("administrator").post(PAGE, {"revoke": key})
        self.assertTrue(AuthToken.objects.exists())
        self.assertNotContains(logged_in("administrator").get(PAGE), key[:8])
        logged_in("superuser").post(PAGE, {"revoke": key})

        self.assertFalse(AuthToken.objects.exists())

    def test_is_kept_from_caches(self) -> None:
        self.assertIn("no-store", self.make(logged_in("viewer"))["Cache-Control"])

    def test_has_no_other_page(self) -> None:
        self.make(logged_in("superuser"))
        digest = AuthToken.objects.get().digest
        for tail in ("add/", f"{digest}/change/", f"{digest}/delete/"):
            self.assertEqual(logged_in("superuser").get(f"{PAGE}{tail}").status_code, 404)

    def test_needs_a_login(self) -> None:
        make_user("viewer")
        self.assertEqual(Client().post(PAGE, {"make": "yes"}).status_code, 302)
        self.assertEqual((AuthToken.objects.count(), User.objects.count()), (0, 1))
