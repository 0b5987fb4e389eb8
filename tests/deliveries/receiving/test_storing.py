from __future__ import annotations

import json
from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from deliveries import hold
from deliveries.models import Delivery, DeliveryStatus, Event
from deliveries.models.sealing import MASK
from deliveries.receiving.samples import send_sample
from integrations.models import Endpoint, Route
from tests.deliveries.receiving.cases import SECRET, Sender, signature, signed_endpoint
from tests.factories import make_endpoint, make_route


class AStoredEvent(Sender, TestCase):
    def stored(self, endpoint: Endpoint | None = None, body: bytes = b"{}", **kwargs) -> Event:
        response = self.send(endpoint or signed_endpoint(), body, **kwargs)
        self.assertEqual(response.status_code, 200, response.content)
        return Event.objects.get(pk=response.json()["event"])

    def test_has_the_raw_body_byte_for_byte(self) -> None:
        body = b'{ "a" :\t1,\r\n "b": "\\u0000", "a": 2 }\n'

        self.assertEqual(self.stored(body=body).body, body)

    def test_has_the_headers_the_source_and_the_verdict(self) -> None:
        before = timezone.now()

        event = self.stored(headers={"X-Custom": "value, other"}, REMOTE_ADDR="192.0.2.9")

        self.assertEqual(event.headers["X-Custom"], "value, other")
        self.assertEqual((event.source, event.verdict, event.provider), ("192.0.2.9", "verified", "generic_hmac"))
        self.assertLess(event.received_at - before, timedelta(seconds=10))

    def test_has_the_providers_id_and_type(self) -> None:
        event = self.stored(body=b'{"type": "order.paid"}', event_id="evt-7")

        self.assertEqual((event.event_id, event.event_type), ("evt-7", "order.paid"))

    def test_is_unverified_where_the_provider_proves_nothing(self) -> None:
        endpoint = make_endpoint(provider="generic_none")

        self.assertEqual(self.stored(endpoint, secret="").verdict, "unverified")

    def test_has_the_proof_and_other_credentials_only_encrypted(self) -> None:
        proof = signature(b"{}")

        event = self.stored(
            headers={"Authorization": "Bearer abc123", "Cookie": "session=xyz789"}, query="?a=1&access_token=qrs456"
        )

        shown = json.dumps([event.headers, event.query_string])
        for secret in (proof, "abc123", "xyz789", "qrs456"):
            self.assertNotIn(secret, shown)
        self.assertEqual(event.headers["Authorization"], MASK)
        self.assertEqual(event.query_string, f"?a=1&access_token={MASK}"[1:])
        with connection.cursor() as cursor:
            cursor.execute("SELECT headers, query_string, sealed FROM deliveries_event")
            row = str(cursor.fetchone())
        for secret in (proof, "abc123", "xyz789", "qrs456"):
            self.assertNotIn(secret, row)
        self.assertEqual(event.original_headers["X-Signature"], proof)
        self.assertEqual(event.original_headers["authorization"], "Bearer abc123")
        self.assertEqual(event.original_query_string, "a=1&access_token=qrs456")

    def test_has_what_is_a_credential_by_its_name_only_encrypted(self) -> None:
        secret = ["X-Auth", "X-Auth-Key", "X-Access-Key", "X-Private-Key", "X-Key", "Apikey", "X-Session", "X-Pwd"]
        secret += ["X-Jwt-Assertion", "X-Hub-Signature-256", "Authorisation"]
        plain = ["X-Author", "Idempotency-Key", "X-Monkey", "X-Design", "X-Keyboard"]
        parameters = ["key", "sig", "signature", "auth", "pwd", "session", "api.key", "jwt"]

        event = self.stored(
            headers=dict.fromkeys([*secret, *plain], "abc123"), query="?" + "&".join(f"{n}=abc123" for n in parameters)
        )

        self.assertEqual({name for name in secret if event.headers[name] != MASK}, set())
        self.assertEqual({name for name in plain if event.headers[name] == MASK}, set())
        self.assertNotIn("abc123", event.query_string)

    def test_has_a_token_in_the_query_only_encrypted(self) -> None:
        endpoint = make_endpoint(
            provider="generic_token", secret="s3cr3t", settings={"placement": "query", "header": "pass"}
        )

        event = self.stored(endpoint, secret="", query="?a=%20&pass=s3cr3t")

        self.assertEqual(event.query_string, f"a=%20&pass={MASK}")
        self.assertEqual(event.original_query_string, "a=%20&pass=s3cr3t")

    def test_of_a_sensitive_endpoint_has_its_body_encrypted(self) -> None:
        event = self.stored(signed_endpoint(sensitive=True), b'{"iban": "DE02120300000000202051"}')

        self.assertNotIn(b"DE02", bytes(event.raw_body))
        self.assertEqual(event.body, b'{"iban": "DE02120300000000202051"}')
        self.assertEqual(event.body_bytes, 34)

    def test_shows_its_payload_without_the_providers_credentials_in_it(self) -> None:
        endpoint = make_endpoint(provider="slack", secret=SECRET)
        payload = {"token": "xoxb-7", "type": "event_callback", "event": {"type": "message", "text": "xoxb-7"}}

        send_sample(endpoint, payload=payload)

        event = Event.objects.get()
        self.assertEqual(event.payload, payload)
        self.assertEqual(event.shown_payload["token"], MASK)
        self.assertNotIn("xoxb-7", json.dumps(event.shown_payload))
        self.assertNotIn(b"xoxb-7", bytes(event.raw_body))

    def test_has_the_fields_of_a_form_as_its_payload(self) -> None:
        event = self.stored(body=b"a=1&b=2&b=3&c=", content_type="application/x-www-form-urlencoded; charset=utf-8")

        self.assertEqual(event.payload, {"a": "1", "b": ["2", "3"], "c": ""})

    def test_has_the_json_of_the_forms_field_as_its_payload(self) -> None:
        endpoint = make_endpoint(provider="github", secret=SECRET)
        body = b"payload=%7B%22action%22%3A%22opened%22%7D"
        headers = {"X-Hub-Signature-256": f"sha256={signature(body)}", "X-GitHub-Event": "issues"}

        event = self.stored(
            endpoint, body, content_type="application/x-www-form-urlencoded", headers=headers, secret=""
        )

        self.assertEqual((event.payload, event.event_type), ({"action": "opened"}, "issues.opened"))

    def test_has_no_payload_where_the_body_is_opaque(self) -> None:
        event = self.stored(body=b"\x00\xff<xml/>", content_type="application/xml")

        self.assertIsNone(event.payload)
        self.assertEqual(event.body, b"\x00\xff<xml/>")

    def test_with_an_empty_body_is_an_event_too(self) -> None:
        event = self.stored(body=b"")

        self.assertEqual((event.body, event.payload, event.body_bytes), (b"", None, 0))


