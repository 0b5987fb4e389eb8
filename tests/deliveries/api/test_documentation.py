"""``/api/schema/`` and ``/api/docs/``: for whom, in which form, under which policy."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.test import Client
from rest_framework.test import APIClient

from tests.deliveries.admin.people import logged_in
from tests.deliveries.api.cases import ApiTestCase, client_of, make_user

pytestmark = pytest.mark.any_database

SCHEMA = "/api/schema/"
DOCS = "/api/docs/"


class SchemaAddressTests(ApiTestCase):
    def test_answers_a_token_of_any_user_with_or_without_the_last_slash(self) -> None:
        client = client_of(make_user("nora"))

        for url in (SCHEMA, SCHEMA.rstrip("/")):
            response = client.get(url)
            self.assertEqual(response.status_code, 200)
            self.assertEqual(yaml.safe_load(response.content)["info"]["title"], "Automation Hub")

    def test_answers_a_login(self) -> None:
        self.assertEqual(logged_in("viewer").get(SCHEMA).status_code, 200)

    def test_answers_in_json_to_who_accepts_that(self) -> None:
        for media_type in ("application/json", "application/vnd.oai.openapi+json"):
            response = self.client.get(SCHEMA, headers={"Accept": media_type})
            self.assertEqual(response["Content-Type"], media_type)
            self.assertEqual(json.loads(response.content)["openapi"], "3.1.0")

    def test_gives_strangers_nothing(self) -> None:
        response = APIClient().get(SCHEMA)

        self.assert_error(response, 401, "not_authenticated")
        self.assertEqual(response["Content-Type"], "application/json")

    def test_refuses_a_wrong_token_and_other_methods_in_the_shape_of_the_api(self) -> None:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION="Token 0123456789abcdef0123456789abcdef")

        self.assert_error(client.get(SCHEMA), 401, "invalid_token")
        self.assert_error(client.get(DOCS), 401, "invalid_token")
        self.assert_error(self.client.post(SCHEMA), 405, "method_not_allowed")
        self.assert_error(self.client.get(SCHEMA, headers={"Accept": "image/png"}), 406, "not_acceptable")


class DocsPageTests(ApiTestCase):
    def page(self) -> Any:
        response = logged_in("viewer").get(DOCS)
        self.assertEqual(response.status_code, 200)
        return response

    def test_leads_who_has_not_logged_in_to_the_login_and_back(self) -> None:
        response = Client().get(DOCS)

        self.assertRedirects(response, "/admin/login/?next=%2Fapi%2Fdocs%2F")

    def test_opens_with_a_token_too(self) -> None:
        self.assertContains(self.client.get(DOCS), "swagger-ui-bundle")

    def test_loads_nothing_that_the_hub_does_not_serve_itself(self) -> None:
        text = self.page().content.decode()

        self.assertNotIn("://", text)
        names = [part.split('"', 1)[0] for part in text.split('"/static/')[1:]]
        self.assertGreaterEqual(len(names), 5)
        self.assertEqual([name for name in names if finders.find(name) is None], [])

    def test_runs_scripts_from_files_alone_and_evaluates_nothing(self) -> None:
        response = self.page()

        policy = response["Content-Security-Policy"]
        self.assertIn("default-src 'none'; script-src 'self'; style-src 'self'; ", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotRegex(response.content.decode(), r"<script(?![^>]* src=)|\son\w+=")

    def test_is_linked_from_the_page_of_tokens(self) -> None:
        self.assertContains(logged_in("viewer").get("/admin/knox/authtoken/"), f'href="{DOCS}"')

    def test_leaves_the_policy_of_other_pages_as_it_is(self) -> None:
        self.assertIn("'unsafe-eval'", logged_in("viewer").get("/admin/")["Content-Security-Policy"])
        self.assertIn("default-src 'none'", self.client.get(SCHEMA)["Content-Security-Policy"])
