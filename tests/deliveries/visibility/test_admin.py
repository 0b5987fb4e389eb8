"""Every page of the admin, walked by somebody who is restricted to one group of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.test import Client, TestCase
from django.urls import URLPattern, reverse
from django.utils import timezone
from knox.models import AuthToken

from deliveries import bulk_replay
from deliveries.models import (
    AcceptOnly,
    Alert,
    AlertRule,
    AuditEntry,
    Backfill,
    Delivery,
    Erasure,
    Event,
    ParkedKey,
    Rejection,
    Replay,
    ReplayItem,
    Schedule,
    Shape,
    Worker,
)  # fmt: skip
from deliveries.models import replaying as bulk_replay_moves
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from integrations.models import Connection, Endpoint, EndpointGroup, Route
from tests.deliveries.admin.people import make_user
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, make_worker, restrict

#: Pages of models whose rows belong to endpoints: these are walked with rows of the other group.
OF_ENDPOINTS = {
    *(Alert, AlertRule, AuditEntry, Backfill, Connection, Delivery, Endpoint),
    *(EndpointGroup, Event, Rejection, Replay, Route, Schedule, Shape),
}
#: Pages of what belongs to no endpoint, and what keeps others' secrets from being there.
OF_NONE = {
    AcceptOnly: "the switch of all workers: who is restricted sees it, and may not switch",
    Erasure: "shut to who is restricted: events of all endpoints are named",
    ParkedKey: "shut to who is restricted: all routes' keys are on one page",
    Worker: "a host and a process number",
    User: "closed to who is restricted",
    Group: "closed to who is restricted",
    AuthToken: "one's own only",
}


class RestrictedAdminTestCase(TestCase):
    def setUp(self) -> None:
        self.ours, self.theirs = Team(OURS), Team(THEIRS)
        make_worker()
        self.user = make_user("administrator")
        # More than the role: nothing that a permission opens may lead out of the groups.
        self.user.user_permissions.set(Permission.objects.exclude(content_type__app_label="knox"))
        restrict(self.user, self.ours.group)
        self.client = Client()
        self.client.force_login(self.user)

    def assert_hidden(self, method: str, address: str, **data: object) -> None:
        """Check that the answer has nothing of the other group, and that nothing there was changed."""
        answer = getattr(self.client, method)(address, data)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        text = body.decode("utf-8", "replace") + str(dict(answer.headers))
        self.assertLess(answer.status_code, 500, (method, address))
        self.assertNotIn(THEIRS, text, (method, address))


@pytest.mark.any_database
class WalkTests(RestrictedAdminTestCase):
    def test_knows_every_page_of_the_admin(self) -> None:
        unknown = set(admin.site._registry) - OF_ENDPOINTS - set(OF_NONE)

        self.assertEqual(unknown, set(), "limit these to their endpoints, and add them to the walk")

    def test_shows_the_own_group_in_every_list(self) -> None:
        for model in OF_ENDPOINTS:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            answer = self.client.get(address)
            self.assertContains(answer, OURS, msg_prefix=address)
            self.assertNotContains(answer, THEIRS, msg_prefix=address)

    def test_finds_nothing_of_the_other_group_at_any_address(self) -> None:
        before = self.theirs.state()
        walked = list(self.addresses())

        self.assertGreater(len(walked), 60)
        for address in walked:
            for method in ("get", "post"):
                self.assert_hidden(method, address, confirmed="yes", post="yes", action="replay")

        self.assertEqual(self.theirs.state(), before)

    def addresses(self) -> Iterator[str]:
        """Yield every address of every page that names a row, with each row of the other group, and those without."""
        for model, page in admin.site._registry.items():
            base = reverse("admin:index") + f"{model._meta.app_label}/{model._meta.model_name}/"
            for pattern in page.get_urls():
                assert isinstance(pattern, URLPattern)
                route = str(pattern.pattern)
                for row in self._rows_for(model, route):
                    values = {"order": "replay", "variant": self.theirs.variant.pk}
                    yield base + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values.get(m[1], row.pk)), route)  # noqa: B023

    def _rows_for(self, model: type[Model], route: str) -> Iterable[Model]:
        """Return whose ids the address may name: where it names its page's own row alone, no others are looked for."""
        if "<" not in route:
            return [self.theirs.group]
        own = [row for row in self.theirs.rows() if isinstance(row, model)]
        return own if own and re.findall(r"<(?:\w+:)?(\w+)>", route) in (["object_id"], ["pk"]) else self.theirs.rows()

    def test_takes_no_order_about_rows_of_the_other_group(self) -> None:
        before = self.theirs.state()
        for name, row, actions in (
            ("deliveries_delivery", self.theirs.delivery, ("replay", "replay_from_start")),
            ("deliveries_delivery", self.theirs.pending, ("discard",)),
            ("deliveries_rejection", self.theirs.rejection, ("reverify",)),
            ("integrations_endpoint", self.theirs.endpoint, ("delete_selected",)),
            ("integrations_route", self.theirs.route, ("delete_selected",)),
        ):
            for action in actions:
                self.client.post(
                    reverse(f"admin:{name}_changelist"),
                    {"action": action, "_selected_action": [row.pk], "confirmed": "yes", "post": "yes", "index": 0},
                )
        self.assertEqual(self.theirs.state(), before)

    def test_offers_nothing_of_the_other_group_to_choose_from(self) -> None:
        for field in ("model_name=route&field_name=endpoint", "model_name=endpoint&field_name=group"):
            answer = self.client.get(f"/admin/autocomplete/?app_label=integrations&{field}&term=")
            self.assertNotIn(THEIRS, answer.content.decode())
        for address in ("/admin/integrations/route/add/", "/admin/integrations/endpoint/add/"):
            answer = self.client.get(address)
            self.assertContains(answer, OURS)
            self.assertNotContains(answer, THEIRS)
        for term in (THEIRS, f"{THEIRS}-endpoint"):
            answer = self.client.get(f"/admin/search/?s={term}&extended=1")
            self.assertNotContains(answer, f"{THEIRS} name")

    def test_names_no_event_of_the_other_group_that_led_to_an_own_one_or_came_of_it(self) -> None:
        Event.objects.filter(pk=self.theirs.event.pk).update(derived_from=self.ours.event)
        Event.objects.filter(pk=self.ours.pending.event_id).update(derived_from=self.theirs.event)
        for pk in (self.ours.event.pk, self.ours.pending.event_id):
            page = self.client.get(f"/admin/deliveries/event/{pk}/change/")
            self.assertEqual(page.status_code, 200)
            self.assertNotContains(page, str(self.theirs.event.pk))

    def test_counts_the_own_group_only(self) -> None:
        for team in (self.ours, self.theirs):
            counting.add(Measure.REFUSED, team.endpoint.pk, at=timezone.now(), count=7)
        counting.flush()

        for address in ("/admin/", "/admin/overview/"):
            page = self.client.get(address)
            cards = {card.title: card.value for card in page.context["cards"]}
            self.assertEqual((cards["Queue"], cards["Refused"]), ("1", "7"))
            self.assertContains(page, f"{OURS} route</b> 1 delivery gave up.")
            self.assertNotContains(page, THEIRS)

    def test_filters_by_a_row_of_the_other_group_find_nothing(self) -> None:
        for kind in ("event", "delivery", "rejection"):
            self.assert_hidden("get", f"/admin/deliveries/{kind}/?endpoint={self.theirs.endpoint.pk}")
        self.assert_hidden("get", f"/admin/deliveries/delivery/?route={self.theirs.route.pk}")
        self.assert_hidden("get", f"/admin/integrations/endpoint/?group={self.theirs.group.pk}")
        self.assert_hidden("get", f"/admin/deliveries/delivery/?q={self.theirs.delivery.pk}")


