"""Scopes narrow what a token's user may do, and never widen it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core.management import CommandError
from django.db import OperationalError
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.test import APIClient

from deliveries import tokens
from deliveries.api.urls import router, urlpatterns
from deliveries.models import AuditEntry, TokenTerms
from integrations.api.permissions import ModelPermissions
from integrations.api.scopes import Scope, scope_of
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.api.test_tokens import create_token
from tests.factories import make_delivery, make_endpoint, make_event, make_route


class ScopeTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders", provider="generic_hmac", secret="s3cret-of-orders")
        self.delivery = make_delivery(make_route(self.endpoint), status="dead", finished_at=timezone.now())

    def asked(self, client: APIClient) -> dict[str, int]:
        """Return the status of one request of each kind."""
        return {
            "read": client.get(f"{API}/endpoints/orders/").status_code,
            "replay": client.post(f"{API}/deliveries/{self.delivery.pk}/replay/").status_code,
            "hold": client.post(f"{API}/endpoints/orders/pause/").status_code,
            "configure": client.patch(f"{API}/endpoints/orders/", {"name": "x"}).status_code,
            "wait": client.get(f"{API}/endpoints/orders/await-secret/").status_code,
        }

    def test_of_reading_replaying_and_configuring_are_apart(self) -> None:
        for scope, allowed in (
            (Scope.READ, {"read"}),
            (Scope.REPLAY, {"replay", "hold"}),
            (Scope.CONFIGURE, {"configure", "wait"}),
        ):
            statuses = self.asked(client_of(self.user, scope))
            with self.subTest(scope=scope):
                self.assertEqual({name for name, status in statuses.items() if status < 400}, allowed)
                self.assertEqual({status for name, status in statuses.items() if name not in allowed}, {403})
            type(self.delivery).objects.filter(pk=self.delivery.pk).update(status="dead", finished_at=timezone.now())

    def test_add_up(self) -> None:
        statuses = self.asked(client_of(self.user, Scope.READ, Scope.REPLAY))

        self.assertEqual({name for name, status in statuses.items() if status < 400}, {"read", "replay", "hold"})

    def test_never_give_what_the_user_may_not(self) -> None:
        viewer = make_user("vera", role="viewer")

        for client in (client_of(viewer, *Scope), client_of(viewer)):
            statuses = self.asked(client)
            self.assertEqual({name for name, status in statuses.items() if status < 400}, {"read"})

    def test_that_are_missing_are_named(self) -> None:
        answer = client_of(self.user, Scope.READ).patch(f"{API}/endpoints/orders/", {"name": "x"})

        self.assertIn("configure", self.assert_error(answer, 403, "permission_denied")["detail"])

    def test_of_reading_leave_out_credentials_in_bodies(self) -> None:
        endpoint = make_endpoint(provider="slack", secret="a-signing-secret")
        event = make_event(endpoint, body=b'{"token": "s3cret", "type": "event_callback"}')
        url = f"{API}/events/{event.pk}/body/"
        self.assertEqual(self.client.get(url).status_code, 200)

        self.assert_error(client_of(self.user, Scope.READ).get(url), 403, "permission_denied")
        self.assertEqual(client_of(self.user, Scope.READ, Scope.CONFIGURE).get(url).status_code, 200)

    def test_guard_every_view(self) -> None:
        views: list[Any] = [view for _, view, _ in router.registry]
        views += [pattern.callback.view_class for pattern in urlpatterns if hasattr(pattern.callback, "view_class")]

        self.assertGreater(len(views), 7)
        for view in views:
            classes: list[type[BasePermission]] = view.permission_classes
            self.assertTrue(any(issubclass(each, ModelPermissions) for each in classes), view)

    def test_are_read_for_looking_replay_for_operating_and_configure_for_all_else(self) -> None:
        self.assertEqual(scope_of("deliveries.view_event"), Scope.READ)
        self.assertEqual(scope_of("deliveries.replay_delivery"), Scope.REPLAY)
        for permission in ("integrations.change_endpoint", "x.anything_new", "nonsense", ""):
            self.assertEqual(scope_of(permission), Scope.CONFIGURE, permission)


class CreateTokenTests(ApiTestCase):
    def terms(self, *arguments: str) -> Any:
        token = create_token("ada", *arguments).split()[-1]
        return tokens.find(token).scopes

    def test_gives_all_that_the_user_may_do_without_scopes(self) -> None:
        self.assertIsNone(self.terms())

    def test_takes_scopes_together_or_one_by_one(self) -> None:
        self.assertEqual(self.terms("--scope", "read"), {"read"})
        self.assertEqual(self.terms("--scope", "read", "replay"), {"read", "replay"})
        self.assertEqual(self.terms("--scope", "read", "--scope", "configure"), {"read", "configure"})

    def test_refuses_a_scope_that_is_none(self) -> None:
        for arguments in (("--scope", "write"), ("--scope",)):
            with self.assertRaises(CommandError):
                create_token("ada", *arguments)

    def test_ends_in_the_token_and_says_what_for(self) -> None:
        output = create_token("ada", "--scope", "read", "replay", "--expires", "1d")

        self.assertRegex(output, r"\Atoken of ada for read, replay, good until [-0-9: ]+ UTC: [0-9a-f]{64}\n\Z")

    def test_is_noted_with_scopes_and_end(self) -> None:
        create_token("ada", "--scope", "read")

        entry = AuditEntry.objects.get()
        self.assertEqual(entry.after, {"scopes": ["read"], "expires_at": None})
        self.assertEqual((entry.object_type, entry.object_name), ("token", "of ada"))


class LastUseTests(ApiTestCase):
    def setUp(self) -> None:
        self.user = make_user("ada", role="administrator")
        self.row, token = tokens.make(self.user, life=None, scopes=None, by=self.user)
        self.client = APIClient()
        self.client.credentials(HTTP_AUTHORIZATION=f"Token {token}")

    def used_at(self) -> Any:
        return TokenTerms.objects.get(token=self.row).last_used_at

    def test_is_noted(self) -> None:
        self.assertIsNone(self.used_at())
        self.client.get(f"{API}/endpoints/")

        self.assertLess(timezone.now() - self.used_at(), timedelta(seconds=10))

    def test_is_written_once_a_minute(self) -> None:
        make_endpoint()
        self.client.get(f"{API}/endpoints/")
        with self.assertNumQueries(7):  # token, permissions (2), restrictions, endpoints, secrets, releases: no write
            self.client.get(f"{API}/endpoints/")

    def test_is_written_again_after_a_minute(self) -> None:
        before = timezone.now() - timedelta(seconds=61)
        TokenTerms.objects.update(last_used_at=before)
        self.client.get(f"{API}/endpoints/")

        self.assertGreater(self.used_at(), before)

    def test_is_noted_of_a_token_without_terms(self) -> None:
        TokenTerms.objects.all().delete()
        self.assertEqual(self.client.get(f"{API}/endpoints/").status_code, 200)

        self.assertIsNotNone(self.used_at())

    def test_never_fails_the_request(self) -> None:
        with patch.object(type(TokenTerms.objects.all()), "note_use", side_effect=OperationalError("locked")):
            self.assertEqual(self.client.get(f"{API}/endpoints/").status_code, 200)


class RefusedTokenTests(ApiTestCase):
    def refuse(self, token: str, **headers: str) -> Any:
        return APIClient().get(f"{API}/endpoints/", headers={"Authorization": f"Token {token}", **headers})

    def entries(self) -> list[tuple[str, str]]:
        return list(AuditEntry.objects.filter(action="token_refused").order_by("id").values_list("who", "message"))

    def test_is_noted_with_its_owner_where_there_is_one(self) -> None:
        row, token = tokens.make(self.user, life=timedelta(days=1), scopes=None, by=self.user)
        type(row).objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(seconds=1))
        self.assert_error(self.refuse(token), 401, "invalid_token")

        self.assertEqual(self.entries(), [("ada", f"The token has expired. ({token[:8]}…)")])

    def test_is_noted_without_a_word_of_it_where_there_is_none(self) -> None:
        self.refuse("a" * 64)

        self.assertEqual(self.entries(), [("", "There is no such token.")])

    def test_is_noted_once_a_minute_for_an_address(self) -> None:
        for _ in range(5):
            self.refuse("a" * 64)

        self.assertEqual(len(self.entries()), 1)

    def test_of_a_user_who_is_switched_off_is_noted(self) -> None:
        _, token = tokens.make(self.user, life=None, scopes=None, by=self.user)
        User.objects.filter(pk=self.user.pk).update(is_active=False)
        self.assert_error(self.refuse(token), 401, "invalid_token")

        self.assertIn("switched off", self.entries()[0][1])
