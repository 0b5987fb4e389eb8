"""Views of lists: who sees them, what they keep, what they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.test import TestCase

from deliveries import saved_views
from deliveries.models import AuditEntry, SavedView
from integrations.models import EndpointGroup
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.visibility.two_teams import restrict

LIST = "/admin/deliveries/delivery/"
NIGHT = f"{LIST}views/save/?status=dead&when=last_night&event_type=order.*&after=1.0&p=2"
KEPT = "event_type=order.%2A&status=dead&when=last_night"


class AViewTests(TestCase):
    def setUp(self) -> None:
        self.anna, self.otto, self.vera = make_user("administrator"), make_user("operator"), make_user("viewer")
        self.client = logged_in("operator")

    def save(self, name: str = "Orders of the night", address: str = NIGHT, **posted: str) -> Any:
        return self.client.post(address, {"name": name, **posted}, follow=True)

    def names(self, role: str) -> set[str]:
        page = logged_in(role).get(LIST)
        self.assertEqual(page.status_code, 200)
        return {view.name for view in page.context["views"]}

    def test_keeps_the_filters_with_the_span_as_its_name_and_not_the_page(self) -> None:
        page = self.save()

        self.assertContains(page, f'href="{LIST}?{KEPT.replace("&", "&amp;")}" aria-current="true"')
        self.assertEqual(SavedView.objects.get().filters, KEPT)

    def test_is_ones_own_unless_it_is_shared(self) -> None:
        self.save("Mine")
        self.save("Ours", shared="yes")

        self.assertLessEqual({"Mine", "Ours", "Failed last night", "Dead letters"}, self.names("operator"))
        self.assertEqual(self.names("viewer") & {"Mine", "Ours"}, {"Ours"})

    def test_replaces_the_one_of_the_same_name(self) -> None:
        self.save()
        self.save(address=f"{LIST}views/save/?status=held")

        self.assertEqual(list(SavedView.objects.values_list("filters", flat=True)), ["status=held"])

    def test_is_on_record_and_forgotten_by_its_owner_alone(self) -> None:
        self.save(shared="yes")
        address = f"{LIST}views/{SavedView.objects.get().pk}/forget/"
        self.assertEqual(logged_in("administrator").post(address).status_code, 403)
        self.assertEqual(self.client.get(address).status_code, 405)
        self.assertEqual(self.client.post(address).status_code, 302)

        self.assertFalse(SavedView.objects.exists())
        self.assertEqual(
            list(AuditEntry.objects.filter(object_type="savedview").order_by("at", "pk").values_list("who", "action")),
            [("operator", "made"), ("operator", "removed")],
        )

    def test_is_on_record_with_what_it_was_and_not_with_for_what_somebody_looked(self) -> None:
        for query in ("status=dead", "q=ada%40example.com"):
            self.save("Mine", f"{LIST}views/save/?{query}")

        entry = AuditEntry.objects.get(object_type="savedview", action="changed")
        self.assertEqual(entry.before, {"filters": "status=dead", "is_shared": False})
        self.assertEqual(entry.after, {"filters": "q=...", "is_shared": False})

    def test_of_the_audit_log_is_not_kept(self) -> None:
        """The database has no such view: saving one was answered 500."""
        log = "/admin/deliveries/auditentry/"
        client = logged_in("administrator")
        page = client.post(f"{log}views/save/?who=ada", {"name": "Ada's doings"}, follow=True)

        self.assertContains(page, "no such audit entry")
        self.assertNotContains(client.get(f"{log}?who=ada"), "views/save/")

    def test_of_somebody_else_is_not_there_to_be_forgotten(self) -> None:
        self.save("Mine")
        address = f"{LIST}views/{SavedView.objects.get().pk}/forget/"
        self.assertEqual(logged_in("viewer").post(address).status_code, 404)

    def test_is_saved_by_a_viewer_for_themselves_only(self) -> None:
        self.client = logged_in("viewer")
        self.save("Mine")
        self.assertEqual(self.client.post(NIGHT, {"name": "Ours", "shared": "yes"}).status_code, 403)
        self.assertEqual(list(SavedView.objects.values_list("name", flat=True)), ["Mine"])

    def test_needs_a_name_and_filters_and_an_end(self) -> None:
        self.assertContains(self.save(" "), "A view needs a name.")
        self.assertContains(self.save(address=f"{LIST}views/save/"), "Nothing is filtered")
        self.assertContains(self.save(address=f"{LIST}views/save/?event_type={'x' * 2500}"), "too long")
        with patch.object(saved_views, "MOST_KEPT", 1):
            self.save("one")
            self.assertContains(self.save("two"), "forget one first")
        self.assertEqual(SavedView.objects.count(), 1)

    def test_is_not_shown_to_who_is_restricted_to_other_groups(self) -> None:
        north, south = (EndpointGroup.objects.create(name=name) for name in ("north", "south"))
        nora = User.objects.create_user("nora", is_staff=True)
        restrict(self.vera, north), restrict(nora, north)
        sam = User.objects.create_user("sam", is_staff=True)
        restrict(sam, south)
        for owner in (self.otto, nora, sam):
            at = datetime(2026, 3, 4, tzinfo=UTC)
            SavedView.objects.create(
                owner=owner, list="delivery", name=f"of {owner}", filters="status=dead", is_shared=True, created_at=at
            )

        self.assertEqual({name for name in self.names("viewer") if name.startswith("of ")}, {"of nora"})
        self.assertEqual(
            {name for name in self.names("administrator") if name.startswith("of ")},
            {"of operator", "of nora", "of sam"},
        )


class TheViewsOfEveryHubTests(TestCase):
    def test_stand_above_each_list(self) -> None:
        client = logged_in("viewer")
        for address, name, query in (
            (LIST, "Failed last night", "status=dead&amp;when=last_night"),
            (LIST, "Dead letters", "status=dead"),
            ("/admin/deliveries/rejection/", "Refused today", "when=today"),
            ("/admin/deliveries/event/", "Received today", "when=today"),
        ):
            self.assertContains(client.get(address), f'href="{address}?{query}">{name}</a>')
            self.assertContains(
                client.get(f"{address}?{query.replace('&amp;', '&')}"), f'aria-current="true">{name}</a>'
            )
