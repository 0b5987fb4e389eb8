"""What the hub says and does where a body was removed."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone

from deliveries import bulk_replay, fixture, replay, reroute
from deliveries.execution import runner
from deliveries.execution.journal import AttemptJournal
from deliveries.execution.timeouts import TimeLimit
from deliveries.models import Delivery, Event
from deliveries.models import replaying as moves
from integrations.handlers import handlers
from tests.deliveries.admin.people import logged_in
from tests.deliveries.api.cases import API, client_of, make_user
from tests.deliveries.execution.replays import feed
from tests.deliveries.retention.aging import NOW, RetentionTestCase

WHY = f"Its body was removed on {NOW:%Y-%m-%d} by retention."


class RemovedBodyTests(RetentionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = User.objects.create_user("ada")
        self.row = self.delivered(31)
        self.prune()
        self.gone = Event.objects.get()

    def test_is_not_replayed(self) -> None:
        self.assertEqual(replay.replay(Delivery.objects.all(), by=self.user), 0)
        self.assertEqual(bulk_replay.order({"status": ["succeeded"]}, by=None).total, 0)

    def test_is_left_out_by_a_bulk_replay_that_had_listed_it(self) -> None:
        Event.objects.update(body_removed_at=None)
        order = bulk_replay.order({"status": ["succeeded"]}, by=None)
        moves.list_some(order.pk, now=timezone.now())
        Event.objects.update(body_removed_at=NOW)

        feed()

        order.refresh_from_db()
        self.assertEqual(order.skipped, 1)
        self.assertEqual(Delivery.objects.get().status, "succeeded")

    def test_gives_its_handler_nothing_even_if_it_went_after_the_order(self) -> None:
        row = Delivery.objects.select_related("event__endpoint", "route").get()
        row.status, row.attempt_count = "running", 2

        with self.assertRaisesMessage(runner.BodyRemoved, WHY):
            runner._call(handlers["log"], row, AttemptJournal(row.pk, 2), TimeLimit(5))

    def test_makes_no_fixture_and_no_further_delivery(self) -> None:
        self.assertEqual(fixture.obstacle(self.gone), WHY)
        self.assertEqual(reroute.obstacle(self.gone), WHY)

    def test_says_so_over_the_api(self) -> None:
        client = client_of(make_user("bob", role="administrator"))

        ordered = client.post(f"{API}/deliveries/{self.row.pk}/replay/")
        body = client.get(f"{API}/events/{self.gone.pk}/body/")
        shown = client.get(f"{API}/events/{self.gone.pk}/").json()

        self.assertEqual((ordered.status_code, ordered.json()["detail"]), (409, WHY))
        self.assertEqual((body.status_code, body.json()["detail"]), (404, WHY))
        self.assertIsNone(shown["payload"])
        self.assertEqual(shown["body_removed_at"][:10], f"{NOW:%Y-%m-%d}")

    def test_says_so_on_its_pages(self) -> None:
        client = logged_in("administrator")

        event = client.get(f"/admin/deliveries/event/{self.gone.pk}/change/")
        delivery = client.get(f"/admin/deliveries/delivery/{self.row.pk}/change/")

        self.assertContains(event, WHY)
        self.assertEqual(delivery.status_code, 200)
        self.assertNotContains(event, "Make a test fixture")

    def test_is_named_before_a_replay_is_confirmed(self) -> None:
        answer = logged_in("administrator").post(
            "/admin/deliveries/delivery/", {"action": "replay", "_selected_action": [str(self.row.pk)]}
        )

        self.assertContains(answer, "Replay: 0 of 1")
        self.assertContains(answer, "its body was removed")


class OutlookTests(RetentionTestCase):
    def test_says_on_the_page_until_when_what_is_kept(self) -> None:
        row = self.delivered(10, status="dead")

        page = logged_in("viewer").get(f"/admin/deliveries/event/{row.event_id}/change/")

        for words in ("body: until", "the event itself: until", "dead letters stay for 60 days after their end"):
            self.assertContains(page, words)
