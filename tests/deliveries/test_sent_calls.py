"""What was sent to outside systems is on record with the attempt, for those who may see it."""

from __future__ import annotations

import json
from typing import Any

import httpx
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import SimpleTestCase, TestCase
from django.urls import reverse
from django.utils import timezone

from deliveries.execution.journal import CALLS_BYTES, MOST_CALLS, AttemptJournal
from deliveries.models import Attempt, Delivery
from integrations.connectors.proving import prove
from integrations.connectors.sent import KEPT_BYTES, noted, record
from integrations.connectors.spec import ConnectionSpec
from integrations.encryption import decrypt
from integrations.identifiers import uuid7
from integrations.masking import MASK
from tests.deliveries.admin.people import logged_in
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.execution.drains import DrainTestCase, delivery_to
from tests.factories import make_delivery, make_endpoint, make_event, make_route

URL = "https://crm.example.com/contacts"
NOW = timezone.now()


def recorded(spec: ConnectionSpec | None = None, **request: Any) -> dict[str, Any]:
    given = {"headers": {}, "content": b"{}", "url": URL, **request}
    made = httpx.Request("POST", **given)
    proven = made if spec is None else prove(httpx.Request("POST", **given), spec, now=NOW, token="t0ken-of-oauth")
    return record(made, proven, spec)


class RecordTests(SimpleTestCase):
    def test_has_method_address_headers_and_body(self) -> None:
        call = recorded(headers={"X-A": "1"}, content=b'{"a": 1}')

        self.assertEqual((call["method"], call["url"], call["headers"]["x-a"]), ("POST", URL, "1"))
        self.assertEqual((call["body"], call["body_bytes"], call["body_is_whole"]), ('{"a": 1}', 8, True))
        self.assertNotIn("host", call["headers"])

    def test_masks_whatever_the_proof_has_put_on(self) -> None:
        secret = "s3cret-value"
        proofs: list[tuple[str, dict[str, Any], dict[str, str]]] = [
            ("basic", {}, {"username": "ada", "password": secret}),
            ("bearer", {}, {"token": secret}),
            ("header", {"name": "X-Plain"}, {"value": secret}),
            ("query", {"name": "q"}, {"value": secret}),
            ("oauth2_client_credentials", {}, {"client_id": "a", "client_secret": secret}),
            ("standard_webhooks", {}, {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}),
        ]
        for auth, settings, credentials in proofs:
            with self.subTest(auth):
                spec = ConnectionSpec("crm", URL, auth=auth, auth_settings=settings, credentials=credentials)
                text = json.dumps(recorded(spec), ensure_ascii=False)

                self.assertIn(MASK, text)
                for value in (*spec.secrets, "t0ken-of-oauth"):
                    self.assertNotIn(value, text)

    def test_hides_the_whole_of_an_address_that_is_the_secret(self) -> None:
        spec = ConnectionSpec(
            "chat", "https://hooks.example.com", auth="address",
            credentials={"url": "https://hooks.example.com/services/T0/B0/sEcret"},
        )  # fmt: skip
        self.assertEqual(recorded(spec, url="https://hooks.example.com")["url"], f"https://hooks.example.com/{MASK}")

    def test_masks_credentials_by_the_names_of_fields_and_parameters(self) -> None:
        form = {"content": b"a=1&api_key=abc", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}

        self.assertEqual(recorded(url=f"{URL}?page=1&access_token=abc")["url"], f"{URL}?page=1&access_token={MASK}")
        self.assertEqual(recorded(**form)["body"], f"a=1&api_key={MASK}")
        nested = recorded(content=b'{"login": {"password": "abc"}, "n": [1]}')
        self.assertEqual(json.loads(nested["body"]), {"login": {"password": MASK}, "n": [1]})
        self.assertEqual(recorded(headers={"Cookie": "a=b"})["headers"]["cookie"], MASK)

    def test_is_bounded_and_keeps_what_is_no_text_as_base64(self) -> None:
        long = recorded(content=b"x" * (KEPT_BYTES + 1))

        self.assertEqual((len(long["body"]), long["body_bytes"]), (KEPT_BYTES, KEPT_BYTES + 1))
        self.assertFalse(long["body_is_whole"])
        self.assertEqual(
            (recorded(content=b"\xff")["body"], recorded(content=b"\xff")["body_encoding"]), ("/w==", "base64")
        )

    def test_is_made_also_of_a_call_without_an_answer(self) -> None:
        kept: list[Any] = []
        request = httpx.Request("GET", URL)

        with self.assertRaises(KeyboardInterrupt), noted(kept.append, request, request, None):
            raise KeyboardInterrupt

        self.assertEqual((kept[0]["error"], kept[0]["url"]), ("KeyboardInterrupt", URL))