class WayOutTests(RestrictedAdminTestCase):
    def test_is_none_through_users_or_roles(self) -> None:
        other = make_user("viewer")
        restrict(other, self.theirs.group)
        pages = ("auth/user/", "auth/group/", f"auth/user/{other.pk}/change/", f"auth/user/{other.pk}/history/")
        for page in pages:
            self.assertEqual(self.client.get(f"/admin/{page}").status_code, 403, page)
        self.assertNotContains(self.client.get("/admin/"), "/admin/auth/")
        for page in ("auth/user/", "auth/group/"):
            self.assertEqual(self.client.get(f"/admin/{page}add/").status_code, 403, page)
        self.assertEqual(self.client.post(f"/admin/auth/user/{self.user.pk}/change/", {}).status_code, 403)
        answer = self.client.post(f"/admin/auth/user/{self.user.pk}/password/", {})
        self.assertEqual(answer.status_code, 403)

    def test_is_none_through_ordering_keys(self) -> None:
        self.assertEqual(self.client.get("/admin/deliveries/parkedkey/").status_code, 403)

    def test_is_none_through_bulk_replays_that_may_reach_any_endpoint(self) -> None:
        replay = bulk_replay.order({"status": ["dead"]}, by=None)

        self.assertNotContains(self.client.get("/admin/deliveries/replay/"), replay.pk)
        self.assertNotEqual(self.client.get(f"/admin/deliveries/replay/{replay.pk}/change/").status_code, 200)
        self.assertEqual(self.client.post(f"/admin/deliveries/replay/{replay.pk}/order/cancel/").status_code, 404)

    def test_is_none_through_a_bulk_replay_of_their_own(self) -> None:
        before = self.theirs.state()
        address = reverse("admin:deliveries_delivery_replay")
        for query in ("", f"?endpoint={self.theirs.endpoint.pk}", f"?route={self.theirs.route.pk}"):
            question = self.client.get(address + query)
            self.assertEqual(question.status_code, 200)
            self.assertNotContains(question, THEIRS)
            self.client.post(address + query, {"which": "all"})

        orders = Replay.objects.filter(created_by=self.user.get_username()).order_by("pk")
        self.assertEqual([replay.total for replay in orders], [1, 0, 0])
        for replay in orders:
            bulk_replay_moves.list_some(replay.pk, now=timezone.now())
        listed = set(ReplayItem.objects.values_list("delivery", flat=True))
        self.assertEqual(listed, {self.ours.delivery.pk})
        page = self.client.get(f"/admin/deliveries/replay/{orders[0].pk}/change/")
        self.assertContains(page, "2 endpoints in sight")
        self.assertContains(self.client.get(f"/admin/deliveries/replay/{orders[0].pk}/history/"), "Ordered for")
        self.assertNotIn(THEIRS, "".join(replay.description for replay in orders))
        self.assertEqual(self.theirs.state(), before)

    def test_is_none_through_the_groups_themselves(self) -> None:
        own = f"/admin/integrations/endpointgroup/{self.ours.group.pk}/change/"

        self.assertEqual(self.client.get(own).status_code, 200)
        self.assertEqual(self.client.post(own, {"name": "x"}).status_code, 403)
        self.assertEqual(self.client.get("/admin/integrations/endpointgroup/add/").status_code, 403)

    def test_is_none_through_an_endpoint_without_a_group_or_in_another(self) -> None:
        fields = {
            "slug": "new", "provider": "generic_none", "state": "active", "max_body_bytes": "1000", "dedupe": "id",
            "accepted_status": "200", "priority": "5", "batch": "whole",
            **{f"{prefix}-{name}_FORMS": "0" for prefix in ("secrets", "routes") for name in ("TOTAL", "INITIAL")},
        }  # fmt: skip
        for group in ("", self.theirs.group.pk):
            self.client.post("/admin/integrations/endpoint/add/", {**fields, "group": group})
            self.assertFalse(Endpoint.objects.filter(slug="new").exists(), group)

        self.client.post("/admin/integrations/endpoint/add/", {**fields, "group": self.ours.group.pk})

        self.assertEqual(Endpoint.objects.get(slug="new").group, self.ours.group)
