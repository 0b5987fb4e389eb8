from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.test import Client, TestCase
from django.utils import timezone

from deliveries import replay, why
from deliveries.models import AuditEntry, Delivery, StepResult
from tests.deliveries.admin.people import logged_in, make_user
from tests.factories import make_delivery, make_endpoint, make_route

LIST = "/admin/deliveries/delivery/"


def make_finished(status: str = "dead", **values: Any) -> Delivery:
    return make_delivery(
        make_route(make_endpoint()), status=status, finished_at=timezone.now(), attempt_count=3, **values
    )


class ReplayTests(TestCase):
    def setUp(self) -> None:
        self.user = make_user("operator")

    def test_makes_finished_deliveries_due_and_names_who_asked(self) -> None:
        rows = [make_finished(status) for status in ("dead", "succeeded", "discarded")]

        self.assertEqual(replay.replay(Delivery.objects.all(), by=self.user), 3)

        for row in rows:
            row.refresh_from_db()
            self.assertEqual((row.status, row.next_trigger, row.requested_by), ("pending", "replay", "operator"))
            self.assertEqual((row.attempt_count, row.budget_start), (3, 3))

    def test_leaves_alone_what_is_under_way(self) -> None:
        now = timezone.now()
        route = make_route(make_endpoint())
        running = make_delivery(route, status="running", lease_until=now)
        waiting, held = make_delivery(route, status="waiting"), make_delivery(route, status="held")

        self.assertEqual(replay.replay(Delivery.objects.all(), by=self.user), 0)

        statuses = dict(Delivery.objects.values_list("pk", "status"))
        self.assertEqual(statuses, {running.pk: "running", waiting.pk: "waiting", held.pk: "held"})
        self.assertFalse(AuditEntry.objects.changes().exists())

    def test_writes_one_entry_for_each_delivery_that_it_moved(self) -> None:
        moved, left = make_finished(), make_delivery(make_route(make_endpoint()))

        replay.replay(Delivery.objects.all(), by=self.user)

        entry = AuditEntry.objects.changes().get()
        self.assertEqual((entry.object_id, entry.user, entry.message), (str(moved.pk), self.user, "Replayed."))
        self.assertEqual(left.status, "pending")

    def test_keeps_the_results_of_steps_unless_it_is_from_the_start(self) -> None:
        row = make_finished()
        StepResult.objects.create(delivery=row, key="a", value=1)

        replay.replay(Delivery.objects.all(), by=self.user)
        self.assertTrue(StepResult.objects.exists())
        Delivery.objects.update(status="dead", finished_at=timezone.now())
        replay.replay(Delivery.objects.all(), by=self.user, from_start=True)

        self.assertFalse(StepResult.objects.exists())

    def test_takes_more_than_a_batch(self) -> None:
        route = make_route(make_endpoint())
        event = make_finished().event
        Delivery.objects.all().delete()
        routes = [make_route(route.endpoint) for _ in range(520)]
        now = timezone.now()
        Delivery.objects.bulk_create(
            Delivery(event=event, endpoint=route.endpoint, route=each, status="dead", due_at=now, created_at=now,
                     finished_at=now)
            for each in routes
        )  # fmt: skip

        self.assertEqual(replay.replay(Delivery.objects.all(), by=self.user), 520)
        self.assertEqual(AuditEntry.objects.changes().count(), 520)


class DiscardTests(TestCase):
    def test_ends_what_waits_and_leaves_the_rest(self) -> None:
        user = make_user("operator")
        route = make_route(make_endpoint())
        for status in ("pending", "waiting", "held"):
            make_delivery(route, status=status)
        make_delivery(route, status="running", lease_until=timezone.now())
        make_finished()
        make_finished("succeeded")

        self.assertEqual(replay.discard(Delivery.objects.all(), by=user), 4)

        statuses = sorted(Delivery.objects.values_list("status", flat=True))
        self.assertEqual(statuses, ["discarded"] * 4 + ["running", "succeeded"])
        self.assertEqual(AuditEntry.objects.changes().filter(message="Discarded.").count(), 4)