class JournalTests(SimpleTestCase):
    def kept(self, journal: AttemptJournal) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(decrypt(journal.calls.encode()))
        return found

    def test_keeps_calls_encrypted_and_bounded(self) -> None:
        journal = AttemptJournal(uuid7(), 1)
        self.assertEqual(journal.calls, "")

        for _ in range(MOST_CALLS + 5):
            journal.sent({"method": "GET", "url": URL, "body": "x" * KEPT_BYTES})

        calls = self.kept(journal)
        self.assertEqual((len(calls), calls[-1]["note"]), (MOST_CALLS + 1, "further calls were not kept"))
        self.assertEqual((calls[-2]["url"], calls[-2]["body"], calls[-2]["body_is_whole"]), (URL, "", False))
        self.assertLess(len(json.dumps(calls)), CALLS_BYTES + 8 * 1024)


class RunTests(DrainTestCase):
    def test_keeps_what_a_handler_sent_encrypted_in_the_row(self) -> None:
        delivery = delivery_to("http.forward", config={"url": "http://127.0.0.1:9/in"}, retry={"max_attempts": 1})

        self.work()

        attempt = self.attempt(delivery)
        (call,) = attempt.calls
        self.assertEqual((call["method"], call["url"]), ("POST", "http://127.0.0.1:9/in"))
        self.assertIn("error", call)  # such an address is refused
        with connection.cursor() as cursor:
            cursor.execute("SELECT calls FROM deliveries_attempt")
            self.assertNotIn("127.0.0.1", str(cursor.fetchone()[0]))


def delivery_with_a_call(*, provider: str = "generic_none", body: bytes = b"{}", **endpoint: Any) -> Delivery:
    row = make_endpoint(provider=provider, **endpoint)
    route = make_route(row, handler="http.forward", config={"url": URL})
    event = make_event(row, body=body)
    delivery = make_delivery(route, event=event, status="succeeded", finished_at=NOW, attempt_count=1)
    call = {**recorded(content=body), "status": 201, "at": NOW.isoformat()}
    Attempt.objects.create(
        delivery=delivery, number=1, trigger="first", started_at=NOW, finished_at=NOW, outcome="succeeded", calls=[call]
    )
    return delivery


class CallsOverTheApi(ApiTestCase):
    def shown(self, delivery: Delivery, *, client: Any = None) -> Any:
        return (client or self.client).get(f"{API}/deliveries/{delivery.pk}/").json()["attempts"][0]["calls"]

    def test_have_their_bodies_as_values(self) -> None:
        (call,) = self.shown(delivery_with_a_call(body=b'{"order": 7}'))

        self.assertEqual((call["url"], call["body"], call["status"]), (URL, {"order": 7}, 201))

    def test_are_hidden_where_the_payload_is(self) -> None:
        self.assertIsNone(self.shown(delivery_with_a_call(sensitive=True)))
        user = make_user("sam")
        user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
        self.assertIsNone(self.shown(delivery_with_a_call(), client=client_of(user)))

    def test_mask_the_providers_credentials(self) -> None:
        proof = {"token": "t" * 50, "timestamp": "1", "signature": "f" * 64}
        body = json.dumps({"signature": proof, "event-data": {"id": 9}}).encode()

        shown = json.dumps(self.shown(delivery_with_a_call(provider="mailgun", body=body)))

        self.assertIn('"event-data": {"id": 9}', shown)
        self.assertNotIn("f" * 64, shown)


class DeliveryPageTests(TestCase):
    def page(self, delivery: Delivery, role: str = "administrator") -> str:
        url = reverse("admin:deliveries_delivery_change", args=[delivery.pk])
        return logged_in(role).get(url).content.decode()

    def test_shows_what_was_sent_and_what_was_answered(self) -> None:
        page = self.page(delivery_with_a_call(body=b'{"order": 7}'))

        self.assertIn(f"POST {URL}", page)
        self.assertIn("answered 201", page)
        self.assertIn("Headers as sent", page)

    def test_says_that_it_is_hidden(self) -> None:
        page = self.page(delivery_with_a_call(sensitive=True))

        self.assertNotIn(URL, page)
        self.assertIn("What was sent is hidden", page)
