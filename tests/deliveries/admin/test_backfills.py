"""Backfills in the admin."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import TestCase

from deliveries import backfilling
from deliveries.models import AuditEntry, Backfill, BackfillRun
from integrations.models import EndpointGroup
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.test_backfilling import make_backfill, make_connection
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint
from tests.integrations.history import TOKEN

LIST = "/admin/deliveries/backfill/"
SOURCE = '{"repository": "octo-org/hello", "hook": 42}'


class FormTests(TestCase):
    def values(self, **changed: object) -> dict[str, object]:
        plain = {"source": SOURCE, "interval_minutes": "", "lookback_minutes": "120"}
        return {**plain, **changed}

    def test_makes_and_changes_one(self) -> None:
        endpoint, connection = make_endpoint(slug="gh", provider="github"), make_connection()
        client = logged_in("administrator")
        sent = self.values(endpoint=str(endpoint.pk), connection=str(connection.pk), interval_minutes="30")
        client.post(f"{LIST}add/", sent)
        row = Backfill.objects.get()
        self.assertEqual((row.connection, row.source["hook"]), (connection, 42))
        self.assertIsNotNone(row.next_at)

        page = f"{LIST}{row.pk}/change/"
        client.post(page, self.values(connection=str(connection.pk), lookback_minutes="60"))
        row.refresh_from_db()
        self.assertEqual((row.lookback_minutes, row.next_at), (60, None))
        for address in (LIST, page, f"{LIST}{row.pk}/history/"):
            self.assertNotContains(client.get(address), TOKEN)

    def test_offers_the_connections_in_service_that_the_user_may_see(self) -> None:
        group = EndpointGroup.objects.create(name="ours")
        make_endpoint(provider="github", group=group)
        for name, owner in (("for-us", group), ("for-all", None), ("gone", group)):
            connection = make_connection(name=name, group=owner)
        connection.retire(now=connection.created_at)
        client = logged_in("administrator")
        self.assertContains(client.get(f"{LIST}add/"), "for-all")
        restrict(User.objects.get(username="administrator"), group)
        page = client.get(f"{LIST}add/")

        self.assertContains(page, "for-us")
        for name in ("for-all", "gone"):
            self.assertNotContains(page, name)

    def test_keeps_its_connection_in_service(self) -> None:
        row = make_backfill()
        page = logged_in("administrator").get(f"/admin/integrations/connection/{row.connection_id}/change/")

        self.assertContains(page, f"the backfill of {row.endpoint.slug}")
        self.assertContains(page, "it cannot be retired")

    def test_names_what_the_provider_cannot_be_asked_with(self) -> None:
        row = make_backfill()
        values = self.values(connection=str(row.connection_id), source='{"hook": 1}')
        page = logged_in("administrator").post(f"{LIST}{row.pk}/change/", values)

        self.assertContains(page, "a repository and its hook")


class ButtonTests(TestCase):
    def setUp(self) -> None:
        self.row = make_backfill()
        self.page, self.order = f"{LIST}{self.row.pk}/change/", f"{LIST}{self.row.pk}/order/"

    def test_orders_a_run_and_notes_who_did(self) -> None:
        client = logged_in("operator")
        self.assertContains(client.get(self.page), "Backfill now")
        answer = client.post(self.order, follow=True)

        self.assertContains(answer, "Ordered")
        self.assertContains(answer, "Under way")
        self.assertEqual(BackfillRun.objects.get().created_by, "operator")
        self.assertEqual(AuditEntry.objects.get(action="ordered").who, "operator")

    def test_says_that_one_is_under_way(self) -> None:
        backfilling.order(self.row, by=make_user("superuser"))
        answer = logged_in("operator").post(self.order, follow=True)

        self.assertContains(answer, "under way already")
        self.assertEqual(BackfillRun.objects.count(), 1)

    def test_is_only_for_who_may(self) -> None:
        client = logged_in("viewer")
        self.assertNotContains(client.get(self.page), "Backfill now")
        self.assertEqual(client.post(self.order).status_code, 403)
        self.assertEqual(logged_in("operator").get(self.order).status_code, 405)
        self.assertFalse(BackfillRun.objects.exists())

    def test_is_reached_from_the_page_of_the_endpoint(self) -> None:
        client, page = logged_in("administrator"), "/admin/integrations/endpoint/{}/change/"
        other = make_endpoint(provider="stripe")

        self.assertContains(client.get(page.format(self.row.endpoint_id)), f'href="{self.page}"')
        self.assertContains(client.get(page.format(other.pk)), f'href="{LIST}add/?endpoint={other.pk}"')
        self.assertNotContains(logged_in("viewer").get(page.format(other.pk)), f"{LIST}add/")
