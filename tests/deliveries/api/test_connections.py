"""``/api/v1/connections/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.test import override_settings
from django.utils import timezone

from integrations.masking import MASK
from integrations.models import Connection, ConnectionHealth, EndpointGroup
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint, make_route
from tests.integrations.calling.systems import System

URL = f"{API}/connections/"
NEW: dict[str, Any] = {
    "name": "crm",
    "base_url": "https://crm.example.com/v2",
    "auth": "bearer",
    "credentials": {"token": "swordfish-token"},
}


class ConnectionApiTests(ApiTestCase):
    def made(self, **changes: Any) -> dict[str, Any]:
        response = self.client.post(URL, {**NEW, **changes})
        self.assertEqual(response.status_code, 201, response.content)
        answer: dict[str, Any] = response.json()
        return answer

    def test_takes_credentials_and_shows_none(self) -> None:
        answer = self.made()

        self.assertEqual(answer["credentials"], {"token": MASK})
        self.assertEqual(answer["retry"]["max_attempts"], 3)
        self.assertEqual(Connection.objects.get().credentials, {"token": "swordfish-token"})
        for response in (self.client.get(URL), self.client.get(f"{URL}crm/")):
            self.assertNotIn(b"swordfish", response.content)

    def test_leads_to_brokers_too(self) -> None:
        proof = {"auth": "basic", "credentials": {"username": "hub", "password": "swordfish-password"}}
        aws = {"auth": "aws", "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "swordfish"}}
        region = {"auth_settings": {"region": "eu-central-1"}}
        address = "https://sqs.eu-central-1.amazonaws.com"
        self.made(name="stream", kind="redis", base_url="rediss://redis.example.com:6379/1", **proof)
        answer = self.made(name="queue", kind="sqs", base_url=address, **aws, **region)
        self.assertEqual(answer["credentials"], {"access_key_id": MASK, "secret_access_key": MASK})

        for name, changes in (
            ("base_url", {"kind": "redis", "base_url": "rediss://ada:swordfish@redis.example.com", **proof}),
            ("base_url", {"kind": "kafka", "base_url": "https://crm.example.com", "auth": "none", "credentials": {}}),
            ("auth", {"kind": "redis", "base_url": "redis://redis.example.com"}),
            ("proxy", {"kind": "redis", "base_url": "redis://h", "proxy": "http://proxy.example.com:3128", **proof}),
            ("auth_settings", {"base_url": address, **aws, **region}),  # of another kind than SQS it names the service
        ):
            with self.subTest(name=name, changes=changes):
                response = self.client.post(URL, {**NEW, **changes})
                self.assert_error(response, 400, "validation_error", name)
                self.assertNotIn(b"swordfish", response.content)

    def test_shows_references_to_credentials(self) -> None:
        with patch.dict("os.environ", HUB_SECRET_CRM="swordfish"):
            self.assertEqual(self.made(credentials={"token": "env:HUB_SECRET_CRM"})["credentials"]["token"][:4], "env:")

    def test_names_a_reference_that_leads_nowhere(self) -> None:
        response = self.client.post(URL, {**NEW, "credentials": {"token": "env:HUB_SECRET_NOT_THERE"}})

        answer = self.assert_error(response, 400, "validation_error", "credentials")
        self.assertIn("HUB_SECRET_NOT_THERE", str(answer["fields"]))

    def test_keeps_a_credential_that_comes_back_masked(self) -> None:
        self.made()

        response = self.client.patch(f"{URL}crm/", {"credentials": {"token": MASK}, "rate_per_second": 5})

        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(Connection.objects.get().credentials, {"token": "swordfish-token"})

    def test_sends_stored_credentials_nowhere_else(self) -> None:
        self.made()
        for change in (
            {"base_url": "https://evil.example.net"},
            {"base_url": "https://evil.example.net", "credentials": {"token": MASK}},
            {"proxy": "http://proxy.example.net:3128"},
        ):
            with self.subTest(change=change):
                self.assert_error(self.client.patch(f"{URL}crm/", change), 400, "validation_error", "credentials")

        change = {"base_url": "https://other.example.com", "credentials": {"token": "another"}}
        self.assertEqual(self.client.patch(f"{URL}crm/", change).status_code, 200)

    def test_refuses_what_cannot_work(self) -> None:
        for name, value in (
            ("base_url", "ftp://crm.example.com"),
            ("base_url", "https://user:password@crm.example.com"),
            ("auth", "trust me"),
            ("kind", "pigeon"),
            ("headers", {"Authorization": "Bearer x"}),
            ("headers", {"Host": "x"}),
            ("retry", {"max_attempts": 1000}),
            ("timeout_seconds", 0),
            ("test_path", "https://elsewhere.example.com/"),
            ("credentials", {}),
            ("credentials", {"password": "x"}),
            ("egress", ["10.0.0.0/8"]),
        ):
            with self.subTest(name=name, value=value), override_settings(HUB_EGRESS_ALLOW=[]):
                response = self.client.post(URL, {**NEW, name: value})
                self.assert_error(response, 400, "validation_error", name)

    def test_keeps_its_name(self) -> None:
        self.made()

        self.assert_error(self.client.patch(f"{URL}crm/", {"name": "other"}), 400, "validation_error", "name")
        self.assert_error(self.client.post(URL, NEW), 400, "validation_error", "name")

    def test_completes_the_retry_policy(self) -> None:
        self.assertEqual(self.made(retry={"max_attempts": 5})["retry"]["max_seconds"], 10)
        answer = self.client.patch(f"{URL}crm/", {"retry": {"max_seconds": 20}}).json()
        self.assertEqual((answer["retry"]["max_attempts"], answer["retry"]["max_seconds"]), (5, 20))

    def test_is_retired_when_no_route_calls_it(self) -> None:
        self.made()
        route = make_route(make_endpoint(), handler="http.request", config={"connection": "crm"})
        self.assert_error(self.client.delete(f"{URL}crm/"), 409, "conflict")

        route.retire(now=timezone.now())

        self.assertEqual(self.client.delete(f"{URL}crm/").status_code, 204)
        self.assertEqual(self.client.get(f"{URL}crm/").status_code, 404)
        self.assertEqual(Connection.objects.get().credentials, {})
        self.made()  # the name is free again

    def test_says_how_it_does(self) -> None:
        self.made()
        self.assertEqual(self.client.get(f"{URL}crm/health/").json()["circuit"], "closed")
        now = timezone.now()
        ConnectionHealth.objects.create(
            connection=Connection.objects.get(), failures=5, open_until=now + timedelta(minutes=1)
        )

        answer = self.client.get(f"{URL}crm/health/").json()

        self.assertEqual((answer["circuit"], answer["failures"]), ("open", 5))

    def test_is_tried_by_who_may_operate(self) -> None:
        with override_settings(HUB_EGRESS_ALLOW=System.NETWORKS), System() as system:
            system.connection("crm", test_path="/me")
            self.assertEqual(client_of(make_user("v", role="viewer")).post(f"{URL}crm/test/").status_code, 403)

            answer = client_of(make_user("o", role="operator")).post(f"{URL}crm/test/").json()

            self.assertEqual((answer["ok"], answer["status"]), (True, 200))
            self.assertEqual(system.requests[0].headers["Authorization"], "Bearer swordfish-token")
            system.answers(500)
            self.assertEqual(self.client.post(f"{URL}crm/test/").json()["ok"], False)

    def test_belongs_to_a_group_of_the_user(self) -> None:
        ours = EndpointGroup.objects.create(name="ours")
        EndpointGroup.objects.create(name="theirs")
        self.made(group="theirs")
        sam = make_user("sam", role="administrator")
        restrict(sam, ours)
        client = client_of(sam)

        self.assertEqual(client.get(URL).json()["results"], [])
        self.assertEqual(client.get(f"{URL}crm/").status_code, 404)
        self.assertEqual(client.post(f"{URL}crm/test/").status_code, 404)
        for group in (None, "theirs"):
            self.assert_error(
                client.post(URL, {**NEW, "name": "mine", "group": group}), 400, "validation_error", "group"
            )
        reference = {**NEW, "name": "mine", "group": "ours", "credentials": {"token": "env:HUB_SECRET_THEIRS"}}
        with patch.dict("os.environ", HUB_SECRET_THEIRS="x"):
            self.assert_error(client.post(URL, reference), 400, "validation_error", "credentials")
        self.assertEqual(client.post(URL, {**NEW, "name": "mine", "group": "ours"}).status_code, 201)

    def test_is_named_by_routes_of_those_only_who_see_it(self) -> None:
        ours = EndpointGroup.objects.create(name="ours")
        self.made()
        make_endpoint(slug="mine", group=ours)
        sam = make_user("sam", role="administrator")
        restrict(sam, ours)
        route = {"endpoint": "mine", "name": "x", "handler": "http.request", "config": {"connection": "crm"}}

        self.assert_error(client_of(sam).post(f"{API}/routes/", route), 400, "validation_error", "config")
        self.assertEqual(self.client.post(f"{API}/routes/", route).status_code, 201)
        # Nor by way of a handler to which the same word says nothing.
        other = {**route, "name": "y", "handler": "test.note"}
        made = client_of(sam).post(f"{API}/routes/", other).json()
        change = client_of(sam).patch(f"{API}/routes/{made['id']}/", {"handler": "http.request"})
        self.assert_error(change, 400, "validation_error", "config")
        unknown = {**route, "config": {"connection": "nothing"}}
        self.assert_error(self.client.post(f"{API}/routes/", unknown), 400, "validation_error", "config")
