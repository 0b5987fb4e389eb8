"""Times are shown and understood in the zone that the browser names."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import patch

from django.test import TestCase

from deliveries.models import Attempt, Replay
from hub.middleware import ZONE_COOKIE
from tests.deliveries.admin.people import logged_in
from tests.factories import make_delivery, make_endpoint, make_event, make_route

EVENTS = "/admin/deliveries/event/"
LATE = datetime(2026, 3, 3, 20, 15, 30, tzinfo=UTC)  # the next morning in Tokyo


class ThePagesOfAViewerTests(TestCase):
    def setUp(self) -> None:
        make_event(make_endpoint(slug="shop"), event_id="evt-late", received_at=LATE)
        self.client = logged_in("viewer")

    def shows_it(self, **filters: str) -> bool:
        answer = self.client.get(EVENTS, filters)
        self.assertEqual(answer.status_code, 200)
        return "evt-late" in answer.content.decode()

    def test_show_times_in_their_zone_and_utc_on_hover(self) -> None:
        self.client.cookies[ZONE_COOKIE] = "Asia/Tokyo"
        self.assertContains(
            self.client.get(EVENTS),
            '<time datetime="2026-03-03T20:15:30+00:00" title="2026-03-03 20:15:30.000000 UTC (shown in Asia/Tokyo)">'
            "2026-03-04 05:15:30</time>",
        )

    def test_say_in_it_until_when_a_delivery_waits(self) -> None:
        values = {"status": "waiting", "due_at": LATE.replace(year=2100), "last_error": "Broken: <no>"}
        delivery = make_delivery(make_route(make_endpoint()), attempt_count=1, **values)
        self.client.cookies[ZONE_COOKIE] = "Asia/Tokyo"

        page = self.client.get(f"/admin/deliveries/delivery/{delivery.pk}/change/").content.decode()

        head = " ".join(page.partition("<header")[2].partition("Waits until")[2].partition("</span>")[0].split())
        self.assertIn(">2100-03-04 05:15:30</time> after attempt 1 of ", head)
        self.assertIn('title="2100-03-03 20:15:30.000000 UTC', head)
        self.assertTrue(head.endswith(": Broken: &lt;no&gt;"), head)

    def test_show_the_log_of_an_attempt_in_it_too(self) -> None:
        delivery = make_delivery(make_route(make_endpoint()), attempt_count=1)
        said = [
            {"at": LATE.isoformat(), "message": "<b>booked</b>", "fields": {"id": 7}},
            {"at": "some day", "message": "of old"},
        ]
        Attempt.objects.create(delivery=delivery, number=1, trigger="first", started_at=LATE, log=said)
        self.client.cookies[ZONE_COOKIE] = "Asia/Tokyo"

        page = self.client.get(f"/admin/deliveries/delivery/{delivery.pk}/change/")

        self.assertContains(page, ">05:15:30.000000</time>  &lt;b&gt;booked&lt;/b&gt;  id=7\nsome day  of old")

    def test_head_a_replay_with_when_it_was_ordered(self) -> None:
        made = Replay.objects.create(selection={"status": ["dead"]}, description="dead letters", created_at=LATE)
        Replay.objects.update(created_at=LATE)
        self.client.cookies[ZONE_COOKIE] = "Asia/Tokyo"

        page = self.client.get(f"/admin/deliveries/replay/{made.pk}/change/")

        self.assertContains(page, "dead letters, 2026-03-04 05:15</")

    def test_show_them_in_the_hubs_zone_without_one_that_there_is(self) -> None:
        for cookie in ("", "Asia/Atlantis", "../../../etc/passwd", "a b; c"):
            self.client.cookies[ZONE_COOKIE] = cookie
            self.assertContains(self.client.get(EVENTS), ">2026-03-03 20:15:30</time>")

    def test_understand_dates_in_their_zone(self) -> None:
        on_the_fourth = {"received_at_from_0": "2026-03-04", "received_at_to_0": "2026-03-04"}
        self.assertFalse(self.shows_it(**on_the_fourth))
        self.client.cookies[ZONE_COOKIE] = "Asia/Tokyo"
        self.assertTrue(self.shows_it(**on_the_fourth))

    def test_take_a_date_that_no_column_holds_in_their_zone_for_none(self) -> None:
        for zone, field, day in (
            ("Asia/Tokyo", "received_at_from_0", "0001-01-01"),
            ("America/New_York", "received_at_to_0", "9999-12-31"),
        ):
            self.client.cookies[ZONE_COOKIE] = zone
            self.assertTrue(self.shows_it(**{field: day}))

    def test_take_last_night_for_the_night_of_their_zone(self) -> None:
        with patch("deliveries.admin.filters.timezone.now", return_value=datetime(2026, 3, 4, 9, tzinfo=UTC)):
            self.assertTrue(self.shows_it(when="last_night"))
            self.client.cookies[ZONE_COOKIE] = "America/Los_Angeles"  # where it came at noon
            self.assertFalse(self.shows_it(when="last_night"))
