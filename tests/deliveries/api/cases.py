"""What the tests of the API share: clients with real tokens, one for each role."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.test import TestCase
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.response import Response
from rest_framework.test import APIClient

from deliveries.models import AuditEntry, TokenTerms
from integrations.api.scopes import Scope

API = "/api/v1"


def make_user(name: str, *, role: str = "", **values: Any) -> User:
    user = User.objects.create_user(name, **values)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def client_of(user: User, *scopes: Scope) -> APIClient:
    """Return a client with a token of ``user``, limited to ``scopes`` if there are any."""
    row, token = AuthToken.objects.create(user)
    TokenTerms.objects.create(token=row, scopes=sorted(scopes) or None, last_used_at=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


class ApiTestCase(TestCase):
    """A test that calls the API as an administrator: ``self.client``."""

    client: APIClient  # type: ignore[assignment]

    def setUp(self) -> None:
        self.user = make_user("ada", role="administrator")
        self.client = client_of(self.user)

    def assert_error(self, response: Response, status: int, error: str, *fields: str) -> dict[str, Any]:
        """Check the answer's status and the contract's shape; ``fields`` are all those that it names."""
        self.assertEqual(response.status_code, status, response.content)
        answer: dict[str, Any] = response.json()
        self.assertEqual(set(answer), {"error", "detail", "fields"})
        self.assertEqual(answer["error"], error, answer)
        self.assertTrue(answer["detail"])
        self.assertEqual(set(answer["fields"]), set(fields), answer)
        for texts in answer["fields"].values():
            self.assertTrue(texts)
            self.assertTrue(all(isinstance(text, str) for text in texts))
        return answer

    def logged(self) -> list[str]:
        """Return the messages of the audit log, oldest first; "API: made." is what was done over the API."""
        entries = AuditEntry.objects.changes().order_by("id").values_list("via", "message")
        return [f"API: {message}" if via == "api" else message for via, message in entries]
