"""What who is restricted to groups may not enter: references to secrets, and the shared URL."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest

from integrations.models import Endpoint, Secret
from tests.deliveries.admin.endpoint_form import ADD, fields_of, new_secret, page_of
from tests.deliveries.api.cases import API, client_of, make_user
from tests.deliveries.visibility.test_admin import RestrictedAdminTestCase
from tests.deliveries.visibility.test_api import RestrictedApiTestCase
from tests.deliveries.visibility.two_teams import OURS
from tests.factories import make_endpoint

pytestmark = pytest.mark.any_database

REFERENCE = "env:HUB_SECRET_OF_ANOTHER_TEAM"
_SET = patch.dict("os.environ", {"HUB_SECRET_OF_ANOTHER_TEAM": "another-teams-secret"})


@_SET
class AReferenceOverTheApi(RestrictedApiTestCase):
    def assert_refused(self, answer: Any, field: str) -> None:
        text = self.assert_error(answer, 400, "validation_error", field)["detail"]
        self.assertIn("restricted to groups", text)
        self.assertFalse([secret for secret in Secret.objects.all() if secret.value == REFERENCE])

    def test_is_refused_as_a_secret(self) -> None:
        for value in (REFERENCE, "file:of-another-team"):
            answer = self.client.post(f"{API}/endpoints/{OURS}-endpoint/secrets/", {"value": value})
            self.assert_refused(answer, "value")

    def test_is_refused_as_a_secret_of_a_new_endpoint(self) -> None:
        new = {"slug": "new", "provider": "generic_hmac", "group": f"{OURS}-group", "secrets": [{"value": REFERENCE}]}

        answer = self.client.post(f"{API}/endpoints/", new)

        self.assert_refused(answer, "secrets.0.value")

    def test_is_refused_as_a_setting(self) -> None:
        settings = {"verify_token": REFERENCE}
        new = {"slug": "new", "provider": "meta", "group": f"{OURS}-group", "settings": settings}
        make_endpoint(slug="wa", provider="meta", settings={"verify_token": "mine"}, group=self.ours.group)

        self.assert_refused(self.client.post(f"{API}/endpoints/", new), "settings")
        self.assert_refused(self.client.patch(f"{API}/endpoints/wa/", {"settings": settings}), "settings")

    def test_stays_as_a_setting_where_somebody_else_has_entered_it(self) -> None:
        make_endpoint(slug="wa", provider="meta", settings={"verify_token": REFERENCE}, group=self.ours.group)

        answer = self.client.patch(f"{API}/endpoints/wa/", {"settings": {"verify_token": "••••••"}, "name": "ours"})

        self.assertEqual(answer.status_code, 200, answer.content)

    def test_is_taken_from_who_is_not_restricted(self) -> None:
        client = client_of(make_user("grace", role="administrator"))

        answer = client.post(f"{API}/endpoints/{OURS}-endpoint/secrets/", {"value": REFERENCE})

        self.assertEqual(answer.status_code, 201)


@_SET
class AReferenceInTheAdmin(RestrictedAdminTestCase):
    def test_is_refused_as_a_secret(self) -> None:
        endpoint = make_endpoint(slug="shop", provider="generic_hmac", group=self.ours.group)
        fields = fields_of(endpoint, group=self.ours.group.pk, **new_secret(REFERENCE))

        self.assertContains(self.client.post(page_of(endpoint), fields), "restricted to groups, and a reference")
        self.assertFalse(endpoint.secrets.exists())

    def test_is_refused_as_a_secret_of_a_new_endpoint(self) -> None:
        fields = fields_of(slug="new", group=self.ours.group.pk, **new_secret(REFERENCE))

        self.assertContains(self.client.post(ADD, fields), "restricted to groups, and a reference")
        self.assertFalse(Endpoint.objects.filter(slug="new").exists())

    def test_is_refused_as_a_setting(self) -> None:
        settings = json.dumps({"verify_token": REFERENCE})
        fields = fields_of(slug="new", provider="meta", settings=settings, group=self.ours.group.pk)

        self.assertContains(self.client.post(ADD, fields), "restricted to groups, and a reference")
        self.assertFalse(Endpoint.objects.filter(slug="new").exists())

    def test_makes_way_for_the_secret_itself(self) -> None:
        fields = fields_of(slug="new", group=self.ours.group.pk, **new_secret("the-secret-itself"))

        self.assertEqual(self.client.post(ADD, fields).status_code, 302)


class TheSharedUrlOverTheApi(RestrictedApiTestCase):
    def test_cannot_be_switched_on(self) -> None:
        make_endpoint(slug="code", provider="github", group=self.ours.group)
        new = {"slug": "new", "provider": "github", "group": f"{OURS}-group", "shared_url": True}

        self.assert_error(self.client.post(f"{API}/endpoints/", new), 400, "validation_error", "shared_url")
        answer = self.client.patch(f"{API}/endpoints/code/", {"shared_url": True})
        self.assert_error(answer, 400, "validation_error", "shared_url")

    def test_stays_on_and_can_be_switched_off(self) -> None:
        make_endpoint(slug="code", provider="github", shared_url=True, group=self.ours.group)

        for change in ({"name": "still shared"}, {"shared_url": True}, {"shared_url": False}):
            self.assertEqual(self.client.patch(f"{API}/endpoints/code/", change).status_code, 200, change)


class TheSharedUrlInTheAdmin(RestrictedAdminTestCase):
    def test_cannot_be_switched_on(self) -> None:
        fields = fields_of(slug="new", provider="github", group=self.ours.group.pk, shared_url="on")

        self.assertContains(self.client.post(ADD, fields), "tried with others")
        self.assertFalse(Endpoint.objects.filter(slug="new").exists())

    def test_stays_on(self) -> None:
        endpoint = make_endpoint(slug="code", provider="github", shared_url=True, group=self.ours.group)
        fields = fields_of(endpoint, group=self.ours.group.pk, shared_url="on", name="still shared")

        self.assertEqual(self.client.post(page_of(endpoint), fields).status_code, 302)
