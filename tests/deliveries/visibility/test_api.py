"""Every address of the API, walked by somebody who is restricted to one group of endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from deliveries import bulk_replay
from deliveries.api.urls import router, urlpatterns
from deliveries.models import Event
from integrations.models import Endpoint
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, restrict
from tests.factories import make_event

#: Addresses outside the router: what an endpoint or a route can be made of, and the switch of all workers (who is
#: restricted may not turn it: tests/deliveries/overload/test_accept_only.py).
OF_NONE = {"provider-list", "handler-list", "accept-only"}
#: And one that begins with what the user may see (tests/deliveries/stats/test_api.py).
OF_ENDPOINTS = {"stats"}
#: Of all endpoints at once, and so of nobody who sees some of them.
SHUT = {"erasures"}
BODIES: list[dict[str, Any]] = [{}, {"name": "taken"}, {"group": f"{THEIRS}-group"}, {"value": "another-secret"}]


class RestrictedApiTestCase(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ours, self.theirs = Team(OURS), Team(THEIRS)
        self.user.user_permissions.set(Permission.objects.exclude(content_type__app_label="knox"))
        restrict(self.user, self.ours.group)


@pytest.mark.any_database
class WalkTests(RestrictedApiTestCase):
    def test_knows_every_address_outside_the_router(self) -> None:
        named = {pattern.name for pattern in urlpatterns} - {pattern.name for pattern in router.urls}

        self.assertEqual(named, OF_NONE | OF_ENDPOINTS)

    def test_shows_the_own_group_in_every_list(self) -> None:
        for prefix in {prefix for prefix, _, _ in router.registry} - SHUT:
            with self.subTest(prefix=prefix):
                found = self.client.get(f"{API}/{prefix}/").content.decode()
                self.assertIn(OURS, found)
                self.assertNotIn(THEIRS, found)

    def test_is_shut_out_of_what_goes_through_all_endpoints(self) -> None:
        for prefix in SHUT:
            for method in ("get", "post"):
                answer = getattr(self.client, method)(f"{API}/{prefix}/", {"value": "ada@example.com"})
                self.assertEqual(answer.status_code, 403)

    def test_finds_nothing_of_the_other_group_at_any_address(self) -> None:
        before = self.theirs.state()
        walked = list(self.addresses())

        self.assertGreater(len(walked), 20)
        for address, method, body in product(walked, ("get", "post", "patch", "delete"), BODIES):
            with self.subTest(address=address, method=method, body=body):
                answer = getattr(self.client, method)(address, body if method != "get" else None)
                self.assertIn(answer.status_code, {403, 404, 405} if not body else {400, 403, 404, 405})
                self.assertNotIn(THEIRS, answer.content.decode())
        self.assertEqual(self.theirs.state(), before)

    def addresses(self) -> Iterator[str]:
        """Yield the address of each row of the other group, and of each action about it."""
        rows = self.theirs.rows()
        for prefix, view, _ in router.registry:
            model = view.queryset.model
            field = view.lookup_field
            for row in rows:
                if type(row) is not model:
                    continue
                base = f"{API}/{prefix}/{getattr(row, field)}/"
                yield base
                for action in view.get_extra_actions():
                    path = action.url_path
                    yield base + (f"secrets/{self.theirs.secret.pk}/" if "secret_id" in path else f"{path}/").replace(
                        "(?P<variant>[0-9]{1,18})", str(self.theirs.variant.pk)
                    )

    def test_walks_a_row_of_every_list(self) -> None:
        models = {type(row) for row in self.theirs.rows()}

        for prefix, view, _ in router.registry:
            if prefix in SHUT:
                continue
            self.assertIn(view.queryset.model, models, f"{prefix}: add its row to Team.rows")

    def test_finds_nothing_through_filters(self) -> None:
        for query in (
            f"events/?endpoint={THEIRS}-endpoint", f"events/?search={THEIRS}", f"events/?event_id={THEIRS}-event",
            f"deliveries/?route={self.theirs.route.pk}", f"deliveries/?event={self.theirs.event.pk}",
            f"rejections/?reason={THEIRS}_reason", f"routes/?endpoint={THEIRS}-endpoint",
            f"endpoints/?group={THEIRS}-group",
        ):  # fmt: skip
            with self.subTest(query=query):
                self.assertEqual(self.client.get(f"{API}/{query}").json()["results"], [])

    def test_names_no_event_of_the_other_group_that_led_to_an_own_one(self) -> None:
        own = Event.objects.filter(pk=self.ours.pending.event_id)
        for origin, shown in ((self.theirs.event, None), (self.ours.event, str(self.ours.event.pk))):
            own.update(derived_from=origin)
            listed = {event["id"]: event for event in self.client.get(f"{API}/events/").json()["results"]}
            detail = self.client.get(f"{API}/events/{own.get().pk}/").json()
            self.assertEqual([detail["derived_from"], listed[detail["id"]]["derived_from"]], [shown, shown])

    def test_lists_events_in_the_same_number_of_queries_for_any_number(self) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as found:
                self.client.get(f"{API}/events/")
            return len(found)

        few = queries()
        for _ in range(3):
            make_event(self.ours.endpoint, derived_from=self.ours.event)
        self.assertEqual(queries(), few)


class WayOutTests(RestrictedApiTestCase):
    def test_is_none_through_bulk_replays_that_may_reach_any_endpoint(self) -> None:
        replay = bulk_replay.order({"status": ["dead"]}, by=None)
        url = f"{API}/replays/"

        self.assertEqual([row["id"] for row in self.client.get(url).json()["results"]], [str(self.ours.replay.pk)])
        self.assert_error(self.client.get(f"{url}{replay.pk}/"), 404, "not_found")
        self.assert_error(self.client.post(f"{url}{replay.pk}/cancel/"), 404, "not_found")

    def test_is_none_through_a_bulk_replay_of_their_own(self) -> None:
        url, theirs = f"{API}/replays/", str(self.theirs.delivery.pk)
        before = self.theirs.state()

        dry = self.client.post(url, {"all": True, "dry_run": True}, format="json").json()
        self.assertEqual([row["endpoint"] for row in dry["counts"]], [self.ours.endpoint.slug])
        made = self.client.post(url, {"all": True}, format="json")
        self.assertEqual((made.status_code, made.json()["total"]), (202, 1))
        self.assertEqual(made.json()["filter"], {"status": ["dead"], "endpoint_ids": 2})
        for body in (
            {"filter": {"endpoint": self.theirs.endpoint.slug}},
            {"filter": {"route": str(self.theirs.route.pk)}},
        ):
            answer = self.client.post(url, body, format="json").json()
            self.assertEqual(answer["total"], 0)
        answer = self.assert_error(
            self.client.post(url, {"deliveries": [theirs]}, format="json"), 400, "validation_error", "deliveries"
        )
        self.assertIn("There is no delivery", answer["detail"])
        self.assertEqual(self.theirs.state(), before)
        self.assertEqual(self.client.post(f"{url}{made.json()['id']}/cancel/").json()["state"], "cancelled")

    def test_is_none_to_a_bulk_replay_of_theirs_and_ours(self) -> None:
        ids = [self.theirs.delivery.pk, self.ours.delivery.pk]
        both = bulk_replay.order({"deliveries": [str(pk) for pk in ids]}, by=None)
        own = bulk_replay.order({"deliveries": [str(self.ours.delivery.pk)]}, by=None)

        self.assertEqual(self.client.get(f"{API}/replays/{both.pk}/").status_code, 404)
        self.assertEqual(self.client.get(f"{API}/replays/{own.pk}/").status_code, 200)
        Endpoint.objects.filter(pk=self.ours.endpoint.pk).update(group=None)
        self.assertEqual(self.client.get(f"{API}/replays/{own.pk}/").status_code, 404)

    def test_is_none_through_a_new_endpoint(self) -> None:
        new = {"slug": "new", "provider": "generic_none"}
        url = f"{API}/endpoints/"

        self.assert_error(self.client.post(url, new), 400, "validation_error", "group")
        self.assert_error(self.client.post(url, {**new, "group": None}), 400, "validation_error", "group")
        answer = self.client.post(url, {**new, "group": f"{THEIRS}-group"})
        self.assert_error(answer, 400, "validation_error", "group")
        self.assertEqual(self.client.post(url, {**new, "group": f"{OURS}-group"}).status_code, 201)

    def test_is_none_through_a_change_of_the_group(self) -> None:
        url = f"{API}/endpoints/{OURS}-endpoint/"
        for group in (None, f"{THEIRS}-group"):
            self.assert_error(self.client.patch(url, {"group": group}), 400, "validation_error", "group")
        self.assertEqual(self.client.patch(url, {"name": "still ours"}).json()["group"], f"{OURS}-group")

    def test_is_none_through_a_route(self) -> None:
        new = {"endpoint": f"{THEIRS}-endpoint", "name": "mine", "handler": "log"}

        self.assert_error(self.client.post(f"{API}/routes/", new), 400, "validation_error", "endpoint")

    def test_is_none_through_the_groups(self) -> None:
        url = f"{API}/endpoint-groups/"

        self.assert_error(self.client.post(url, {"name": "mine"}), 403, "permission_denied")
        own = f"{url}{OURS}-group/"
        self.assert_error(self.client.patch(own, {"name": "mine"}), 403, "permission_denied")
        self.assert_error(self.client.delete(own), 403, "permission_denied")

    def test_is_not_shown_by_a_rejections_diagnosis(self) -> None:
        """A request signed with the other group's secret is not said to be theirs."""
        import hashlib
        import hmac

        body = b'{"id": 1}'
        signature = hmac.new(f"{THEIRS}-key".encode(), body, hashlib.sha256).hexdigest()
        APIClient().post(
            f"/hooks/{OURS}-endpoint", body, content_type="application/json", headers={"X-Signature": signature}
        )
        rejection = self.ours.endpoint.rejections.get(reason="signature_mismatch")

        found = self.client.get(f"{API}/rejections/{rejection.pk}/")

        self.assertEqual(found.status_code, 200)
        self.assertNotIn("other_endpoint", found.content.decode())
        self.user.restriction.delete()
        self.assertIn(
            f"{THEIRS}-endpoint", client_of(self.user).get(f"{API}/rejections/{rejection.pk}/").content.decode()
        )
