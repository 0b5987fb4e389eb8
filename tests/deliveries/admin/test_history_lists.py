from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from unittest.mock import patch

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.admin import keyset
from deliveries.admin.filters import span_of
from deliveries.models import Delivery, Event, Replay
from deliveries.models.closing import AttemptResult
from deliveries.models.fingerprints import fingerprint
from integrations.models import Restriction
from tests.deliveries.admin.people import logged_in, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
EVENTS = "/admin/deliveries/event/"
DELIVERIES = "/admin/deliveries/delivery/"


class HistoryListTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        self.client = logged_in("operator")

    def events(self, count: int, *, begin: int = 0, **values: object) -> None:
        for number in range(begin, begin + count):
            at = NOW + timedelta(seconds=number // 7)  # several at one moment
            make_event(self.endpoint, event_id=f"evt-{number:03}", received_at=at, **values)

    def page(self, address: str) -> tuple[list[str], dict[str, str]]:
        """Return the event ids on the page, and where its links lead by their names."""
        text = self.client.get(address).content.decode()
        links = re.findall(
            r'<a class="hub-link" (?:rel="\w+" )?href="([^"]*)">(Newest|Newer|Older|Look further back)<', text
        )
        return re.findall(r"\bevt-\d+\b", text), {name: unescape(href) for href, name in links}

    def test_shows_every_row_once_while_rows_come_in(self) -> None:
        self.events(120)
        seen, links = self.page(EVENTS)
        while "Older" in links:
            self.events(10, begin=Event.objects.count())
            rows, links = self.page(EVENTS + links["Older"])
            seen += rows

        self.assertEqual(seen, [f"evt-{number:03}" for number in reversed(range(120))])

    def test_leads_back_to_the_rows_before(self) -> None:
        self.events(120)
        first, links = self.page(EVENTS)
        self.assertNotIn("Newer", links)
        _, links = self.page(EVENTS + links["Older"])
        back, links = self.page(EVENTS + links["Newer"])

        self.assertEqual(back, first)
        self.assertIn("Older", links)

    def test_takes_a_place_that_is_none_for_a_wrong_address(self) -> None:
        for text in ("x", "1.x", "99999999999999999999.0198", f"{10**30}.{'0' * 32}"):
            self.assertEqual(self.client.get(EVENTS, {"after": text}).status_code, 302, text)

    def test_counts_nothing(self) -> None:
        self.events(60)
        for address in (EVENTS, DELIVERIES, "/admin/deliveries/rejection/"):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                self.client.get(address)
            self.assertFalse([q["sql"] for q in queries if "COUNT(" in q["sql"]], address)
            self.assertLessEqual(len(queries), 12, address)

    def test_says_how_far_back_a_filter_without_an_index_has_looked(self) -> None:
        self.events(5, event_type="rare")
        self.events(60, begin=5, event_type="common")
        with patch.object(keyset, "LOOKED_THROUGH", 20):
            rows, links = self.page(EVENTS + "?event_type=rare")
            self.assertEqual(rows, [])
            rounds = 0
            while "Look further back" in links and rounds < 9:
                rows, links = self.page(EVENTS + links["Look further back"])
                rounds += 1

        self.assertEqual((len(rows), rounds), (5, 3))

    def test_finds_by_the_ids_of_event_and_request(self) -> None:
        event = make_event(self.endpoint, event_id="evt-1", request_id="req-9")
        delivery = make_delivery(make_route(self.endpoint), event=event)
        make_delivery(make_route(self.endpoint), event=make_event(self.endpoint, event_id="evt-2"))
        for term in ("evt-1", "req-9", str(event.pk), str(delivery.pk)):
            page = self.client.get(DELIVERIES, {"q": term}).content.decode()
            self.assertIn("evt-1", page, term)
            self.assertNotIn("evt-2", page, term)

    def test_filters_by_the_class_of_the_error(self) -> None:
        for number, error in enumerate(("ValueError: no", "ValueError", "ValueErrors: no")):
            event = make_event(self.endpoint, event_id=f"evt-{number}")
            make_delivery(make_route(self.endpoint), event=event, last_error=error)

        self.assertEqual(self.page(DELIVERIES + "?error=ValueError")[0], ["evt-1", "evt-0"])

    def test_knows_last_night(self) -> None:
        since, until = span_of("last_night", NOW)

        self.assertEqual(since, datetime(2026, 3, 3, 18, tzinfo=UTC))
        self.assertEqual(until, datetime(2026, 3, 4, 8, tzinfo=UTC))


class FingerprintTests(TestCase):
    def test_is_the_same_for_errors_that_differ_in_what_they_name(self) -> None:
        same = [
            fingerprint(f"ValueError: order {number} of 'customer {number}' is not booked")
            for number in (1004, 77, "a7f3")
        ]

        self.assertEqual(len(set(same)), 1)

    def test_differs_by_class_and_status(self) -> None:
        errors = ("HttpError: 500 from x", "HttpError: 404 from x", "OtherError: 500 from x", "HttpError")

        self.assertEqual(len({fingerprint(error) for error in errors}), 4)

    def test_is_kept_when_an_attempt_fails_and_gone_when_one_succeeds(self) -> None:
        now = timezone.now()
        delivery = make_delivery(make_route(make_endpoint()))
        for outcome, status in (("failed", "waiting"), ("succeeded", "succeeded")):
            Delivery.objects.update(due_at=now)
            [taken] = Delivery.objects.claim(limit=1, now=now, lease=timedelta(minutes=1), worker="w")
            error = "ValueError" if outcome == "failed" else ""
            result = AttemptResult(outcome=outcome, error_type=error)  # type: ignore[arg-type]
            Delivery.objects.close(
                taken.pk,
                taken.attempt_count,
                result,
                status=status,
                now=now,
                due_at=now,  # type: ignore[arg-type]
            )
            delivery.refresh_from_db()
            self.assertEqual(delivery.fingerprint, fingerprint(error))


class SmallListTests(TestCase):
    """Lists that are not paged by a key: of orders, alerts, the audit log."""

    def test_leads_to_other_pages_only_where_there_are_some(self) -> None:
        client = logged_in("viewer")
        address = "/admin/deliveries/replay/"
        self.assertNotContains(client.get(address), "Previous")
        self.assertNotContains(client.get(address), ">Next<")
        now = timezone.now()
        for number in range(51):
            Replay.objects.create(description=f"order {number}", created_by="anna", created_at=now)

        first, second = client.get(address), client.get(address, {"p": 2})

        self.assertContains(first, '<a class="hub-link" rel="next" href="?p=2">Next</a>', html=True)
        self.assertNotContains(first, "Previous")
        self.assertNotContains(first, "Show all")
        self.assertContains(second, '<a class="hub-link" rel="prev" href="?p=1">Previous</a>', html=True)
        self.assertNotContains(second, ">Next<")


class FailureTests(TestCase):
    def setUp(self) -> None:
        self.route = make_route(make_endpoint(slug="shop"), name="erp")
        for number in range(3):
            self.fail(f"HttpError: 500 for order {1000 + number}")
        self.fail("ValueError: no")

    def fail(self, error: str) -> Delivery:  # type: ignore[override]
        now = timezone.now()
        return make_delivery(
            self.route, status="dead", finished_at=now, last_error=error, fingerprint=fingerprint(error)
        )

    def test_are_grouped_by_error_and_route(self) -> None:
        page = logged_in("viewer").get(f"{DELIVERIES}failures/")

        self.assertEqual([group.count for group in page.context["failures"]], [3, 1])
        self.assertNotContains(page, "Replay all")

    def test_are_replayed_by_their_group(self) -> None:
        make_user("operator")
        client = logged_in("operator")
        group = client.get(f"{DELIVERIES}failures/").context["failures"][0]
        self.assertContains(client.get(group.replay_url), "3")
        client.post(group.replay_url, {"which": "dead"})

        self.assertEqual(Replay.objects.get().total, 3)

    def test_are_told_by_their_error_before_they_are_replayed(self) -> None:
        client = logged_in("operator")
        group = client.get(f"{DELIVERIES}failures/").context["failures"][0]

        self.assertContains(client.get(group.replay_url), "HttpError: 500 for order 100")

    def test_are_shown_of_one_endpoint(self) -> None:
        client = logged_in("viewer")
        other = make_route(make_endpoint(slug="billing"))
        error = {"last_error": "KeyError: sum", "fingerprint": fingerprint("KeyError: sum")}
        make_delivery(other, status="dead", finished_at=timezone.now(), **error)

        def counts(endpoint: object) -> list[int]:
            page = client.get(f"{DELIVERIES}failures/", {"endpoint": str(endpoint), "when": "hour"})
            return [group.count for group in page.context["failures"]]

        self.assertEqual(counts(""), [3, 1, 1])
        self.assertEqual(counts(other.endpoint_id), [1])
        self.assertEqual(counts(self.route.endpoint_id), [3, 1])
        self.assertEqual(counts("nonsense"), [])
        page = client.get(f"{DELIVERIES}failures/", {"endpoint": str(other.endpoint_id)})
        self.assertContains(page, f"when=week&amp;endpoint={other.endpoint_id}")
        self.assertContains(page, f'<option value="{other.endpoint_id}" selected>billing</option>', html=True)

    def test_are_offered_only_of_endpoints_that_one_may_see(self) -> None:
        Restriction.objects.create(user=make_user("viewer", name="fenced"))

        page = logged_in("fenced").get(f"{DELIVERIES}failures/", {"endpoint": str(self.route.endpoint_id)})

        self.assertEqual(page.context["failures"], [])
        self.assertNotContains(page, "shop")

    def test_are_none_at_a_time_that_is_none(self) -> None:
        for when, count in (("hour", 2), ("nonsense", 0)):
            page = logged_in("viewer").get(f"{DELIVERIES}failures/", {"when": when})
            self.assertEqual(len(page.context["failures"]), count, when)