class OneDeliveryTests(TestCase):
    def order(self, client: Client, row: Delivery, order: str, **fields: str) -> Any:
        return client.post(f"{LIST}{row.pk}/order/{order}/", fields)

    def test_is_replayed_after_a_question(self) -> None:
        row = make_finished()
        client = logged_in("operator")

        question = self.order(client, row, "replay")
        row.refresh_from_db()
        self.assertContains(question, "Replay: 1 of 1 delivery")
        self.assertEqual(row.status, "dead")

        answer = self.order(client, row, "replay", confirmed="yes")
        row.refresh_from_db()
        self.assertRedirects(answer, f"{LIST}{row.pk}/change/")
        self.assertEqual((row.status, row.requested_by), ("pending", "operator"))

    def test_is_not_replayed_by_a_viewer(self) -> None:
        row = make_finished()
        client = logged_in("viewer")

        for order in ("replay", "replay_from_start", "discard"):
            self.assertEqual(self.order(client, row, order, confirmed="yes").status_code, 403)
        row.refresh_from_db()

        self.assertEqual(row.status, "dead")
        self.assertNotContains(client.get(f"{LIST}{row.pk}/change/"), "/order/replay/")

    def test_is_not_replayed_by_a_link(self) -> None:
        row = make_finished()

        answer = logged_in("operator").get(f"{LIST}{row.pk}/order/replay/?confirmed=yes")

        row.refresh_from_db()
        self.assertEqual((answer.status_code, row.status), (405, "dead"))

    def test_is_not_replayed_from_another_site(self) -> None:
        row = make_finished()
        client = Client(enforce_csrf_checks=True)
        client.force_login(make_user("operator"))

        answer = self.order(client, row, "replay", confirmed="yes")

        row.refresh_from_db()
        self.assertEqual((answer.status_code, row.status), (403, "dead"))

    def test_offers_what_is_legal_now(self) -> None:
        client = logged_in("operator")
        dead, held = make_finished(), make_delivery(make_route(make_endpoint()), status="held")

        dead_page, held_page = (client.get(f"{LIST}{row.pk}/change/") for row in (dead, held))

        self.assertContains(dead_page, "/order/replay/")
        self.assertContains(dead_page, "/order/replay_from_start/")
        self.assertContains(dead_page, "/order/discard/")
        self.assertContains(held_page, "/order/discard/")
        self.assertNotContains(held_page, "/order/replay/")

    def test_takes_no_order_that_there_is_not(self) -> None:
        self.assertEqual(self.order(logged_in("operator"), make_finished(), "explode").status_code, 404)

    def test_that_is_gone_is_not_an_error(self) -> None:
        client = logged_in("operator")

        question = client.post(f"{LIST}{uuid4()}/order/replay/")
        page = client.get(f"{LIST}{uuid4()}/change/", follow=True)
        nonsense = client.get(f"{LIST}nonsense%00/change/", follow=True)

        self.assertContains(question, "None of them is there any more")
        self.assertContains(page, "There is no such delivery any more")
        self.assertEqual(nonsense.status_code, 200)


class SelectedDeliveriesTests(TestCase):
    def setUp(self) -> None:
        self.dead = [make_finished() for _ in range(3)]
        self.held = make_delivery(make_route(make_endpoint()), status="held")

    def order(self, client: Client, rows: list[Delivery], action: str, **fields: str) -> Any:
        return client.post(LIST, {"action": action, "_selected_action": [str(row.pk) for row in rows], **fields})

    def test_are_counted_by_status_before_anything_happens(self) -> None:
        page = self.order(logged_in("operator"), [*self.dead[:2], self.held], "replay", index="0")

        self.assertContains(page, "Replay: 2 of 3 deliveries")
        self.assertContains(page, "left as it is")
        self.assertEqual(Delivery.objects.filter(status="pending").count(), 0)

    def test_are_replayed_when_confirmed_and_only_they(self) -> None:
        answer = self.order(logged_in("operator"), [*self.dead[:2], self.held], "replay", confirmed="yes")

        self.assertRedirects(answer, LIST)
        self.assertEqual(Delivery.objects.filter(status="pending").count(), 2)
        self.assertEqual(Delivery.objects.get(pk=self.dead[2].pk).status, "dead")
        self.assertEqual(AuditEntry.objects.changes().count(), 2)

    def test_are_told_of_with_what_was_left(self) -> None:
        client = logged_in("operator")
        self.order(client, [self.dead[0], self.held], "replay", confirmed="yes")

        page = client.get(LIST)

        self.assertContains(page, "1 delivery will run again.")
        self.assertContains(page, "1 delivery was left as it is")

    def test_are_never_all_that_match(self) -> None:
        self.order(logged_in("operator"), self.dead[:1], "replay", confirmed="yes", select_across="1")

        self.assertEqual(Delivery.objects.filter(status="pending").count(), 1)

    def test_are_discarded_too(self) -> None:
        self.order(logged_in("operator"), [self.held, self.dead[0]], "discard", confirmed="yes")

        self.assertEqual(Delivery.objects.get(pk=self.held.pk).status, "discarded")
        self.assertEqual(Delivery.objects.get(pk=self.dead[0].pk).status, "discarded")

    def test_are_discarded_with_a_reason_that_stays_with_them(self) -> None:
        client = logged_in("operator")

        self.assertContains(self.order(client, [self.held], "discard"), 'name="reason"')
        self.assertNotContains(self.order(client, self.dead, "replay"), 'name="reason"')
        self.order(client, [self.held], "discard", confirmed="yes", reason="sent twice\x00" + "x" * 300)

        self.held.refresh_from_db()
        reason = str(why.reason_of(self.held))
        self.assertTrue(reason.startswith("Discarded: sent twice\\x00xxx"), reason)
        self.assertIn("(by operator)", reason)

    def test_are_not_replayed_by_a_viewer(self) -> None:
        client = logged_in("viewer")

        self.order(client, self.dead, "replay", confirmed="yes")

        self.assertEqual(Delivery.objects.filter(status="pending").count(), 0)
        self.assertNotContains(client.get(LIST), 'value="replay"')
        self.assertTrue(User.objects.filter(username="viewer").exists())
