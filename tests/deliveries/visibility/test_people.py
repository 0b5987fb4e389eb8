"""Who else is there, and where they sit: what the pages about rows say of other people, and to whom."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from deliveries import audit
from deliveries.audit import Action
from integrations.models import Endpoint
from tests.deliveries.admin.people import logged_in
from tests.deliveries.visibility.test_admin import RestrictedAdminTestCase

pytestmark = pytest.mark.any_database

ADDRESS = "198.51.100.77"
GROUPS = "/admin/integrations/endpointgroup/"


def note(endpoint: Endpoint) -> None:
    """Note a change, from an address."""
    with audit.coming_from(audit.Origin(via="api", source=ADDRESS)):
        audit.record(Action.CHANGED, endpoint, by=None, who="grace", message="changed name.")


class TheLogOfARow(RestrictedAdminTestCase):
    def setUp(self) -> None:
        super().setUp()
        note(self.ours.endpoint)
        self.page = f"/admin/integrations/endpoint/{self.ours.endpoint.pk}/history/"

    def test_names_addresses_to_who_may_read_the_whole_log(self) -> None:
        self.assertContains(self.client.get(self.page), ADDRESS)

    def test_names_no_addresses_to_others(self) -> None:
        for client in (logged_in("viewer"), logged_in("operator")):
            page = client.get(self.page)
            self.assertContains(page, "changed name.")
            self.assertNotContains(page, ADDRESS)

    def test_has_no_entries_that_the_user_may_not_see(self) -> None:
        audit.record(Action.CHANGED, self.ours.group, by=None, who="grace", message="changed description.")
        page = f"{GROUPS}{self.ours.group.pk}/history/"

        self.assertNotContains(self.client.get(page), "changed description.")
        self.assertContains(logged_in("superuser").get(page), "changed description.")


class TheNamesOfWhoIsRestricted(RestrictedAdminTestCase):
    def shown_to(self, client: Client) -> bool:
        found = [client.get(address).content.decode() for address in (GROUPS, f"{GROUPS}{self.ours.group.pk}/change/")]
        is_shown = ["Restricted to it" in page for page in found]
        self.assertEqual(len(set(is_shown)), 1)
        return is_shown[0]

    def test_are_shown_to_who_may_see_users(self) -> None:
        self.assertTrue(self.shown_to(logged_in("superuser")))

    def test_are_not_shown_to_others(self) -> None:
        self.assertFalse(self.shown_to(logged_in("viewer")))

    def test_are_not_shown_to_who_is_restricted_whatever_else_they_may(self) -> None:
        self.assertIn(Permission.objects.get(codename="view_user"), self.user.user_permissions.all())
        self.assertFalse(self.shown_to(self.client))
