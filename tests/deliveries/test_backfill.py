"""What a provider sent and the hub never stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import TestCase, TransactionTestCase

from deliveries.backfill import NotBackfilled, Progress, backfill
from deliveries.models import Delivery, Event, Verdict
from deliveries.receiving import endpoints, ingest
from integrations.contracts import InboundRequest, case_insensitive
from integrations.history import AccessRefused, NotAnswered, TooManyRequests, histories
from integrations.models import EndpointState
from tests.deliveries.api.at_once import at_once
from tests.factories import make_endpoint, make_event, make_route
from tests.integrations.history import TOKEN, GitHub, Stripe, serving

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOOK = {"repository": "octo-org/hello", "hook": 42}
#: The newest first; the last is before the window.
GUIDS = [
    ("guid-4", "2026-11-27T11:50:00Z"),
    ("guid-3", "2026-11-27T11:40:00Z"),
    ("guid-2", "2026-11-27T11:30:00Z"),
    ("guid-1", "2026-11-27T10:30:00Z"),
    ("guid-0", "2026-11-27T09:00:00Z"),
]


class BackfillCase(TestCase):
    provider = "github"

    def setUp(self) -> None:
        self.endpoint = make_endpoint(provider=self.provider, secret="s3cret")
        self.route = make_route(self.endpoint)

    def pages(self, api: Any, settings: Any = HOOK, **options: Any) -> list[Progress]:
        window = {"since": NOON - timedelta(hours=2), "until": NOON}
        return list(backfill(self.endpoint, histories[self.provider], api, settings, **window, **options))

    def stored_ids(self) -> list[str]:
        return list(Event.objects.order_by("received_at", "pk").values_list("event_id", flat=True))


class GitHubTests(BackfillCase):
    def known(self, guid: str, **values: Any) -> Event:
        return make_event(self.endpoint, **{"event_id": guid, "dedupe_key": f"id:{guid}", **values})

    def test_stores_what_never_arrived_with_its_deliveries(self) -> None:
        self.known("guid-3")
        with serving(GitHub(GUIDS)) as api:
            progress = self.pages(api)[-1]

        expected = {"asked": 4, "known": 1, "missing": 3, "stored": 3, "failed": 0}
        self.assertEqual(progress.as_json(), expected)
        self.assertEqual(set(self.stored_ids()), {"guid-1", "guid-2", "guid-3", "guid-4"})
        event = Event.objects.get(event_id="guid-2")
        self.assertEqual((event.verdict, event.event_type), ("backfilled", "issues.opened"))
        self.assertEqual(event.payload["issue"]["title"], "Größe")
        self.assertEqual(Delivery.objects.filter(event=event, status="pending").count(), 1)

    def test_keeps_no_signature_of_bytes_that_it_does_not_have(self) -> None:
        with serving(GitHub(GUIDS[:1])) as api:
            self.pages(api)

        names = {name.lower() for name in Event.objects.get().original_headers}
        self.assertNotIn("x-hub-signature-256", names)
        self.assertIn("x-github-delivery", names)

    def test_fetches_no_body_of_what_is_known(self) -> None:
        self.known("guid-4")
        server = GitHub(GUIDS[:1])
        with serving(server) as api:
            self.pages(api)

        self.assertEqual(server.asked, ["/repos/octo-org/hello/hooks/42/deliveries"])

    def test_knows_by_the_id_what_is_deduplicated_by_its_body(self) -> None:
        self.endpoint.dedupe = "body"
        self.endpoint.save()
        self.known("guid-4", dedupe_key="body:00")
        with serving(GitHub(GUIDS[:1])) as api:
            self.assertEqual(self.pages(api)[-1].known, 1)

    def test_takes_redeliveries_of_one_event_for_one(self) -> None:
        with serving(GitHub([GUIDS[0], ("guid-4", "2026-11-27T11:45:00Z")])) as api:
            self.pages(api)

        self.assertEqual(self.stored_ids(), ["guid-4"])

    def test_stores_nothing_in_a_dry_run(self) -> None:
        with serving(GitHub(GUIDS)) as api:
            progress = self.pages(api, dry_run=True)[-1]

        self.assertEqual((progress.missing, progress.stored, Event.objects.count()), (4, 0, 0))

    def test_stores_nothing_twice_when_it_runs_again(self) -> None:
        for _ in range(2):
            with serving(GitHub(GUIDS)) as api:
                progress = self.pages(api)[-1]

        self.assertEqual((progress.known, progress.stored), (4, 0))
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (4, 4))

    def test_goes_on_where_the_provider_stopped_answering(self) -> None:
        server = GitHub(GUIDS)
        server.failing["v2"] = 500
        seen: list[Progress] = []
        with serving(server) as api:
            with self.assertRaises(NotAnswered):
                seen.extend(self.steps(api))
            server.failing.clear()
            server.asked.clear()
            last = self.pages(api, start=seen[-1])[-1]

        self.assertEqual((seen[-1].stored, last.stored), (2, 4))
        self.assertEqual(len(server.asked), 2 + 2)  # two pages (the second reaches the end), two bodies

    def steps(self, api: Any) -> Any:
        window = {"since": NOON - timedelta(hours=2), "until": NOON}
        return backfill(self.endpoint, histories["github"], api, HOOK, **window)

    def test_leaves_out_what_the_provider_has_lost(self) -> None:
        server = GitHub(GUIDS[:3])
        server.failing["999"] = 404
        with serving(server) as api:
            progress = self.pages(api)[-1]

        self.assertEqual((progress.stored, progress.failed), (2, 1))

    def test_names_refused_credentials_without_showing_them(self) -> None:
        with serving(GitHub(GUIDS)) as api:
            api.headers["Authorization"] = f"Bearer {TOKEN}-old"
            with self.assertRaises(AccessRefused) as caught:
                self.pages(api)

        self.assertNotIn(TOKEN, str(caught.exception))

    def test_stops_where_the_provider_asks_for_a_pause(self) -> None:
        server = GitHub(GUIDS)
        server.failing[""] = 429
        with serving(server) as api, self.assertRaises(TooManyRequests):
            self.pages(api)

    def test_tells_a_rate_limit_from_refused_credentials(self) -> None:
        server = GitHub(GUIDS)
        server.failing[""] = 403
        for headers in ({"X-RateLimit-Remaining": "0"}, {"Retry-After": "60"}):
            server.failing_headers = headers
            with self.subTest(headers), serving(server) as api, self.assertRaises(TooManyRequests):
                self.pages(api)

    def test_begins_anew_when_it_was_killed_within_a_page(self) -> None:
        class Killed:
            def get(self, url: str, *, params: Any) -> Any:
                if url.endswith("/1000"):  # the newest, which is stored last
                    raise SystemExit
                return client.get(url, params=params)

        with serving(GitHub(GUIDS, page=10)) as client:
            with self.assertRaises(SystemExit):
                self.pages(Killed())
            self.assertEqual(Event.objects.count(), 3)
            progress = self.pages(client)[-1]

        self.assertEqual((progress.known, progress.stored), (3, 1))
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (4, 4))

    def test_holds_the_deliveries_of_a_paused_endpoint(self) -> None:
        self.endpoint.state = EndpointState.PAUSED
        self.endpoint.save()
        with serving(GitHub(GUIDS[:1])) as api:
            self.pages(api)

        self.assertEqual(Delivery.objects.get().status, "held")

    def test_stores_nothing_at_a_disabled_endpoint(self) -> None:
        self.endpoint.state = EndpointState.DISABLED
        self.endpoint.save()
        with serving(GitHub(GUIDS[:1])) as api, self.assertRaises(NotBackfilled):
            self.pages(api)

    def test_counts_as_known_what_arrives_while_it_is_fetched(self) -> None:
        server = GitHub(GUIDS[:1])
        endpoint = self.endpoint

        class Meanwhile:
            def get(self, url: str, *, params: Any) -> Any:
                if url.endswith("/1000"):
                    arrive(endpoint, "guid-4")
                return client.get(url, params=params)

        with serving(server) as client:
            progress = self.pages(Meanwhile())[-1]

        self.assertEqual((progress.known, progress.missing, progress.stored), (1, 0, 0))
        event = Event.objects.get()
        self.assertEqual((event.verdict, event.duplicates, event.flags), ("verified", 0, []))
        self.assertEqual(Delivery.objects.count(), 1)

    def test_takes_the_webhook_that_comes_late_for_the_same_event(self) -> None:
        with serving(GitHub(GUIDS[:1])) as api:
            self.pages(api)
        arrive(self.endpoint, "guid-4")

        event = Event.objects.get()
        self.assertEqual((event.verdict, event.duplicates, event.flags), ("backfilled", 1, []))
        self.assertEqual(event.variants.count(), 1)
        self.assertEqual(Delivery.objects.count(), 1)


def arrive(endpoint: Any, guid: str) -> None:
    """Store a webhook, as the receiving path does once it is proven; its bytes are not those of the API."""
    body = b'{ "action": "opened" }'
    headers = {"X-GitHub-Delivery": guid, "X-GitHub-Event": "issues", "Content-Type": "application/json"}
    request = InboundRequest("POST", "", "", case_insensitive(headers), body, NOON)
    ingest.accept(endpoints.live(endpoint), request, json.loads(body), verdict=Verdict.VERIFIED)


class BackfillsAtTheSameMoment(TransactionTestCase):
    def test_store_each_event_once_beside_the_webhooks_themselves(self) -> None:
        endpoint = make_endpoint(provider="github", secret="s3cret")
        make_route(endpoint)
        guids = [f"guid-{number}" for number in range(1, 5)]

        def act(number: int) -> Progress | None:
            if number % 2:
                for guid in guids:
                    arrive(endpoint, guid)
                return None
            window = {"since": NOON - timedelta(hours=2), "until": NOON}
            return list(backfill(endpoint, histories["github"], api, HOOK, **window))[-1]

        with serving(GitHub(GUIDS)) as api:
            ends = [end for end in at_once(6, act) if end]

        self.assertEqual(sorted(Event.objects.values_list("event_id", flat=True)), guids)
        self.assertEqual(Delivery.objects.count(), 4)
        # The webhooks that came as duplicates are counted, the backfills' own finds are not.
        arrived = Event.objects.filter(verdict="verified").count()
        counted = sum(Event.objects.values_list("duplicates", flat=True))
        self.assertEqual(counted + arrived, 3 * 4)
        self.assertEqual(sum(end.stored for end in ends), 4 - arrived)
        self.assertEqual([(end.known + end.stored, end.failed) for end in ends], [(4, 0)] * 3)


class StripeTests(BackfillCase):
    provider = "stripe"

    def test_stores_what_never_arrived_from_every_page(self) -> None:
        stamp = int(NOON.timestamp())
        server = Stripe([(f"evt_{n}", stamp - 600 * n) for n in range(14)])
        make_event(self.endpoint, event_id="evt_3", dedupe_key="id:evt_3")
        with serving(server) as api:
            pages = self.pages(api, {"types": ["payment_intent.succeeded"]})

        expected = {"asked": 13, "known": 1, "missing": 12, "stored": 12, "failed": 0}
        self.assertEqual(pages[-1].as_json(), expected)
        self.assertEqual(len(pages), 7)
        self.assertEqual(server.asked[0]["types[0]"], "payment_intent.succeeded")
        event = Event.objects.get(event_id="evt_5")
        self.assertEqual((event.verdict, event.event_type), ("backfilled", "payment_intent.succeeded"))
