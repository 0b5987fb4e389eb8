"""Bulk replays in the admin: ordering one from the list of deliveries, its page, and releases at a rate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from django.http import QueryDict
from django.test import Client, SimpleTestCase, TestCase
from django.utils import timezone

from deliveries import bulk_replay
from deliveries.admin.replay_orders import NotAFilter, selection_of
from deliveries.models import AuditEntry, Delivery, Release, Replay, ReplayState
from deliveries.models.selection import described, selected
from integrations.models import Restriction
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.execution.replays import feed, make_dead
from tests.factories import make_delivery, make_endpoint, make_event, make_route

LIST = "/admin/deliveries/delivery/"
ORDER = f"{LIST}replay/"
REPLAYS = "/admin/deliveries/replay/"


class WhatIsSelectedTests(SimpleTestCase):
    def test_is_told_with_moments_in_the_zone_of_who_reads_it(self) -> None:
        selection = {"fingerprint": "c4ca4238a0b92382", "created_after": "2026-11-27T18:00:00+00:00"}

        with timezone.override("Europe/Berlin"):
            self.assertEqual(described(selection), "the same error (c4ca4238), created from 2026-11-27 19:00:00 CET on")

    def test_is_told_with_the_words_of_the_lists_instead_of_those_of_the_database(self) -> None:
        for statuses, words in (
            (["dead"], "dead letters"),
            (["succeeded", "discarded"], "those that succeeded and discarded ones"),
            (["succeeded", "dead", "discarded"], "all that have finished"),
        ):
            self.assertEqual(described({"status": statuses}), words)


class OrderTests(TestCase):
    def setUp(self) -> None:
        self.route = make_route(make_endpoint(slug="orders"), name="book it")
        make_dead(3, route=self.route)
        make_dead(1, route=self.route, status="succeeded")
        make_dead(2)
        make_delivery(self.route)

    def test_is_offered_from_the_list_with_its_filters(self) -> None:
        page = logged_in("operator").get(LIST, {"status": "dead", "route": str(self.route.pk)})

        self.assertContains(page, f'href="{ORDER}?status=dead&amp;route={self.route.pk}"')

    def test_says_how_many_of_what_before_anything_happens(self) -> None:
        client = logged_in("operator")

        page = client.get(ORDER, {"route": str(self.route.pk)})
        dead = client.get(ORDER, {"route": str(self.route.pk), "status": "dead"})

        self.assertContains(page, "orders → book it")
        self.assertContains(page, "Only the 3 dead letters")
        self.assertContains(page, "All 4 that have finished")
        self.assertContains(dead, "Replay 3 deliveries")
        self.assertNotContains(dead, 'name="which"')
        self.assertFalse(Replay.objects.exists())

    def test_is_about_dead_letters_from_their_steps_on_unless_said_otherwise(self) -> None:
        client = logged_in("operator")

        answer = client.post(f"{ORDER}?route={self.route.pk}")

        replay = Replay.objects.get()
        self.assertRedirects(answer, f"{REPLAYS}{replay.pk}/change/")
        self.assertEqual(replay.selection, {"route": str(self.route.pk), "status": ["dead"]})
        self.assertEqual((replay.total, replay.from_start, replay.rate_per_second), (3, False, None))
        self.assertEqual(replay.created_by, "operator")
        self.assertIn("3 deliveries", AuditEntry.objects.changes().get().message)

    def test_takes_what_is_chosen(self) -> None:
        fields = {"which": "all", "from_start": "on", "rate_per_second": "2.5"}
        logged_in("operator").post(f"{ORDER}?route={self.route.pk}", fields)

        replay = Replay.objects.get()
        self.assertEqual((replay.total, replay.from_start, replay.rate_per_second), (4, True, 2.5))

    def test_is_about_what_was_ticked_alone(self) -> None:
        client = logged_in("operator")
        dead, done = self.route.deliveries.filter(status="dead").first(), self.route.deliveries.get(status="succeeded")
        ticked = {"action": "replay_in_bulk", "_selected_action": [str(dead.pk), str(done.pk)]}

        page = client.post(f"{LIST}?route={self.route.pk}", ticked, follow=True)
        [(address, _)] = page.redirect_chain
        client.post(address, {"which": "all", "rate_per_second": "2"})

        self.assertContains(page, "All 2 that have finished")
        self.assertContains(page, f'href="{LIST}?route={self.route.pk}"')
        replay = Replay.objects.get()
        self.assertEqual(set(replay.selection["deliveries"]), {str(dead.pk), str(done.pk)})
        self.assertEqual((replay.total, replay.rate_per_second), (2, 2.0))

    def test_is_about_nothing_of_other_groups_whatever_is_ticked(self) -> None:
        user = make_user("operator", name="fenced")
        Restriction.objects.create(user=user)
        self.client.force_login(user)

        self.client.post(f"{ORDER}?ids={self.route.deliveries.filter(status='dead')[0].pk}", {})

        self.assertFalse(Replay.objects.filter(total__gt=0).exists())

    def test_refuses_ticks_that_are_none(self) -> None:
        self.assertContains(logged_in("operator").get(f"{ORDER}?ids=1,2"), "What was ticked is not known.")

    def test_refuses_a_rate_that_is_none(self) -> None:
        for rate in ("0", "-1", "fast", "1e9"):
            page = logged_in("operator").post(ORDER, {"rate_per_second": rate})
            self.assertContains(page, "hub-danger")
        self.assertFalse(Replay.objects.exists())

    def test_is_not_for_viewers(self) -> None:
        client = logged_in("viewer")

        self.assertNotContains(client.get(LIST), "replay-matching")
        self.assertEqual([client.get(ORDER).status_code, client.post(ORDER).status_code], [403, 403])
        self.assertFalse(Replay.objects.exists())

    def test_is_not_given_by_a_link_or_from_another_site(self) -> None:
        logged_in("operator").get(ORDER, {"which": "all", "confirmed": "yes"})
        client = Client(enforce_csrf_checks=True)
        client.cookies = logged_in("operator").cookies

        self.assertEqual(client.post(ORDER).status_code, 403)
        self.assertFalse(Replay.objects.exists())

    def test_says_why_a_list_cannot_be_replayed(self) -> None:
        client = logged_in("operator")
        wrong = {
            "q": "evt_1",
            "failed_in": str(uuid4()),
            "error": "ValueError",
            "when": "some day",
            "status": "held",
            "endpoint": "nonsense",
            "route": "\x00",
        }
        for name, value in wrong.items():
            with self.subTest(name=name):
                for answer in (client.get(ORDER, {name: value}), client.post(f"{ORDER}?{name}={value}")):
                    self.assertContains(answer, "cannot be replayed as a whole")
        self.assertFalse(Replay.objects.exists())


class SelectionTests(TestCase):
    """What the list shows is what an order is about."""

    def test_is_what_the_list_shows(self) -> None:
        day = datetime(2026, 3, 1, 12, tzinfo=UTC)
        route = make_route(make_endpoint(provider="github"))
        for number, kind in enumerate(("order.paid", "order.created", "refund")):
            event = make_event(route.endpoint, event_type=kind)
            make_delivery(route, event=event, now=day.replace(hour=12 + number), status="dead", finished_at=day)
        make_delivery(make_route(make_endpoint()), now=day, status="dead", finished_at=day)
        client = logged_in("operator")
        for query in (
            f"endpoint={route.endpoint_id}",
            f"route={route.pk}",
            "provider=github",
            "event_type=order.*",
            "event_type=refund",
            "created_at_from_0=2026-03-01&created_at_from_1=13:00:00",
            "created_at_to_0=2026-03-01&created_at_to_1=13:00:00",
            "created_at_to_0=2026-02-28",
            "when=week",
            "when=last_night&created_at_from_0=2026-03-01",
            f"status=dead&route={route.pk}&event_type=order.*&created_at_from_0=2026-03-01",
            "",
        ):
            with self.subTest(query=query):
                shown = {row.pk for row in client.get(f"{LIST}?{query}").context["cl"].result_list}
                chosen = set(selected(selection_of(QueryDict(query))).values_list("pk", flat=True))
                self.assertEqual(chosen, shown)

    def test_is_refused_rather_than_widened(self) -> None:
        for query in ("endpoint=x", "status=nonsense", "status=running", "route=x"):
            with self.subTest(query=query), self.assertRaises(NotAFilter):
                selection_of(QueryDict(query))


class PageTests(TestCase):
    def setUp(self) -> None:
        self.rows = make_dead(4)
        self.replay = bulk_replay.order({"status": ["dead"]}, by=None, rate_per_second=20)
        feed()
        self.page = f"{REPLAYS}{self.replay.pk}/change/"

    def order(self, client: Client, order: str, **data: str) -> Any:
        return client.post(f"{REPLAYS}{self.replay.pk}/order/{order}/", data)

    def test_shows_how_far_it_is(self) -> None:
        Replay.objects.update(done=3, succeeded=2, failed=1)

        page = logged_in("viewer").get(self.page)

        self.assertContains(page, "75 %")
        self.assertContains(page, f'href="{LIST}?failed_in={self.replay.pk}"')
        self.assertContains(page, f'data-refresh="{REPLAYS}{self.replay.pk}/progress/"')
        self.assertContains(page, "20 per second")
        self.assertNotContains(page, "formaction")

    def test_names_what_failed_again_and_how_fast_it_goes(self) -> None:
        failed = self.replay.items.order_by("pk")[1]
        self.replay.items.filter(pk=failed.pk).update(state="failed")
        Delivery.objects.filter(pk=failed.delivery_id).update(last_error="ValueError: again")
        began = timezone.now() - timedelta(seconds=20)
        Replay.objects.update(done=10, succeeded=9, failed=1, total=20, started_at=began, state="running")

        page = logged_in("viewer").get(f"{REPLAYS}{self.replay.pk}/progress/")

        self.assertContains(page, "ValueError: again")
        self.assertContains(page, "0.5 per second")

    def test_is_judged_by_what_ended_of_late_so_that_a_pause_is_soon_forgotten(self) -> None:
        now = timezone.now()
        Replay.objects.update(done=13, succeeded=13, total=73, started_at=now - timedelta(hours=9), state="running")
        Replay.objects.update(rate_per_second=None)
        for number, item in enumerate(self.replay.items.order_by("delivery")[:3]):
            at = now - timedelta(seconds=10 * number)
            Delivery.objects.filter(pk=item.delivery_id).update(status="succeeded", bulk=False, finished_at=at)
        self.replay.items.filter(delivery__status="succeeded").update(state="succeeded")
        self.replay.refresh_from_db()

        self.assertEqual(self.replay.rate(now), 3 / 60)
        self.assertEqual(self.replay.time_left(now), timedelta(seconds=60 * 20))
        later = now + timedelta(hours=1)
        self.assertEqual(self.replay.rate(later), 13 / 36_000, "nothing of late: since it began")
        self.replay.state = ReplayState.PAUSED
        self.assertIsNone(self.replay.time_left(now))

    def test_is_as_fast_as_the_newest_were_where_more_ended_than_are_looked_at(self) -> None:
        now = timezone.now()
        Replay.objects.update(done=4, succeeded=4, total=8, started_at=now - timedelta(seconds=30), state="running")
        for number, item in enumerate(self.replay.items.order_by("-delivery")):
            at = now - timedelta(seconds=2 * number)
            Delivery.objects.filter(pk=item.delivery_id).update(status="succeeded", bulk=False, finished_at=at)
        self.replay.items.update(state="succeeded")
        self.replay.refresh_from_db()

        with patch("deliveries.models.replay._LOOKED_AT", 3):
            self.assertEqual(self.replay.rate(now), 3 / 4)

    def test_leads_to_what_failed_again(self) -> None:
        failed = self.replay.items.order_by("pk")[1]
        self.replay.items.filter(pk=failed.pk).update(state="failed")
        client = logged_in("viewer")

        page = client.get(LIST, {"failed_in": str(self.replay.pk)})

        self.assertEqual([row.pk for row in page.context["cl"].result_list], [failed.delivery_id])
        self.assertEqual(client.get(LIST, {"failed_in": "nonsense"}).status_code, 200)

    def test_gives_its_changing_part_alone_and_stops_refreshing_at_the_end(self) -> None:
        client = logged_in("viewer")

        part = client.get(f"{REPLAYS}{self.replay.pk}/progress/")
        self.assertNotContains(part, "<html")
        self.assertContains(part, "data-refresh")
        Delivery.objects.update(status="succeeded", bulk=False, finished_at=timezone.now())
        feed(times=2)

        part = client.get(f"{REPLAYS}{self.replay.pk}/progress/")
        self.assertContains(part, "All have come to an end.")
        self.assertNotContains(part, "data-refresh")

    def test_is_shown_to_nobody_without_the_right(self) -> None:
        client = logged_in("nobody")

        self.assertEqual(client.get(self.page).status_code, 403)
        self.assertEqual(client.get(f"{REPLAYS}{self.replay.pk}/progress/").status_code, 403)
        self.assertEqual(Client().get(f"{REPLAYS}{self.replay.pk}/progress/").status_code, 302)

    def test_pauses_resumes_and_cancels_by_post_with_an_entry_in_the_log(self) -> None:
        client = logged_in("operator")
        for order, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
            self.assertRedirects(self.order(client, order, confirmed="yes"), self.page)
            self.replay.refresh_from_db()
            self.assertEqual(self.replay.state, state)

        self.assertEqual(list(AuditEntry.objects.changes().order_by("pk").values_list("message", flat=True)),
                         ["Paused.", "Resumed.", "Cancelled."])  # fmt: skip
        self.assertEqual(Delivery.objects.filter(status="dead").count(), 4)
        self.order(client, "pause")
        self.assertContains(client.get(self.page), "The replay is cancelled already.")

    def test_says_what_comes_of_cancelling_before_it_is_confirmed(self) -> None:
        client = logged_in("operator")

        asked = self.order(client, "cancel")

        self.assertContains(asked, "4 of 4 have not been run.")
        self.assertContains(asked, "cannot be resumed")
        self.replay.refresh_from_db()
        self.assertEqual(self.replay.state, "running")

    def test_takes_no_order_from_viewers_by_a_link_or_that_there_is_not(self) -> None:
        self.assertEqual(self.order(logged_in("viewer"), "cancel").status_code, 403)
        operator = logged_in("operator")
        self.assertEqual(operator.get(f"{REPLAYS}{self.replay.pk}/order/cancel/").status_code, 405)
        self.assertEqual(self.order(operator, "explode").status_code, 404)
        self.replay.refresh_from_db()
        self.assertEqual(self.replay.state, "running")

    def test_offers_what_is_legal_now(self) -> None:
        client = logged_in("operator")
        self.assertContains(client.get(self.page), "/order/pause/")
        self.order(client, "pause")

        page = client.get(self.page)
        self.assertContains(page, "/order/resume/")
        self.assertNotContains(page, "/order/pause/")

    def test_has_a_name_in_the_list_where_nobody_described_it(self) -> None:
        Replay.objects.update(description="")

        page = logged_in("viewer").get(REPLAYS)

        self.assertContains(page, "dead letters</a>")

    def test_is_in_the_list_and_found_by_state(self) -> None:
        client = logged_in("viewer")

        self.assertContains(client.get(REPLAYS), "dead letters")
        self.assertEqual(len(client.get(REPLAYS, {"state": "finished"}).context["cl"].result_list), 0)
        self.assertEqual(len(client.get(REPLAYS, {"state": "running"}).context["cl"].result_list), 1)

    def test_cannot_be_added_changed_or_deleted(self) -> None:
        client = logged_in("superuser")
        for address in (f"{REPLAYS}add/", f"{REPLAYS}{self.replay.pk}/delete/"):
            self.assertEqual(client.post(address, {"post": "yes"}).status_code, 403)
        self.assertTrue(Replay.objects.exists())


class ReleaseTests(TestCase):
    def setUp(self) -> None:
        self.route = make_route(make_endpoint())
        for _ in range(5):
            make_delivery(self.route, status="held")
        self.pages = {
            "endpoint": f"/admin/integrations/endpoint/{self.route.endpoint_id}/",
            "route": f"/admin/integrations/route/{self.route.pk}/",
        }

    def test_at_a_rate_is_shown_on_the_page_and_stopped_by_a_pause(self) -> None:
        client = logged_in("operator")
        for noun, page in self.pages.items():
            with self.subTest(noun):
                client.post(f"{page}order/pause/")
                self.assertContains(client.get(f"{page}change/"), 'name="rate_per_second"')

                client.post(f"{page}order/resume/", {"rate_per_second": "0.01"})
                feed()

                shown = client.get(f"{page}change/")
                self.assertContains(shown, "<b>1</b> of 5 so far, 0.01 per second")
                client.post(f"{page}order/pause/")
                self.assertNotContains(client.get(f"{page}change/"), 'id="release"')
                self.assertEqual(Delivery.objects.filter(status="held").count(), 5)
                client.post(f"{page}order/resume/")
                Delivery.objects.update(status="held")

    def test_without_a_rate_is_at_once(self) -> None:
        for page in self.pages.values():
            logged_in("operator").post(f"{page}order/resume/", {"rate_per_second": ""})
            self.assertEqual(Delivery.objects.filter(status="pending").count(), 5)
            Delivery.objects.update(status="held")
        self.assertFalse(Release.objects.exists())

    def test_is_refused_at_a_rate_that_is_none(self) -> None:
        client = logged_in("operator")
        for page in self.pages.values():
            client.post(f"{page}order/pause/")
            answer = client.post(f"{page}order/resume/", {"rate_per_second": "0"}, follow=True)
            self.assertContains(answer, "Deliveries per second: ")
            self.assertEqual(Delivery.objects.filter(status="held").count(), 5)