class ADelivery(Sender, TestCase):
    def test_is_made_for_every_route_that_matches(self) -> None:
        endpoint = signed_endpoint()
        for_all = make_route(endpoint)
        by_glob = make_route(endpoint, events=["order.*"])
        by_filter = make_route(endpoint, filter="total > `10`")
        make_route(endpoint, events=["refund"])
        make_route(endpoint, filter="total > `100`")
        make_route(endpoint, enabled=False)
        make_route(signed_endpoint())

        response = self.send(endpoint, {"type": "order.paid", "total": 50})

        self.assertEqual(response.json()["deliveries"], 3)
        routes = set(Delivery.objects.values_list("route", flat=True))
        self.assertEqual(routes, {for_all.pk, by_glob.pk, by_filter.pk})

    def test_is_pending_and_due_at_once(self) -> None:
        make_route(endpoint := signed_endpoint())

        self.send(endpoint)

        delivery = Delivery.objects.get()
        self.assertEqual(delivery.status, DeliveryStatus.PENDING)
        self.assertEqual(delivery.endpoint_id, endpoint.pk)
        self.assertLessEqual(delivery.due_at, timezone.now())

    def test_is_held_where_the_endpoint_is_paused(self) -> None:
        make_route(endpoint := signed_endpoint(state="paused"))

        response = self.send(endpoint)

        self.assertEqual((response.status_code, response.json()["deliveries"]), (200, 1))
        self.assertEqual(Delivery.objects.get().status, DeliveryStatus.HELD)

    def test_is_held_where_its_route_is_paused(self) -> None:
        endpoint = signed_endpoint()
        paused, running = make_route(endpoint, paused=True), make_route(endpoint)

        self.send(endpoint)

        self.assertEqual(Delivery.objects.get(route=paused).status, DeliveryStatus.HELD)
        self.assertEqual(Delivery.objects.get(route=running).status, DeliveryStatus.PENDING)

    def test_is_not_held_any_more_though_the_pause_is_still_cached(self) -> None:
        endpoint = signed_endpoint(state="paused")
        route = make_route(endpoint, paused=True)
        self.send(endpoint, event_id="1")
        # What another process does: no signal reaches this one's cache.
        Endpoint.objects.filter(pk=endpoint.pk).update(state="active")
        Route.objects.filter(pk=route.pk).update(paused=False)

        self.send(endpoint, event_id="2")

        self.assertEqual(Delivery.objects.get(event__event_id="2").status, DeliveryStatus.PENDING)

    def test_goes_on_once_the_pause_is_over(self) -> None:
        from django.contrib.auth import get_user_model

        operator = get_user_model()._default_manager.create(username="operator")
        make_route(endpoint := signed_endpoint(state="paused"))
        self.send(endpoint)

        hold.resume_endpoint(endpoint, by=operator)

        self.assertEqual(Delivery.objects.get().status, DeliveryStatus.PENDING)


