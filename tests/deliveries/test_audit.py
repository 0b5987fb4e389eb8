"""The audit log: who did what, from where, before and after; added to and never changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, TestCase, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from deliveries import audit, logins
from deliveries.execution.housekeeping import Housekeeping
from deliveries.models import Action, AuditEntry, Schedule
from deliveries.replay import replay
from deliveries.retention import prune_audit_log
from integrations.models import Endpoint, EndpointGroup
from tests.deliveries.admin.endpoint_form import fields_of, new_route, new_secret, page_of, route_fields
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.factories import make_delivery, make_endpoint, make_route

TYPED = "Zw8-the-credential-that-was-typed"


def latest(**conditions: Any) -> AuditEntry:
    return AuditEntry.objects.changes().filter(**conditions).order_by("-id")[0]


class EntryTests(TestCase):
    def setUp(self) -> None:
        self.user = make_user("operator")
        self.endpoint = make_endpoint(slug="orders")

    def record(self) -> AuditEntry:
        audit.record(Action.ORDERED, self.endpoint, by=self.user, message="Paused.")
        return AuditEntry.objects.get()

    def test_names_who_what_when_and_from_where(self) -> None:
        with audit.coming_from(audit.Origin("api", "192.0.2.7", "req-1")):
            entry = self.record()

        self.assertEqual(
            (entry.who, entry.user, entry.action, entry.message), ("operator", self.user, "ordered", "Paused.")
        )
        self.assertEqual(
            (entry.object_type, entry.object_id, entry.object_name), ("endpoint", str(self.endpoint.pk), "orders")
        )
        self.assertEqual((entry.via, entry.source, entry.request_id), ("api", "192.0.2.7", "req-1"))
        self.assertEqual(entry.endpoint, self.endpoint)
        self.assertLess(timezone.now() - entry.at, timedelta(seconds=10))

    def test_comes_from_a_command_outside_of_requests(self) -> None:
        self.assertEqual((self.record().via, self.record_source()), ("command", ""))

    def record_source(self) -> str:
        return AuditEntry.objects.latest("at").source

    def test_is_never_changed_nor_removed(self) -> None:
        entry = self.record()
        entry.message = "something else"

        for attempt in (
            entry.save,
            entry.delete,
            AuditEntry.objects.all().delete,
            lambda: AuditEntry.objects.update(message="x"),
            lambda: AuditEntry.objects.bulk_update([entry], ["message"]),
        ):
            with self.assertRaises(TypeError), transaction.atomic():
                attempt()
        self.assertEqual(AuditEntry.objects.get().message, "Paused.")

    def test_outlives_what_it_is_about(self) -> None:
        entry = self.record()
        self.endpoint.delete()
        self.user.delete()

        entry = AuditEntry.objects.get(pk=entry.pk)
        self.assertEqual((entry.who, entry.object_name), ("operator", "orders"))

    def test_goes_by_age_alone(self) -> None:
        now = timezone.now()
        for days in (10, 20, 30):
            audit.record(Action.MADE, None, by=self.user, now=now - timedelta(days=days))

        self.assertEqual(AuditEntry.objects.prune(before=now - timedelta(days=15), limit=1), 1)
        self.assertEqual(AuditEntry.objects.prune(before=now - timedelta(days=15), limit=10), 1)
        self.assertEqual(AuditEntry.objects.get().at, now - timedelta(days=10))

    def test_goes_with_the_housekeeping_and_the_command(self) -> None:
        now = timezone.now()
        for days in (10, 800, 900):
            audit.record(Action.MADE, None, by=self.user, now=now - timedelta(days=days))

        self.assertEqual(prune_audit_log(now=now, dry_run=True), 2)
        Housekeeping().tidy_up(now)
        self.assertEqual(AuditEntry.objects.count(), 1)
        with override_settings(HUB_AUDIT_DAYS=5):
            self.assertEqual(prune_audit_log(now=now), 1)

    def test_is_made_for_each_of_many_rows(self) -> None:
        rows = [make_delivery(make_route(self.endpoint), status="dead", finished_at=timezone.now()) for _ in range(3)]

        replay(type(rows[0]).objects.all(), by=self.user)

        self.assertEqual({entry.object_id for entry in AuditEntry.objects.all()}, {str(row.pk) for row in rows})
        self.assertEqual({entry.endpoint for entry in AuditEntry.objects.all()}, {self.endpoint})


class DifferenceTests(ApiTestCase):
    def test_of_a_change_holds_the_changed_columns_alone(self) -> None:
        make_endpoint(slug="orders", name="Before", priority=3)
        self.client.patch(f"{API}/endpoints/orders/", {"name": "After"})

        entry = latest()
        self.assertEqual((entry.before, entry.after), ({"name": "Before"}, {"name": "After"}))
        self.assertEqual((entry.action, entry.via, entry.source), ("changed", "api", "127.0.0.1"))

    def test_of_settings_masks_credentials_and_says_that_they_changed(self) -> None:
        make_endpoint(slug="m", provider="meta", settings={"verify_token": "the-old-token"})
        self.client.patch(f"{API}/endpoints/m/", {"settings": {"verify_token": TYPED}})

        entry = latest()
        self.assertEqual(entry.before, {"settings": {"verify_token": "••••••"}})
        self.assertEqual(entry.after, {"settings": {"verify_token": "•••••• (changed)"}})

    def test_of_a_new_row_is_all_of_it_with_secrets_masked(self) -> None:
        make_endpoint(slug="orders", provider="generic_hmac")
        self.client.post(f"{API}/endpoints/orders/secrets/", {"value": TYPED, "label": "next"})

        entry = latest(object_type="secret")
        self.assertIsNone(entry.before)
        assert entry.after is not None
        self.assertEqual((entry.after["label"], entry.after["value"]), ("next", "••••••"))

    def test_of_what_is_taken_away_has_its_id_and_all_that_it_was(self) -> None:
        """A deleted row has no id any more, and its entry had "None"."""
        inside = make_endpoint(slug="inside", provider="internal")
        schedule = Schedule.objects.create(name="nightly", endpoint=inside, cron="0 3 * * *")
        self.client.delete(f"{API}/schedules/{schedule.pk}/")

        entry = latest(object_type="schedule")
        self.assertEqual((entry.action, entry.object_id, entry.after), ("removed", str(schedule.pk), None))
        assert entry.before is not None
        self.assertEqual((entry.before["name"], entry.before["cron"]), ("nightly", "0 3 * * *"))

    def test_names_related_rows(self) -> None:
        group = EndpointGroup.objects.create(name="shop")
        make_endpoint(slug="orders")
        self.client.patch(f"{API}/endpoints/orders/", {"group": group.name})

        self.assertEqual((latest().before, latest().after), ({"group": None}, {"group": "shop"}))

    def test_masks_what_is_a_credential_by_its_name_in_a_handlers_config(self) -> None:
        route = make_route(make_endpoint(), config={})
        before = audit.snapshot(route)
        route.config = {"url": "https://example.com", "api_key": TYPED, "deep": [{"password": TYPED}]}

        _, after = audit.difference(route, before, audit.snapshot(route))

        self.assertNotIn(TYPED, str(after))
        self.assertIn("https://example.com", str(after))

    def test_is_bounded(self) -> None:
        route = make_route(make_endpoint(), filter="")
        before = audit.snapshot(route)
        route.filter, route.config = "a" * 50_000, {"list": ["x" * 50_000]}

        change = audit.difference(route, before, audit.snapshot(route))

        self.assertLess(len(str(change)), 5000)

    def test_is_rolled_back_with_the_change(self) -> None:
        make_endpoint(slug="one")
        make_endpoint(slug="two")
        self.client.patch(f"{API}/endpoints/one/", {"slug": "two"})

        self.assertEqual(self.logged(), [])


class AdminChangeTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")
        self.endpoint = make_endpoint(
            slug="shop", provider="generic_hmac", secret="the-first-secret", max_body_bytes=1000
        )
        self.route = make_route(self.endpoint, name="old name")

    def test_of_an_endpoint_is_noted_with_its_differences(self) -> None:
        answer = self.client.post(page_of(self.endpoint), fields_of(self.endpoint, name="Shop", priority="7"))
        self.assertEqual(answer.status_code, 302)

        entry = latest(object_type="endpoint")
        self.assertEqual(entry.before, {"name": "", "priority": 5})
        self.assertEqual(entry.after, {"name": "Shop", "priority": 7})
        self.assertEqual((entry.who, entry.via, entry.source), ("administrator", "admin", "127.0.0.1"))

    def test_of_what_stands_on_its_page_is_noted_row_by_row(self) -> None:
        changed = {f"routes-0-{name}": value for name, value in route_fields(self.route).items()}
        changed |= {"routes-0-name": "new name", "routes-0-timeout_seconds": "12"}
        changed["routes-0-retry"] = json.dumps(self.route.retry)
        secrets = {"secrets-0-DELETE": "on", **new_secret(TYPED, number=1)}
        self.client.post(page_of(self.endpoint), fields_of(self.endpoint, **changed, **secrets))

        route = latest(object_type="route")
        self.assertEqual(route.before, {"name": "old name", "timeout_seconds": 30.0})
        self.assertEqual(route.after, {"name": "new name", "timeout_seconds": 12.0})
        kinds = list(AuditEntry.objects.filter(object_type="secret").order_by("id").values_list("action", flat=True))
        self.assertEqual(kinds, ["made", "removed"])
        self.assertEqual({entry.endpoint for entry in AuditEntry.objects.filter(object_type="secret")}, {self.endpoint})

    def test_of_a_new_endpoint_is_noted_without_its_credentials(self) -> None:
        data = fields_of(None, slug="new", **new_secret(TYPED), **new_route())
        self.client.post("/admin/integrations/endpoint/add/", data)

        self.assertTrue(Endpoint.objects.filter(slug="new").exists())
        self.assertEqual({entry.object_type for entry in AuditEntry.objects.changes()}, {"endpoint", "secret", "route"})
        self.assertNotIn(TYPED, str(list(AuditEntry.objects.values())))

    def test_of_retiring_is_noted(self) -> None:
        self.client.post(f"/admin/integrations/endpoint/{self.endpoint.pk}/delete/", {"post": "yes"})

        self.assertEqual((latest().action, latest().message), ("removed", "Retired."))

    def test_of_a_user_names_the_roles_and_never_the_password(self) -> None:
        user = make_user("viewer")
        data = {
            "username": "viewer", "is_active": "on", "is_staff": "on", "groups": [],
            "restriction-TOTAL_FORMS": "1", "restriction-INITIAL_FORMS": "0",
            "restriction-0-groups": [EndpointGroup.objects.create(name="shop").pk],
        }  # fmt: skip
        self.client.post(f"/admin/auth/user/{user.pk}/change/", data)
        entry = latest(object_type="user")
        self.assertEqual((entry.before, entry.after), ({"groups": ["viewer"]}, {"groups": []}))
        restriction = latest(object_type="restriction")
        assert restriction.after is not None
        self.assertEqual(restriction.after["groups"], ["shop"])

        password = {"usable_password": "true", "password1": TYPED, "password2": TYPED}
        self.client.post(f"/admin/auth/user/{user.pk}/password/", password)
        entry = latest(object_type="user")
        self.assertEqual((entry.before, entry.after), ({"password": "••••••"}, {"password": "•••••• (changed)"}))

    def test_is_on_the_rows_own_page(self) -> None:
        self.client.post(page_of(self.endpoint), fields_of(self.endpoint, name="Shop"))

        page = self.client.get(f"/admin/integrations/endpoint/{self.endpoint.pk}/history/")
        self.assertContains(page, "Changed Name.")
        self.assertContains(page, "administrator")


class LoginTests(TestCase):
    def setUp(self) -> None:
        logins.forget()
        self.user = make_user("operator")

    def log_in(self, username: str, password: str, client: Client | None = None) -> Any:
        return (client or Client()).post(
            "/admin/login/?next=/admin/", {"username": username, "password": password}, headers={"X-Request-ID": "r-1"}
        )

    def entries(self) -> list[tuple[str, str, str]]:
        return list(AuditEntry.objects.order_by("id").values_list("action", "who", "source"))

    def test_is_noted_and_so_is_logging_out(self) -> None:
        client = Client()
        self.assertEqual(self.log_in("operator", "correct horse battery", client).status_code, 302)
        client.post("/admin/logout/")

        self.assertEqual(
            self.entries(), [("logged_in", "operator", "127.0.0.1"), ("logged_out", "operator", "127.0.0.1")]
        )
        self.assertEqual(AuditEntry.objects.earliest("id").request_id, "r-1")

    def test_that_fails_is_noted_with_the_name_of_who_there_is(self) -> None:
        self.log_in("operator", TYPED)
        self.log_in(TYPED, "operator")

        self.assertEqual(self.entries(), [("login_failed", "operator", "127.0.0.1"), ("login_failed", "", "127.0.0.1")])
        self.assertNotIn(TYPED, str(list(AuditEntry.objects.values())))

    @override_settings(HUB_TRUSTED_PROXIES=[])
    def test_does_not_believe_an_address_that_anybody_can_write(self) -> None:
        Client().post("/admin/login/", {"username": "x", "password": "y"}, headers={"X-Forwarded-For": "203.0.113.9"})

        self.assertEqual(self.entries()[0][2], "127.0.0.1")

    def test_that_fails_is_bounded_in_what_it_writes(self) -> None:
        for _ in range(80):
            logins._login_failed({"username": "operator", "password": "x"})

        self.assertLessEqual(AuditEntry.objects.count(), 65)
        self.assertGreaterEqual(AuditEntry.objects.count(), 60)


class AuditPageTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")
        self.endpoint = make_endpoint(slug="shop", provider="generic_hmac", max_body_bytes=1000)
        self.client.post(page_of(self.endpoint), fields_of(self.endpoint, name="<b>Shop</b>"))
        self.url = "/admin/deliveries/auditentry/"

    def test_is_for_administrators(self) -> None:
        for role, status in (("viewer", 403), ("operator", 403), ("administrator", 200), ("superuser", 200)):
            self.assertEqual(logged_in(role).get(self.url).status_code, status, role)
        self.assertNotContains(logged_in("viewer").get("/admin/"), self.url)

    def test_shows_before_and_after(self) -> None:
        page = self.client.get(f"{self.url}{latest().pk}/change/")

        self.assertContains(page, "&lt;b&gt;Shop&lt;/b&gt;")
        self.assertContains(page, f"/admin/integrations/endpoint/{self.endpoint.pk}/change/")

    def test_filters_by_who_what_object_and_date(self) -> None:
        make_user("viewer")
        audit.record(Action.ORDERED, self.endpoint, by=User.objects.get(username="viewer"), message="Paused.")
        for query, found in (
            ("who=viewer", 1), ("who=nobody", 0), ("action=changed", 1), ("action=logged_in", 1),
            ("object_type=endpoint", 2), ("object_type=user", 1), (f"q={self.endpoint.pk}", 2), ("q=127.0.0.1", 1),
            ("at_from_0=2100-01-01", 0), ("at_to_0=2100-01-01", 3),
        ):  # fmt: skip
            page = self.client.get(f"{self.url}?{query}")
            self.assertEqual(len(page.context["cl"].result_list), found, query)

    def test_takes_no_change(self) -> None:
        client = logged_in("superuser")
        entry = latest()
        self.assertEqual(client.post(f"{self.url}{entry.pk}/change/", {}).status_code, 405)
        self.assertEqual(client.post(f"{self.url}{entry.pk}/delete/", {"post": "yes"}).status_code, 403)
        self.assertEqual(client.get(f"{self.url}add/").status_code, 403)


class AuditApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_endpoint(slug="orders")
        self.client.patch(f"{API}/endpoints/orders/", {"name": "After"})

    def test_shows_the_entry(self) -> None:
        (entry,) = self.client.get(f"{API}/audit/", {"action": "changed"}).json()["results"]

        self.assertEqual((entry["who"], entry["via"], entry["endpoint"]), ("ada", "api", "orders"))
        self.assertEqual((entry["before"], entry["after"]), ({"name": ""}, {"name": "After"}))
        self.assertEqual(self.client.get(f"{API}/audit/{entry['id']}/").json(), entry)

    def test_filters(self) -> None:
        audit.record(Action.LOGGED_IN, self.user, by=self.user)
        for query, found in (
            ({"who": "ada"}, 2), ({"who": "x"}, 0), ({"object_type": "endpoint"}, 1), ({"endpoint": "orders"}, 1),
            ({"via": "command"}, 1), ({"action": ["changed", "logged_in"]}, 2), ({"at_before": "2000-01-01"}, 0),
            ({"at_after": "2000-01-01"}, 2), ({"source": "127.0.0.1"}, 1),
        ):  # fmt: skip
            with self.subTest(query=query):
                self.assertEqual(len(self.client.get(f"{API}/audit/", query).json()["results"]), found)
        self.assert_error(self.client.get(f"{API}/audit/", {"action": "x"}), 400, "validation_error", "action")

    def test_is_for_administrators_and_is_not_changed(self) -> None:
        from tests.deliveries.api.cases import make_user as make_api_user

        for role in ("viewer", "operator"):
            self.assert_error(client_of(make_api_user(role, role=role)).get(f"{API}/audit/"), 403, "permission_denied")
        self.assert_error(APIClient().get(f"{API}/audit/"), 401, "not_authenticated")
        entry = latest()
        for method in ("post", "patch", "delete"):
            answer = getattr(self.client, method)(f"{API}/audit/{entry.pk}/")
            self.assertIn(answer.status_code, {403, 405})
