"""Secrets that the provider delivers itself: taken once, in a wait, and live only when an operator says so."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from unittest import mock

from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpResponse
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries import waiting
from deliveries.models import Event, Rejection
from integrations.models import AwaitedSecret, Endpoint, Secret
from integrations.models.awaited_secret import WAIT
from tests.factories import make_endpoint

TOKEN = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"
HOOK_SECRET = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"


class DeliveryTestCase(TestCase):
    def post(self, endpoint: Endpoint, body: object = None, **headers: str) -> HttpResponse:
        raw = b"" if body is None else json.dumps(body).encode()
        return self.client.generic("POST", f"/hooks/{endpoint.slug}", raw, "application/json", headers=headers)

    def deliver(self, endpoint: Endpoint, secret: str = HOOK_SECRET) -> HttpResponse:
        return self.post(endpoint, **{"X-Hook-Secret": secret})

    def signed(self, endpoint: Endpoint, secret: str, body: object) -> HttpResponse:
        digest = hmac.new(secret.encode(), json.dumps(body).encode(), hashlib.sha256).hexdigest()
        return self.post(endpoint, body, **{"X-Hook-Signature": digest})


class AnAsanaEndpointTests(DeliveryTestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(provider="asana")

    def test_takes_no_secret_unless_it_waits(self) -> None:
        response = self.deliver(self.endpoint)

        self.assertEqual(response.status_code, 401)
        self.assertNotIn("X-Hook-Secret", response.headers)
        self.assertFalse(Secret.objects.exists())
        self.assertNotIn(HOOK_SECRET, json.dumps(Rejection.objects.get().headers))

    def test_writes_nothing_unless_it_waits(self) -> None:
        endpoint = make_endpoint(provider="asana")
        now = timezone.now()
        with CaptureQueriesContext(connection) as queries:
            self.assertFalse(AwaitedSecret.objects.take(endpoint, HOOK_SECRET, source="192.0.2.1", now=now))

        self.assertEqual([query["sql"].split()[0] for query in queries], ["SELECT"])

    def test_echoes_the_secret_while_it_waits_and_keeps_it_pending(self) -> None:
        waiting.start(self.endpoint, by="ada")

        response = self.deliver(self.endpoint)

        self.assertEqual((response.status_code, response.content), (200, b""))
        self.assertEqual(response.headers["X-Hook-Secret"], HOOK_SECRET)
        found = waiting.awaited(self.endpoint, now=timezone.now())
        self.assertEqual((found.state, found.source, found.value), ("pending", "127.0.0.1", ""))
        self.assertFalse(Secret.objects.exists())
        self.assertFalse(Event.objects.exists())

    def test_proves_nothing_with_a_secret_that_nobody_confirmed(self) -> None:
        waiting.start(self.endpoint, by="ada")
        self.deliver(self.endpoint)
        body = {"events": [{"action": "changed", "resource": {"gid": "1", "resource_type": "task"}}]}

        self.assertEqual(self.signed(self.endpoint, HOOK_SECRET, body).status_code, 401)
        waiting.confirm(self.endpoint)
        self.assertEqual(self.signed(self.endpoint, HOOK_SECRET, body).status_code, 200)

        self.assertEqual(Event.objects.get().event_type, "task.changed")
        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now()).state, "none")

    def test_takes_only_the_first(self) -> None:
        waiting.start(self.endpoint, by="ada")
        self.deliver(self.endpoint)

        second = self.deliver(self.endpoint, "another-secret-of-a-stranger")
        waiting.confirm(self.endpoint)
        third = self.deliver(self.endpoint, "another-secret-of-a-stranger")

        self.assertEqual((second.status_code, third.status_code), (401, 401))
        self.assertEqual([secret.value for secret in Secret.objects.all()], [HOOK_SECRET])

    def test_waits_fifteen_minutes(self) -> None:
        self.assertEqual(WAIT, timedelta(minutes=15))
        waiting.start(self.endpoint, by="ada")
        later = timezone.now() + WAIT

        with mock.patch("django.utils.timezone.now", return_value=later):
            self.assertEqual(self.deliver(self.endpoint).status_code, 401)
            self.assertEqual(waiting.awaited(self.endpoint, now=later).state, "none")

    def test_echoes_only_what_is_a_secret(self) -> None:
        waiting.start(self.endpoint, by="ada")
        for secret in ("", "short", "x" * 201, "with a space in it, and long", "<script>alert(1)</script>", "é" * 20):
            with self.subTest(secret=secret[:10]):
                self.assertEqual(self.deliver(self.endpoint, secret).status_code, 401)
        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now()).state, "waiting")

    def test_waits_beside_secrets_that_are_live(self) -> None:
        Secret.objects.create(endpoint=self.endpoint, value="the first webhook's secret")
        waiting.start(self.endpoint, by="ada")

        self.assertEqual(self.deliver(self.endpoint).status_code, 200)
        waiting.confirm(self.endpoint)

        self.assertEqual(self.endpoint.secrets.live(timezone.now()).count(), 2)

    def test_answers_a_heartbeat_without_an_event(self) -> None:
        Secret.objects.create(endpoint=self.endpoint, value=HOOK_SECRET)

        self.assertEqual(self.signed(self.endpoint, HOOK_SECRET, {"events": []}).status_code, 200)
        self.assertEqual(self.signed(self.endpoint, "wrong", {"events": []}).status_code, 401)
        self.assertFalse(Event.objects.exists())


class ANotionEndpointTests(DeliveryTestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(provider="notion")

    def test_takes_the_token_from_the_body_and_shows_it_until_it_is_confirmed(self) -> None:
        waiting.start(self.endpoint, by="ada")

        response = self.post(self.endpoint, {"verification_token": TOKEN})

        self.assertEqual(response.status_code, 200)
        self.assertNotIn(TOKEN, response.content.decode())
        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now()).value, TOKEN)
        waiting.confirm(self.endpoint)
        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now()).value, "")
        self.assertEqual(Secret.objects.get().value, TOKEN)

    def test_takes_none_unless_it_waits(self) -> None:
        self.assertEqual(self.post(self.endpoint, {"verification_token": TOKEN}).status_code, 401)

    def test_takes_no_other_body(self) -> None:
        waiting.start(self.endpoint, by="ada")
        for body in (None, [], {}, {"verification_token": 5}, {"verification_token": "short"}, "text"):
            with self.subTest(body=body):
                self.assertEqual(self.post(self.endpoint, body).status_code, 401)


class AWaitTests(DeliveryTestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(provider="asana")

    def test_is_refused_where_the_provider_delivers_nothing(self) -> None:
        with self.assertRaises(waiting.WaitRefused):
            waiting.start(make_endpoint(provider="github"), by="ada")

    def test_starts_anew_and_drops_what_nobody_confirmed(self) -> None:
        waiting.start(self.endpoint, by="ada")
        self.deliver(self.endpoint)
        waiting.start(self.endpoint, by="grace")

        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now()).state, "waiting")
        self.assertEqual(AwaitedSecret.objects.get().started_by, "grace")
        with self.assertRaises(waiting.WaitRefused):
            waiting.confirm(self.endpoint)

    def test_stores_the_secret_encrypted(self) -> None:
        waiting.start(self.endpoint, by="ada")
        self.deliver(self.endpoint)

        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM integrations_awaitedsecret")
            self.assertNotIn(HOOK_SECRET, cursor.fetchone()[0])

    def test_makes_one_secret_of_two_confirmations(self) -> None:
        waiting.start(self.endpoint, by="ada")
        self.deliver(self.endpoint)
        row = AwaitedSecret.objects.get()
        row.confirm(now=timezone.now())

        with self.assertRaises(ValidationError):
            row.confirm(now=timezone.now())
        self.assertEqual(Secret.objects.count(), 1)

    def test_forgets_in_a_week_what_nobody_confirmed(self) -> None:
        waiting.start(self.endpoint, by="ada")
        self.deliver(self.endpoint)

        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now() + timedelta(days=8)).state, "none")
