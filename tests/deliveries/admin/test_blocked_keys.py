"""The page of blocked keys: which stand still, what is in their way, and the orders about them."""

from __future__ import annotations

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.blocked_keys import blocked_keys
from deliveries.models import AuditEntry, Delivery, ParkedKey
from tests.deliveries.admin.people import logged_in
from tests.deliveries.execution.lines import claim, close, line, ordered_route, replay, rows, run_all, statuses

PAGE = "/admin/deliveries/parkedkey/"


def stuck(failure: str = "block", *, key: str = "a", status: str = "dead") -> list[Delivery]:
    """Return a line of three whose first stands in ``status``."""
    route = ordered_route(failure=failure)
    deliveries = line(route, 3, key=key)
    (first,) = (row for row in claim() if row.pk == deliveries[0].pk)
    close(first, status)
    return deliveries


class KeyTests(TestCase):
    def test_are_those_that_stand_behind_what_gave_up(self) -> None:
        first, *_ = stuck()
        line(ordered_route(), 3)  # goes on by itself

        (key,) = blocked_keys()

        self.assertEqual((key.head, key.waiting, key.parked, key.needs_order), (first, 2, None, True))

    def test_are_those_that_are_parked(self) -> None:
        first, *_ = stuck("park")

        (key,) = blocked_keys()

        self.assertEqual((key.head, key.waiting, key.parked), (first, 2, ParkedKey.objects.get()))

    def test_are_also_those_that_wait_for_a_retry_or_are_held_after_those_that_need_an_order(self) -> None:
        retried = stuck(status="waiting")
        rows(retried[0]).update(due_at=timezone.now() + timezone.timedelta(hours=1))
        held = stuck(status="waiting")
        rows(held[0]).hold()
        dead, parked = stuck(), stuck("park")

        found = blocked_keys()

        self.assertEqual({key.head for key in found[:2]}, {dead[0], parked[0]})
        self.assertEqual({key.head for key in found[2:]}, {retried[0], held[0]})
        self.assertEqual([key.needs_order for key in found], [True, True, False, False])

    def test_are_none_where_what_gave_up_is_skipped(self) -> None:
        stuck("skip")

        self.assertEqual(blocked_keys(), [])

    def test_stay_parked_while_the_dead_letter_is_replayed(self) -> None:
        first, *_ = stuck("park")
        replay(first)

        (key,) = blocked_keys()

        self.assertEqual((key.head.status, key.waiting, key.needs_order), ("pending", 2, True))


class PageTests(TestCase):
    def test_shows_keys_to_viewers_without_orders(self) -> None:
        first, *_ = stuck(key="customer-17")
        stuck("park", key="<b>bold</b>")

        page = logged_in("viewer").get(PAGE)

        self.assertContains(page, "customer-17")
        self.assertContains(page, "&lt;b&gt;bold&lt;/b&gt;")
        self.assertContains(page, f"/admin/deliveries/delivery/{first.pk}/change/")
        self.assertNotContains(page, "/order/")

    def test_offers_operators_the_orders_that_are_legal(self) -> None:
        first, *_ = stuck()
        retried = stuck(status="waiting")
        stuck("park")

        page = logged_in("operator").get(PAGE)

        self.assertContains(page, f"/admin/deliveries/delivery/{first.pk}/order/replay/")
        self.assertContains(page, f"/admin/deliveries/delivery/{first.pk}/order/discard/")
        self.assertNotContains(page, f"/admin/deliveries/delivery/{retried[0].pk}/order/replay/")
        self.assertContains(page, f"/admin/deliveries/parkedkey/{ParkedKey.objects.get().pk}/order/let_go_on/")

    def test_needs_as_many_queries_for_many_keys_as_for_few(self) -> None:
        client = logged_in("operator")
        counts = []
        for more in (1, 6):
            for _ in range(more):
                stuck()
                stuck("park")
            with CaptureQueriesContext(connection) as captured:
                client.get(PAGE)
            counts.append(len(captured))

        self.assertEqual(counts[0], counts[1])

    def test_takes_no_post(self) -> None:
        self.assertEqual(logged_in("operator").post(PAGE).status_code, 405)

    def test_is_one_click_from_home(self) -> None:
        client = logged_in("viewer")

        ordered_route()
        self.assertNotContains(client.get("/admin/"), "ordering key")

        stuck()

        page = client.get("/admin/")
        self.assertContains(page, "ordering key")
        self.assertContains(page, f'href="{PAGE}')


class OrderTests(TestCase):
    def setUp(self) -> None:
        self.deliveries = stuck("park")
        self.parked = ParkedKey.objects.get()
        self.order = f"{PAGE}{self.parked.pk}/order/let_go_on/"

    def test_lets_a_parked_key_go_on_when_confirmed(self) -> None:
        client = logged_in("operator")
        asked = client.post(self.order)
        self.assertContains(asked, "Let the key go on?")
        self.assertEqual(statuses(self.deliveries), ["dead", "held", "held"])

        answer = client.post(self.order, {"confirmed": "yes"})

        self.assertRedirects(answer, PAGE)
        self.assertEqual(run_all(), [row.pk for row in self.deliveries[1:]])

    def test_is_in_the_log_of_the_route(self) -> None:
        logged_in("operator").post(self.order, {"confirmed": "yes"})

        entry = AuditEntry.objects.changes().get()
        self.assertEqual((entry.user.username, entry.object_id), ("operator", str(self.parked.route_id)))
        self.assertIn(f"'a' go on without delivery {self.deliveries[0].pk}; 2 deliveries released.", entry.message)

    def test_is_given_by_operators_alone_and_by_post_alone(self) -> None:
        for role in ("nobody", "viewer"):
            self.assertEqual(logged_in(role).post(self.order, {"confirmed": "yes"}).status_code, 403)
        self.assertEqual(logged_in("operator").get(self.order).status_code, 405)
        self.assertEqual(ParkedKey.objects.count(), 1)

    def test_about_a_key_that_goes_on_already_does_nothing(self) -> None:
        client = logged_in("operator")
        client.post(self.order, {"confirmed": "yes"})

        page = client.post(self.order, {"confirmed": "yes"}, follow=True)

        self.assertContains(page, "That key is not parked any more.")

    def test_replays_what_is_in_the_way_and_lets_the_key_go_on(self) -> None:
        first = self.deliveries[0]

        logged_in("operator").post(f"/admin/deliveries/delivery/{first.pk}/order/replay/", {"confirmed": "yes"})

        self.assertEqual(run_all(), [row.pk for row in self.deliveries])
        self.assertEqual(blocked_keys(), [])
