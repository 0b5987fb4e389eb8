"""The pages of connections."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from deliveries.models import AuditEntry
from integrations.models import Connection, EndpointGroup
from tests.deliveries.api.cases import make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint, make_route
from tests.integrations.calling.systems import System

pytestmark = pytest.mark.any_database

ADD = reverse("admin:integrations_connection_add")


def page_of(connection: Connection) -> str:
    return reverse("admin:integrations_connection_change", args=[connection.pk])


def values(**changes: Any) -> dict[str, Any]:
    """Return what the browser sends for a new connection."""
    return {
        "name": "crm",
        "kind": "http",
        "description": "",
        "group": "",
        "base_url": "https://crm.example.com/v2",
        "test_path": "/me",
        "auth": "bearer",
        "auth_settings": "",
        "credential_token": "swordfish-token",
        "breaker_failures": "5",
        "breaker_seconds": "30",
        "state": "active",
        "connect_timeout_seconds": "5",
        "read_timeout_seconds": "15",
        "timeout_seconds": "30",
        "retry": '{"max_attempts": 3, "initial_seconds": 0.5, "max_seconds": 10}',
        "headers": "",
        "kept_response_bytes": "4096",
        "egress": "",
        "proxy": "",
        **changes,
    }


class ConnectionPageTests(TestCase):
    def setUp(self) -> None:
        self.client.force_login(make_user("ada", role="administrator", is_staff=True))

    def made(self, **changes: Any) -> Connection:
        response = self.client.post(ADD, values(**changes))
        self.assertEqual(response.status_code, 302, _errors(response))
        return Connection.objects.get()

    def refused(self, url: str, *words: str, **changes: Any) -> None:
        response = self.client.post(url, values(**changes))
        self.assertEqual(response.status_code, 200)
        for word in words:
            self.assertIn(word, _errors(response))

    def test_begins_with_the_kind_that_most_are_of(self) -> None:
        form = self.client.get(ADD).context["adminform"].form
        self.assertEqual((form["kind"].value(), form["auth"].value()), ("http", "none"))

    def test_refuses_the_name_of_another_that_is_live(self) -> None:
        other = self.made()
        self.refused(ADD, "A connection with this name exists already.")

        other.retired_at = timezone.now()
        other.save()
        self.client.post(ADD, values())
        self.assertEqual(Connection.objects.filter(name="crm").count(), 2)

    def test_makes_one_whose_credential_is_seen_no_more(self) -> None:
        connection = self.made()

        self.assertEqual(connection.credentials, {"token": "swordfish-token"})
        self.assertIsNone(connection.egress)
        page = self.client.get(page_of(connection))
        self.assertNotContains(page, "swordfish")
        self.assertContains(page, "One is stored")
        entry = AuditEntry.objects.get(object_id=str(connection.pk))
        self.assertNotIn("swordfish", str(entry.after))

    def test_makes_one_to_a_broker_whose_password_is_seen_no_more(self) -> None:
        broker = {"kind": "kafka", "auth": "sasl", "credential_username": "hub", "credential_password": "lovelace-1815"}
        self.refused(ADD, "kafka://HOST:PORT", **broker, auth_settings='{"mechanism": "PLAIN"}')
        self.refused(ADD, "mechanism is missing", **broker, base_url="kafka+tls://broker.example.com:9093")

        connection = self.made(
            **broker, base_url="kafka+tls://broker.example.com:9093", auth_settings='{"mechanism": "SCRAM-SHA-512"}'
        )

        self.assertEqual(connection.credentials, {"username": "hub", "password": "lovelace-1815"})
        self.assertNotContains(self.client.get(page_of(connection)), "lovelace-1815")

    def test_keeps_a_credential_that_is_left_empty(self) -> None:
        connection = self.made()

        self.client.post(page_of(connection), values(credential_token="", rate_per_second="10"))

        connection.refresh_from_db()
        self.assertEqual((connection.credentials, connection.rate_per_second), ({"token": "swordfish-token"}, 10))

    def test_wants_credentials_anew_for_another_address_or_proof(self) -> None:
        connection = self.made()
        for change in (
            {"base_url": "https://evil.example.net/v2"},
            {"proxy": "http://proxy.example.net:3128"},
            {"auth": "header", "auth_settings": '{"name": "X-Key"}', "credential_value": ""},
        ):
            with self.subTest(change=change):
                response = self.client.post(page_of(connection), values(credential_token="", **change))
                self.assertEqual(response.status_code, 200)
                connection.refresh_from_db()
                self.assertEqual(connection.base_url, "https://crm.example.com/v2")

        response = self.client.post(page_of(connection), values(base_url="https://other.example.com"))
        self.assertEqual(response.status_code, 302, _errors(response))

    def test_says_which_credential_is_missing(self) -> None:
        self.refused(ADD, "token is missing", credential_token="")

    def test_forgets_credentials_of_a_proof_that_it_has_no_more(self) -> None:
        connection = self.made()

        self.client.post(
            page_of(connection), values(auth="basic", credential_username="ada", credential_password="lovelace-1815")
        )

        connection.refresh_from_db()
        self.assertEqual(connection.credentials, {"username": "ada", "password": "lovelace-1815"})

    @override_settings(HUB_EGRESS_CONNECTIONS=[])
    def test_refuses_networks_that_the_environment_does_not_allow(self) -> None:
        self.refused(ADD, "HUB_EGRESS_CONNECTIONS", egress_is_named="on", egress="10.0.0.0/8")

    def test_is_only_read_by_a_viewer(self) -> None:
        connection = self.made()
        self.client.force_login(make_user("vera", role="viewer", is_staff=True))

        page = self.client.get(page_of(connection))

        self.assertContains(page, "crm.example.com")
        self.assertNotContains(page, "credential_token")
        test = reverse("admin:integrations_connection_test", args=[connection.pk])
        self.assertNotContains(page, test)
        self.assertEqual(self.client.post(test).status_code, 403)

    def test_cannot_be_retired_while_a_route_calls_it(self) -> None:
        connection = self.made()
        route = make_route(make_endpoint(), handler="http.request", config={"connection": "crm"}, name="To the CRM")
        self.assertContains(self.client.get(page_of(connection)), "To the CRM")
        address = reverse("admin:integrations_connection_delete", args=[connection.pk])

        self.assertEqual(self.client.post(address, {"post": "yes"}).status_code, 403)
        route.retire(now=route.created_at)
        self.client.post(address, {"post": "yes"})

        connection.refresh_from_db()
        self.assertIsNotNone(connection.retired_at)
        self.assertEqual(connection.credentials, {})

    def test_of_another_group_is_not_there(self) -> None:
        ours, theirs = (EndpointGroup.objects.create(name=name) for name in ("ours", "theirs"))
        connection = self.made(group=str(theirs.pk))
        user = make_user("sam", role="administrator", is_staff=True)
        restrict(user, ours)
        self.client.force_login(user)

        self.assertNotContains(self.client.get(reverse("admin:integrations_connection_changelist")), "crm.example")
        self.assertEqual(self.client.get(page_of(connection), follow=True).redirect_chain[0][1], 302)
        test = reverse("admin:integrations_connection_test", args=[connection.pk])
        self.assertEqual(self.client.post(test).status_code, 404)
        self.refused(ADD, "restricted to groups", name="mine", group="")

    def test_and_endpoints_and_references_are_named_by_routes_of_those_only_who_may(self) -> None:
        ours = EndpointGroup.objects.create(name="ours")
        self.made()
        endpoint = make_endpoint(group=ours)
        user = make_user("sam", role="administrator", is_staff=True)
        restrict(user, ours)
        self.client.force_login(user)
        route = make_route(endpoint, handler="log")
        form = {
            **{name: getattr(route, name) for name in ("name", "timeout_seconds", "priority", "ordering_failure")},
            "events": "",
            "filter": "",
            "retry": "",
            "enabled": "on",
            "ordering_key": "",
        }

        response = self.client.post(
            reverse("admin:integrations_route_change", args=[route.pk]),
            {**form, "handler": "http.request", "config": '{"connection": "crm"}'},
        )

        self.assertEqual(response.status_code, 200)
        self.assertIn("There is no connection", _errors(response))
        route.refresh_from_db()
        self.assertEqual(route.handler, "log")

        make_endpoint(slug="theirs", provider="internal")
        config = '{"endpoint": "theirs", "event_type": "x"}'
        response = self.client.post(
            reverse("admin:integrations_route_change", args=[route.pk]),
            {**form, "handler": "hub.emit", "config": config},
        )
        self.assertIn("There is no endpoint", _errors(response))

        response = self.client.post(
            reverse("admin:integrations_route_change", args=[route.pk]),
            {**form, "handler": "table.append", "config": '{"database": "file:theirs", "table": "t"}'},
        )
        self.assertIn("a reference could lead to another group", _errors(response))
        route.refresh_from_db()
        self.assertEqual(route.handler, "log")


class TheButtonTests(TestCase):
    def setUp(self) -> None:
        self.client.force_login(make_user("olga", role="operator", is_staff=True))

    def tried(self, connection: Connection) -> Any:
        return self.client.post(reverse("admin:integrations_connection_test", args=[connection.pk]), follow=True)

    def test_says_what_came_of_it_and_notes_who_asked(self) -> None:
        with override_settings(HUB_EGRESS_ALLOW=System.NETWORKS), System() as system:
            connection = system.connection("crm", test_path="/me")

            self.assertContains(self.tried(connection), "crm: GET /me answered 200")
            system.answers(401)
            self.assertContains(self.tried(connection), "the credentials are not taken")

        self.assertEqual(AuditEntry.objects.filter(message="Tested.").count(), 2)

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_goes_to_no_private_address(self) -> None:
        with System() as system:
            self.assertContains(self.tried(system.connection("crm")), "is not a public address")
            self.assertEqual(system.requests, [])


def _errors(response: Any) -> str:
    form = response.context and response.context.get("adminform")
    return str(form.form.errors) if form else ""
