"""``/events/``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models import Batch, Event
from deliveries.models.sealing import MASK, sealed_columns
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender
from tests.factories import make_delivery, make_endpoint, make_event, make_route

URL = f"{API}/events/"


class EventTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders", provider="github")

    def find(self, **parameters: object) -> list[str]:
        response = self.client.get(URL, parameters)
        self.assertEqual(response.status_code, 200, response.content)
        return [item["event_type"] for item in response.json()["results"]]

    def test_name_the_event_that_they_were_made_from(self) -> None:
        cause = make_event(self.endpoint)
        event = make_event(self.endpoint, derived_from=cause)

        self.assertEqual(self.client.get(f"{URL}{event.pk}/").json()["derived_from"], str(cause.pk))
        self.assertIsNone(self.client.get(f"{URL}{cause.pk}/").json()["derived_from"])

    def test_show_every_field_of_the_contract(self) -> None:
        event = make_event(self.endpoint, body=b'{"action": "published"}', event_type="release.published")
        delivery = make_delivery(make_route(self.endpoint, name="note it"), event=event)

        item = self.client.get(f"{URL}{event.pk}/").json()

        self.assertEqual(
            set(item),
            {
                "id", "endpoint", "provider", "verdict", "flags", "event_id", "event_type", "received_at",
                "request_id", "trace_id", "source", "content_type", "body_bytes", "duplicates", "payload",
                "payload_omitted", "batch", "batch_index", "derived_from", "requested_by", "headers", "query_string",
                "deliveries", "body_removed_at", "headers_removed_at", "erased_at", "legal_hold",
            },
        )  # fmt: skip
        self.assertEqual((item["id"], item["endpoint"], item["provider"]), (str(event.pk), "orders", "github"))
        self.assertEqual(item["payload"], {"action": "published"})
        self.assertEqual(
            item["deliveries"],
            [
                {
                    "id": str(delivery.pk),
                    "route": str(delivery.route_id),
                    "route_name": "note it",
                    "handler": "log",
                    "status": "pending",
                    "attempt_count": 0,
                }
            ],
        )
        self.assertEqual(datetime.fromisoformat(item["received_at"]), event.received_at)
        self.assertTrue(item["received_at"].endswith("Z"))

    def test_are_listed_like_their_detail_while_they_are_small(self) -> None:
        event = make_event(self.endpoint, body=b'{"action": "published"}')

        (listed,) = self.client.get(URL).json()["results"]

        self.assertEqual(listed, self.client.get(f"{URL}{event.pk}/").json())

    def test_are_listed_without_payloads_that_are_large_and_never_load_them(self) -> None:
        body = b'{"text": "%s"}' % (b"x" * 64 * 1024)
        event = make_event(self.endpoint, body=body)

        with CaptureQueriesContext(
            connection,
        ) as queries:
            (listed,) = self.client.get(URL).json()["results"]

        self.assertEqual((listed["payload"], listed["payload_omitted"]), (None, True))
        self.assertEqual(listed["body_bytes"], len(body))
        reads = [query["sql"] for query in queries if "deliveries_event" in query["sql"]]
        self.assertFalse([sql for sql in reads if '"deliveries_event"."raw_body",' in sql])
        detail = self.client.get(f"{URL}{event.pk}/").json()
        self.assertEqual((detail["payload"]["text"][:3], detail["payload_omitted"]), ("xxx", False))

    def test_are_listed_without_payloads_of_sensitive_endpoints(self) -> None:
        columns = sealed_columns(
            headers={},
            query_string="",
            body=b'{"iban": "DE02"}',
            content_type="application/json",
            secret_headers=(),
            secret_parameters=(),
            encrypt_body=True,
        )
        event = make_event(make_endpoint(sensitive=True), **columns)

        (listed,) = self.client.get(URL).json()["results"]

        self.assertEqual((listed["payload"], listed["payload_omitted"]), (None, True))
        detail = self.client.get(f"{URL}{event.pk}/").json()
        self.assertEqual((detail["payload"], detail["payload_omitted"]), (None, True))

    def test_take_the_same_number_of_queries_for_any_number(self) -> None:
        for route in [make_route(self.endpoint), make_route(make_endpoint())]:
            for _ in range(2):
                make_delivery(route)

        # token, permissions (2), restrictions, events, deliveries with routes
        with self.assertNumQueries(6):
            self.assertEqual(len(self.client.get(URL).json()["results"]), 4)

    def test_mask_credentials_in_headers_and_payload(self) -> None:
        body = b'{"token": "old-verification-token", "event": {"type": "message"}}'
        columns = sealed_columns(
            headers={"X-Slack-Signature": "v0=abc", "Cookie": "session=secret", "Accept": "*/*"},
            query_string="",
            body=body,
            content_type="application/json",
            secret_headers={"x-slack-signature"},
            secret_parameters=(),
            encrypt_body=True,
        )
        event = make_event(make_endpoint(provider="slack"), **columns)

        for item in (self.client.get(f"{URL}{event.pk}/").json(), self.client.get(URL).json()["results"][0]):
            self.assertEqual(item["headers"], {"X-Slack-Signature": MASK, "Cookie": MASK, "Accept": "*/*"})
            self.assertEqual(item["payload"]["token"], MASK)
            self.assertEqual(item["payload"]["event"], {"type": "message"})

    def test_show_a_payload_that_has_no_utf8_form(self) -> None:
        event = make_event(self.endpoint, body=b'{"text": "\\ud800 \\u0000"}')

        response = self.client.get(f"{URL}{event.pk}/")

        self.assertEqual(response.json()["payload"], {"text": "\ufffd \x00"})

    def test_show_null_for_what_is_opaque(self) -> None:
        event = make_event(self.endpoint, body=b"\x89PNG", content_type="image/png")

        self.assertIsNone(self.client.get(f"{URL}{event.pk}/").json()["payload"])

    def test_are_found_by_each_filter(self) -> None:
        day = datetime(2026, 11, 22, 10, tzinfo=UTC)
        other = make_endpoint(slug="sales", provider="stripe")
        make_event(self.endpoint, event_type="push", event_id="evt_a", received_at=day, request_id="req-77")
        make_event(other, event_type="charge", event_id="evt_b", received_at=day + timedelta(hours=1))
        make_event(other, event_type="refund", verdict="internal", received_at=day + timedelta(hours=2))

        self.assertEqual(self.find(endpoint="orders"), ["push"])
        self.assertEqual(self.find(provider="stripe"), ["refund", "charge"])
        self.assertEqual(self.find(event_type="charge"), ["charge"])
        self.assertEqual(self.find(event_id="evt_a"), ["push"])
        self.assertEqual(self.find(verdict="internal"), ["refund"])
        self.assertEqual(self.find(verdict=["internal", "verified"]), ["refund", "charge", "push"])
        self.assertEqual(self.find(received_after="2026-11-22T11:00:00Z"), ["refund", "charge"])
        self.assertEqual(self.find(received_before="2026-11-22T11:00:00Z"), ["push"])
        self.assertEqual(self.find(received_after="2026-11-22T12:30:00+01:00"), ["refund"])
        self.assertEqual(self.find(received_after="2026-11-22T11:30:00"), ["refund"])
        self.assertEqual(self.find(received_after="2026-11-23"), [])
        self.assertEqual(self.find(search="VT_B"), ["charge"])
        self.assertEqual(self.find(search="req-77"), ["push"])
        self.assertEqual(self.find(search="evt%"), [])
        self.assertEqual(self.find(endpoint="nowhere"), [])

    def test_are_found_by_their_own_id(self) -> None:
        event = make_event(self.endpoint, event_type="push")
        make_event(self.endpoint, event_type="other")

        self.assertEqual(self.find(search=str(event.pk)), ["push"])


class EventBodyTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(provider="github")

    def test_is_the_raw_bytes_as_a_file_that_no_browser_opens(self) -> None:
        body = b"<script>alert(1)</script>\x00\xff"
        event = make_event(self.endpoint, body=body, content_type="text/html")

        response = self.client.get(f"{URL}{event.pk}/body/")

        self.assertEqual((response.status_code, response.content), (200, body))
        self.assertEqual(response["Content-Type"], "application/octet-stream")
        self.assertEqual(response["Content-Disposition"], f'attachment; filename="event-{event.pk}.bin"')
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")
        self.assertIn("sandbox", response["Content-Security-Policy"])

    def test_is_sent_whatever_the_client_says_it_accepts(self) -> None:
        event = make_event(self.endpoint, body=b"abc")

        response = self.client.get(f"{URL}{event.pk}/body/", headers={"Accept": "application/octet-stream"})

        self.assertEqual((response.status_code, response.content), (200, b"abc"))

    def test_is_not_found_where_it_was_not_kept(self) -> None:
        event = make_event(self.endpoint, raw_body=None)

        self.assert_error(self.client.get(f"{URL}{event.pk}/body/"), 404, "not_found")

    def test_with_credentials_in_it_is_for_those_who_may_set_them(self) -> None:
        body = b'{"token": "old-verification-token"}'
        event = make_event(make_endpoint(provider="slack"), body=body)
        operator = client_of(make_user("olga", role="operator"))

        self.assert_error(operator.get(f"{URL}{event.pk}/body/"), 403, "permission_denied")
        self.assertEqual(self.client.get(f"{URL}{event.pk}/body/").content, body)

    def test_without_credentials_is_for_every_viewer(self) -> None:
        event = make_event(make_endpoint(provider="slack"), body=b'{"type": "event_callback"}')
        viewer = client_of(make_user("vera", role="viewer"))

        self.assertEqual(viewer.get(f"{URL}{event.pk}/body/").status_code, 200)


class BatchedEventTests(WithBatches, Sender, ApiTestCase):
    def stored(self, *parts: dict[str, object]) -> tuple[bytes, list[Event]]:
        body = json.dumps({"events": parts}).encode()
        response = self.send(splitting(), body)
        self.assertEqual(response.status_code, 200, response.content)
        return body, list(Event.objects.order_by("batch_index"))

    def test_show_the_item_and_where_it_came_from(self) -> None:
        _, events = self.stored(*items(1, 2))

        shown = [self.client.get(f"{URL}{event.pk}/").json() for event in events]

        self.assertEqual([item["payload"] for item in shown], items(1, 2))
        self.assertEqual([item["batch_index"] for item in shown], [0, 1])
        self.assertEqual({item["batch"] for item in shown}, {str(Batch.objects.get().pk)})

    def test_have_the_whole_request_as_their_body(self) -> None:
        body, events = self.stored(*items(1, 2))

        for event in events:
            self.assertEqual(self.client.get(f"{URL}{event.pk}/body/").content, body)

    def test_keep_the_credentials_of_the_whole_from_who_may_not_set_them(self) -> None:
        body, (plain, secret) = self.stored({"id": "1"}, {"id": "2", "secret": "s3cr3t"})
        operator = client_of(make_user("olga", role="operator"))

        for event in (plain, secret):
            self.assertNotIn(b"s3cr3t", operator.get(f"{URL}{event.pk}/").content)
            self.assert_error(operator.get(f"{URL}{event.pk}/body/"), 403, "permission_denied")
        self.assertNotIn(b"s3cr3t", operator.get(URL).content)
        self.assertEqual(self.client.get(f"{URL}{plain.pk}/body/").content, body)

    def test_are_listed_in_the_same_number_of_queries_for_any_number(self) -> None:
        self.stored(*items(1))
        with CaptureQueriesContext(connection) as few:
            self.client.get(URL)
        self.stored(*items(2, 3, 4, 5))
        with CaptureQueriesContext(connection) as many:
            self.client.get(URL)

        self.assertEqual(len(few), len(many))


class EventHistoryTests(ApiTestCase):
    def test_cannot_be_written(self) -> None:
        event = make_event(make_endpoint(), received_at=timezone.now())

        for method in ("post", "put", "patch", "delete"):
            for url in (URL, f"{URL}{event.pk}/"):
                with self.subTest(method=method, url=url):
                    self.assertIn(getattr(self.client, method)(url).status_code, {403, 405})
