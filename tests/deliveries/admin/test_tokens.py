from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.test import Client, TestCase
from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.models import AuthToken

from deliveries.models import AuditEntry, TokenTerms
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

        logged_in("administrator").post(PAGE, {"revoke": key, "confirmed": "yes"})
        self.assertTrue(AuthToken.objects.exists())
        self.assertNotContains(logged_in("administrator").get(PAGE), key[:8])
        said = logged_in("superuser").post(PAGE, {"revoke": key, "confirmed": "yes"}, follow=True)

        self.assertFalse(AuthToken.objects.exists())
        self.assertContains(said, f"The token {key[:8]}… of viewer is revoked.")

    def test_says_whose_it_is_and_what_comes_of_it_before_it_is_revoked(self) -> None:
        client = logged_in("viewer")
        self.make(client)
        TokenTerms.objects.update(last_used_at="2026-03-05T10:30:00Z")
        row = AuthToken.objects.get()

        asked = client.post(PAGE, {"revoke": row.token_key})

        self.assertContains(asked, f"Revoke the token {row.token_key[:8]}… of viewer?")
        self.assertContains(asked, "2026-03-05 10:30:00")
        self.assertContains(asked, "answered 401")
        self.assertNotContains(asked, row.digest)
        self.assertTrue(AuthToken.objects.exists())

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

    def test_is_limited_to_the_chosen_scopes(self) -> None:
        client = logged_in("viewer")
        client.post(PAGE, {"make": "yes", "scopes": ["read", "replay"]})

        self.assertEqual(AuthToken.objects.get().terms.scopes, ["read", "replay"])
        self.assertContains(client.get(PAGE), "read, replay")
        self.make(client)
        self.assertContains(client.get(PAGE), "everything")

    def test_is_not_made_for_a_scope_that_is_none(self) -> None:
        self.make(logged_in("viewer"), scopes="everything")

        self.assertFalse(AuthToken.objects.exists())

    def test_shows_its_last_use_and_whether_it_has_ended(self) -> None:
        client = logged_in("viewer")
        self.make(client, days="1")
        TokenTerms.objects.update(last_used_at="2026-03-05T10:30:00Z")
        AuthToken.objects.update(expiry="2026-03-06T10:30:00Z")

        page = client.get(PAGE)
        self.assertContains(page, "2026-03-05 10:30:00")
        self.assertContains(page, "expired")

    def test_without_terms_is_shown_as_one_for_everything_and_revoked(self) -> None:
        """Such as Knox's own view or a shell has made: the page was answered 500."""
        client = logged_in("viewer")
        row, _ = AuthToken.objects.create(User.objects.get(username="viewer"))

        page = client.get(PAGE)
        self.assertContains(page, row.token_key[:8])
        self.assertContains(page, "everything")
        client.post(PAGE, {"revoke": row.token_key, "confirmed": "yes"})

        self.assertFalse(AuthToken.objects.exists())
        before = AuditEntry.objects.get(object_type="token").before
        self.assertEqual(before, {"scopes": None, "expires_at": row.expiry})

    def test_is_noted_in_the_audit_log_when_made_and_revoked(self) -> None:
        client = logged_in("viewer")
        made = self.make(client, scopes="read").context["made"]
        client.post(PAGE, {"revoke": AuthToken.objects.get().token_key, "confirmed": "yes"})

        entries = AuditEntry.objects.changes().order_by("id")
        self.assertEqual([(entry.action, entry.who) for entry in entries], [("made", "viewer"), ("removed", "viewer")])
        self.assertNotIn(made, str(list(entries.values())))
