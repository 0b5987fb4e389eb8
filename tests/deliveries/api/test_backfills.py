"""``/backfills/`` and ``/backfill-runs/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from deliveries.models import AuditEntry, Backfill, BackfillRun
from integrations.api.scopes import Scope
from integrations.models import EndpointGroup
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.test_backfilling import HOOK, make_backfill, make_connection
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint
from tests.integrations.history import TOKEN

URL = f"{API}/backfills/"
RUNS = f"{API}/backfill-runs/"


class BackfillTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="code", provider="github")
        self.connection = make_connection(name="github")
        self.new: dict[str, Any] = {"endpoint": "code", "source": HOOK, "connection": "github"}

    def test_is_made_changed_and_removed(self) -> None:
        made = self.client.post(URL, {**self.new, "interval_minutes": 30})
        self.assertEqual(made.status_code, 201, made.content)
        row, address = Backfill.objects.get(), f"{URL}{made.json()['id']}/"
        self.assertEqual((row.connection, row.source), (self.connection, HOOK))
        make_connection(name="ghes", base_url="https://github.example.com/api/v3")
        changed = self.client.patch(address, {"lookback_minutes": 60, "connection": "ghes"}).json()
        self.assertEqual((changed["lookback_minutes"], changed["connection"]), (60, "ghes"))

        answers = [made.content, self.client.get(address).content, self.client.get(URL).content]
        self.assertNotIn(TOKEN, str([*answers, *AuditEntry.objects.values()]))
        self.assertEqual(self.client.delete(address).status_code, 204)
        self.assertFalse(Backfill.objects.exists())
        self.assertEqual(self.logged(), ["API: made.", "API: changed connection, lookback_minutes.", "API: removed."])

    def test_begins_its_schedule_when_it_is_made_and_whenever_that_changes(self) -> None:
        address = f"{URL}{self.client.post(URL, self.new).json()['id']}/"
        self.assertIsNone(self.client.get(address).json()["next_at"])
        for changed, starts in (({"interval_minutes": 30}, True), ({"lookback_minutes": 60}, False)):
            Backfill.objects.update(next_at=None)
            self.assertEqual(self.client.patch(address, changed).json()["next_at"] is not None, starts, changed)

        Backfill.objects.update(next_at=timezone.now())
        self.assertIsNone(self.client.patch(address, {"interval_minutes": None}).json()["next_at"])

    def test_keeps_its_tag_while_its_schedule_goes_on(self) -> None:
        row = make_backfill()
        tag = self.client.get(f"{URL}{row.pk}/")["ETag"]
        Backfill.objects.update(next_at=timezone.now(), asked_until=timezone.now())

        answer = self.client.patch(f"{URL}{row.pk}/", {"lookback_minutes": 60}, headers={"If-Match": tag})
        self.assertEqual(answer.status_code, 200)
        self.assertNotEqual(answer["ETag"], tag)

    def test_is_of_one_endpoint_whose_provider_can_be_asked(self) -> None:
        make_endpoint(slug="orders", provider="generic_hmac")
        for values, field in (
            ({"endpoint": "orders"}, ""),
            ({"endpoint": "nobody"}, "endpoint"),
            ({"connection": "nobody"}, "connection"),
            ({"connection": None}, "connection"),
            ({"source": {"hook": 1}}, "source"),
            ({"interval_minutes": 4}, "interval_minutes"),
            ({"token": TOKEN}, "token"),
        ):
            with self.subTest(values=values):
                self.assert_error(
                    self.client.post(URL, {**self.new, **values}), 400, "validation_error", *([field] if field else [])
                )
        self.assertEqual(self.client.post(URL, self.new).status_code, 201)
        self.assert_error(self.client.post(URL, self.new), 400, "validation_error", "endpoint")

    def test_asks_by_a_connection_of_no_group_or_of_the_endpoints(self) -> None:
        group, other = (EndpointGroup.objects.create(name=name) for name in ("ours", "theirs"))
        type(self.endpoint).objects.update(group=group)
        for owner, status in ((other, 400), (group, 201)):
            type(self.connection).objects.update(group=owner)
            self.assertEqual(self.client.post(URL, self.new).status_code, status, owner)

    def test_names_no_connection_that_the_user_may_not_see(self) -> None:
        group = EndpointGroup.objects.create(name="ours")
        type(self.endpoint).objects.update(group=group)
        restrict(self.user, group)
        self.assert_error(self.client.post(URL, self.new), 400, "validation_error", "connection")

        type(self.connection).objects.update(group=group)
        self.assertEqual(self.client.post(URL, self.new).status_code, 201)

    def test_keeps_its_connection_in_service(self) -> None:
        address = f"{URL}{self.client.post(URL, self.new).json()['id']}/"
        answer = self.client.delete(f"{API}/connections/github/")
        self.assertIn("the backfill of code", self.assert_error(answer, 409, "conflict")["detail"])

        self.client.delete(address)
        self.assertEqual(self.client.delete(f"{API}/connections/github/").status_code, 204)

    def test_goes_out_of_sight_with_its_endpoint(self) -> None:
        row = make_backfill()
        row.endpoint.retire(now=timezone.now())

        self.assertEqual(self.client.get(URL).json()["results"], [])
        self.assert_error(self.client.post(f"{URL}{row.pk}/run/"), 404, "not_found")


class RunTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.row = make_backfill()
        self.order = f"{URL}{self.row.pk}/run/"

    def test_is_ordered_once_and_followed(self) -> None:
        made = self.client.post(self.order)
        self.assertEqual((made.status_code, made.json()["state"]), (202, "open"), made.content)
        self.assert_error(self.client.post(self.order), 409, "conflict")

        run = BackfillRun.objects.get()
        self.assertEqual(run.until - run.since, timedelta(minutes=120))
        self.assertEqual(self.client.get(f"{RUNS}{run.pk}/").json(), made.json())
        self.assertEqual((run.created_by, self.logged()), ("ada", ["API: Backfill ordered."]))

    def test_can_look_further_back_than_usual_and_no_further_than_the_provider_knows(self) -> None:
        for minutes, days in ((2880, 2), (14400, 3)):
            BackfillRun.objects.all().delete()
            self.assertEqual(self.client.post(self.order, {"lookback_minutes": minutes}).status_code, 202)
            run = BackfillRun.objects.get()
            self.assertAlmostEqual(run.created_at - run.since, timedelta(days=days), delta=timedelta(minutes=1))

    def test_is_found_by_backfill_endpoint_and_state(self) -> None:
        self.client.post(self.order)
        slug = self.row.endpoint.slug
        for query, count in (
            ({"backfill": str(self.row.pk)}, 1),
            ({"endpoint": slug, "state": "open"}, 1),
            ({"endpoint": "other"}, 0),
            ({"state": "finished"}, 0),
        ):
            self.assertEqual(len(self.client.get(RUNS, query).json()["results"]), count, query)

    def test_is_ordered_by_operators_and_tokens_that_may_replay(self) -> None:
        self.assert_error(client_of(make_user("vera", role="viewer")).post(self.order), 403, "permission_denied")
        operator = make_user("olga", role="operator")
        self.assert_error(client_of(operator, Scope.READ).post(self.order), 403, "permission_denied")
        self.assert_error(client_of(operator).post(URL, {}), 403, "permission_denied")
        self.assertEqual(client_of(operator, Scope.REPLAY).post(self.order).status_code, 202)
        self.assertEqual(client_of(operator, Scope.READ).get(RUNS).status_code, 200)
