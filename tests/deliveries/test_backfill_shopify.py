"""What Shopify says of its resources, and the hub was never told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import TestCase
from django.utils import timezone

from deliveries import backfilling
from deliveries.backfill import NotBackfilled, Progress, backfill
from deliveries.models import Backfill, Delivery, Event, Verdict
from deliveries.receiving import endpoints, ingest
from integrations.contracts import InboundRequest, case_insensitive
from integrations.history import TooManyRequests, histories
from tests.deliveries.admin.people import make_user
from tests.deliveries.test_backfilling import make_connection
from tests.factories import make_endpoint, make_route
from tests.integrations.history import TOKEN, Shopify, order, serving

#: What is asked about ends well before now; what arrives does so while it is asked.
UNTIL = timezone.now().replace(microsecond=0) - timedelta(hours=30)
SINCE = UNTIL - timedelta(hours=10)
BOTH = {"topics": ["orders/updated", "orders/create"]}


def at(hours: float) -> datetime:
    """Return the moment so many hours after the beginning of the time that is asked about."""
    return SINCE + timedelta(hours=hours)


class ShopifyCase(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop", provider="shopify", secret="s3cret")
        make_route(self.endpoint)

    def arrive(self, payload: dict[str, Any], topic: str, *, name: str = "", received: datetime | None = None) -> Any:
        headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Webhook-Id": name or f"webhook-{Event.objects.count()}",
            "Content-Type": "application/json",
        }
        body = json.dumps(payload, indent=1).encode()
        request = InboundRequest("POST", "", "", case_insensitive(headers), body, received or timezone.now())
        return ingest.accept(endpoints.live(self.endpoint), request, payload, verdict=Verdict.VERIFIED)

    def ask(self, *orders: dict[str, Any], settings: dict[str, Any] = BOTH, **families: Any) -> Progress:
        return self.pages(Shopify(orders=list(orders), **families), settings)[-1]

    def pages(self, server: Shopify, settings: dict[str, Any] = BOTH, **options: Any) -> list[Progress]:
        with serving(server, header="X-Shopify-Access-Token", credentials=TOKEN) as api:
            window = {"since": SINCE, "until": UNTIL}
            return list(backfill(self.endpoint, histories["shopify"], api, settings, **window, **options))

    def backfilled(self) -> list[tuple[str, str]]:
        rows = Event.objects.filter(verdict="backfilled").order_by("pk")
        return [(event.event_type, event.payload["name"]) for event in rows]


class WhatIsMissing(ShopifyCase):
    def test_is_what_is_new_and_never_told_and_what_changed_since_it_was_told(self) -> None:
        told = order(1, created=at(1), updated=at(1))
        changed = order(2, created=at(-50), updated=at(3))
        self.arrive(told, "orders/create", received=at(1))
        self.arrive({**changed, "updated_at": at(2).isoformat()}, "orders/updated", received=at(2))
        progress = self.ask(
            told, changed, order(3, created=at(4), updated=at(5)), order(4, created=at(6), updated=at(6))
        )

        self.assertEqual(
            self.backfilled(), [("orders/create", "#3"), ("orders/create", "#4"), ("orders/updated", "#2")]
        )
        self.assertEqual(progress.as_json(), {"asked": 7, "known": 4, "missing": 3, "stored": 3, "failed": 0})
        self.assertEqual(Delivery.objects.filter(event__verdict="backfilled").count(), 3)

    def test_is_not_what_is_known_in_this_state_or_a_later_one(self) -> None:
        for number, told_at in ((1, at(3)), (2, at(9))):
            self.arrive(order(number, created=at(-9), updated=told_at), "orders/paid", received=told_at)

        self.ask(order(1, created=at(-9), updated=at(3)), order(2, created=at(-9), updated=at(3)))

        self.assertEqual(self.backfilled(), [])

    def test_is_not_what_was_told_without_saying_in_which_state_or_that_it_was_deleted(self) -> None:
        self.arrive({"id": 1, "name": "#1"}, "orders/updated", received=at(1))
        self.arrive({"id": 2}, "orders/delete", received=at(2))

        self.ask(order(1, created=at(1), updated=at(3)), order(2, created=at(1), updated=at(3)))

        self.assertEqual(self.backfilled(), [])

    def test_is_not_what_came_to_be_so_lately_that_its_webhook_may_come_yet(self) -> None:
        self.ask(order(1, created=UNTIL + timedelta(minutes=1), updated=UNTIL + timedelta(minutes=1)))
        self.assertEqual(self.backfilled(), [])

        row = Backfill.objects.create(
            endpoint=self.endpoint, connection=make_connection(), source=BOTH, lookback_minutes=600
        )
        now = timezone.now()
        run = backfilling.order(row, by=make_user("operator"), now=now)
        self.assertEqual((now - run.until, run.until - run.since), (timedelta(hours=30), timedelta(hours=10)))

    def test_is_only_of_the_topics_that_are_named(self) -> None:
        new, changed = order(1, created=at(1), updated=at(2)), order(2, created=at(-9), updated=at(2))
        self.ask(new, changed, settings={"topics": ["orders/create"]})

        self.assertEqual(self.backfilled(), [("orders/create", "#1")])

    def test_is_of_products_and_customers_too_from_every_page(self) -> None:
        def made(kind: str, count: int) -> list[dict[str, Any]]:
            rows = (order(number, created=at(1), updated=at(1)) for number in range(1, count + 1))
            return [{**row, "admin_graphql_api_id": f"gid://shopify/{kind}/{row['id']}"} for row in rows]

        server = Shopify(products=made("Product", 5), customers=made("Customer", 1))
        pages = self.pages(server, {"topics": ["products/create", "customers/update"]})

        self.assertEqual((pages[-1].stored, len(pages)), (6, 4))
        self.assertEqual(Event.objects.filter(event_type="products/create").count(), 5)
        asked = [(path.rpartition("/")[2], "page_info" in params) for path, params in server.asked]
        self.assertEqual(
            asked, [("products.json", False)] + [("products.json", True)] * 2 + [("customers.json", False)]
        )

    def test_goes_on_where_the_rate_limit_stopped_it(self) -> None:
        server = Shopify(orders=[order(number, created=at(1), updated=at(1)) for number in range(1, 6)])
        server.failing["page-0"] = 429
        seen: list[Progress] = []
        with serving(server, header="X-Shopify-Access-Token", credentials=TOKEN) as api:
            steps = backfill(self.endpoint, histories["shopify"], api, BOTH, since=SINCE, until=UNTIL)
            with self.assertRaises(TooManyRequests):
                seen.extend(steps)
        server.failing.clear()
        last = self.pages(server, start=seen[-1])[-1]

        self.assertEqual((seen[-1].stored, last.stored, last.known), (2, 5, 5))


class WhatIsBackfilled(ShopifyCase):
    def test_is_marked_and_has_a_name_of_its_own_that_is_always_the_same(self) -> None:
        self.ask(order(1, created=at(1), updated=at(2)), order(2, created=at(-9), updated=at(3)))

        names = set(Event.objects.values_list("event_id", flat=True))
        state = at(3).astimezone(UTC).isoformat()
        self.assertEqual(
            names, {"orders/create:gid://shopify/Order/1", f"orders/updated:gid://shopify/Order/2:{state}"}
        )
        self.assertEqual(Event.objects.filter(verdict="backfilled").count(), 2)

    def test_is_stored_once_however_often_it_is_asked_for(self) -> None:
        orders = [order(1, created=at(1), updated=at(2)), order(2, created=at(-9), updated=at(3))]
        self.ask(*orders)
        again = self.ask(*orders)

        self.assertEqual((again.known, again.missing, Event.objects.count()), (3, 0, 2))

    def test_is_the_same_as_a_webhook_that_comes_later_than_any_should(self) -> None:
        self.ask(order(1, created=at(1), updated=at(2)), order(2, created=at(-9), updated=at(3)))
        late = [
            self.arrive(order(1, created=at(1), updated=at(1)), "orders/create"),
            self.arrive(order(2, created=at(-9), updated=at(3)), "orders/updated"),
        ]

        self.assertEqual([one.is_duplicate for one in late], [True, True])
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (2, 2))
        self.assertEqual(list(Event.objects.values_list("duplicates", flat=True)), [1, 1])

    def test_is_not_the_same_as_what_tells_of_something_else(self) -> None:
        self.ask(order(1, created=at(1), updated=at(2)))
        for topic, updated in (("orders/paid", at(2)), ("orders/updated", at(1.5))):
            accepted = self.arrive(order(1, created=at(1), updated=updated), topic)
            self.assertFalse(accepted.is_duplicate, topic)

    def test_takes_nothing_from_webhooks_of_one_topic_and_state(self) -> None:
        """Without a backfill two webhooks with ids of their own are two events, whatever they tell."""
        payload = order(1, created=at(1), updated=at(1))
        self.assertFalse(self.arrive(payload, "orders/updated").is_duplicate)
        self.assertFalse(self.arrive(payload, "orders/updated").is_duplicate)


class NothingIsAskedFor(ShopifyCase):
    def refused(self, **values: Any) -> str:
        type(self.endpoint).objects.update(**values)
        self.endpoint.refresh_from_db()
        with self.assertRaises(NotBackfilled) as caught:
            self.ask(order(1, created=at(1), updated=at(1)))
        self.assertEqual(self.backfilled(), [])
        return str(caught.exception)

    def test_where_events_do_not_say_what_they_are_about(self) -> None:
        self.arrive({"name": "#1"}, "orders/updated", received=at(1))

        self.assertIn("do not say what they are about", self.refused())

    def test_where_too_much_arrived_to_look_through(self) -> None:
        for number in range(3):
            self.arrive(order(number, created=at(1), updated=at(1)), "orders/create", received=at(1))
        with mock.patch("deliveries.told.MOST_EVENTS", 2):
            self.assertIn("ask about a shorter time", self.refused())

    def test_where_the_endpoint_dedupes_by_something_else(self) -> None:
        self.assertIn("dedupe by id", self.refused(dedupe="body"))
        self.assertIn("dedupe by id", self.refused(dedupe="id", settings={"event_id": "body:id"}))

    def test_without_topics(self) -> None:
        with self.assertRaises(ValidationError):
            Backfill(endpoint=self.endpoint, connection=make_connection()).full_clean()

    @mock.patch.dict("os.environ", {"HUB_SECRET_SHOP": TOKEN})
    def test_about_what_may_come_yet(self) -> None:
        options = ["--token", "env:HUB_SECRET_SHOP", "--source", json.dumps(BOTH)]
        with self.assertRaisesMessage(CommandError, "older than 30 hours"):
            call_command("backfill", "shop", "--since", "2h", "--base-url", "https://shop.example", *options)
        with self.assertRaisesMessage(CommandError, "https://SHOP.myshopify.com"):
            call_command("backfill", "shop", "--since", "3d", *options)