class TheHotPath(Sender, TestCase):
    def statements(self, endpoint: Endpoint, **kwargs) -> list[str]:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            self.send(endpoint, **kwargs)
        verbs = (query["sql"].split()[0] for query in captured)
        return [verb for verb in verbs if verb not in {"SAVEPOINT", "RELEASE", "ROLLBACK"}]

    def warm(self, dedupe: str = "id") -> Endpoint:
        endpoint = signed_endpoint(dedupe=dedupe)
        make_route(endpoint), make_route(endpoint)
        self.send(endpoint, event_id="warm", body=b'{"warm": 1}')
        return endpoint

    @property
    def accept(self) -> list[str]:
        return ["WITH"] if connection.vendor == "postgresql" else ["INSERT", "INSERT"]

    def test_takes_the_same_with_a_look_for_the_body_where_the_id_is_not_signed(self) -> None:
        endpoint = self.warm()

        self.assertEqual(self.statements(endpoint, event_id="1"), self.accept)

    def test_takes_the_same_where_the_key_is_the_body(self) -> None:
        self.assertEqual(self.statements(self.warm(dedupe="body"), body=b"[]"), self.accept)
        self.assertEqual(self.statements(self.warm(), body=b"[]"), self.accept)  # the id is missing

    def test_takes_no_more_than_a_look_and_an_update_beside_it_for_a_repeated_event(self) -> None:
        endpoint = self.warm()
        self.send(endpoint, event_id="1")

        statements = self.statements(endpoint, event_id="1")

        one_by_one = ["INSERT", "SELECT", "UPDATE"]
        self.assertEqual(statements, self.accept if connection.vendor == "postgresql" else one_by_one)

    def test_takes_three_reads_to_load_an_endpoint(self) -> None:
        from deliveries.receiving import endpoints

        endpoint = self.warm(dedupe="body")
        endpoints.forget()

        statements = self.statements(endpoint, body=b"[]")

        self.assertEqual(statements, ["SELECT", "SELECT", "SELECT", *self.accept])
