"""Refused requests that pass today: as a verb, through the API, and in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client, TestCase, override_settings
from django.utils import timezone

from deliveries.models import AuditEntry, Delivery, Event, Rejection
from deliveries.reverify import NotReverified, obstacle, reverify, reverify_all
from integrations.models import Endpoint, Secret
from integrations.providers import providers
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.deliveries.api.cases import make_user as make_api_user
from tests.deliveries.receiving.cases import Sender, signature, signed_endpoint
from tests.factories import make_endpoint, make_route
from tests.integrations.requests import make_request

LIST = "/admin/deliveries/rejection/"
RIGHT = "the secret that is set at the provider"


class Refused(Sender, TestCase):
    """Sends requests under a secret that the endpoint learns only later."""

    endpoint: Endpoint

    def setUp(self) -> None:
        super().setUp()
        self.endpoint = signed_endpoint()

    def refused(self, body: bytes = b'{"type": "paid"}', *, event_id: str = "e-1", **kwargs: Any) -> Rejection:
        response = self.send(self.endpoint, body, **{"secret": RIGHT, **kwargs, "event_id": event_id})
        self.assertIn(response.status_code, range(400, 500))
        return Rejection.objects.get(request_id=response["X-Request-ID"])

    def mend(self) -> Secret:
        return Secret.objects.create(endpoint=self.endpoint, value=RIGHT, label="right")


class ReverifyTests(Refused):
    def setUp(self) -> None:
        super().setUp()
        self.user = make_user("operator")

    def test_makes_the_event_with_its_deliveries_as_if_it_had_passed_on_arrival(self) -> None:
        route = make_route(self.endpoint)
        rejection = self.refused(headers={"X-Custom": "here"}, query="?a=b&token=s3")
        Rejection.objects.update(received_at=timezone.now() - timedelta(days=2))
        rejection.refresh_from_db()
        secret = self.mend()

        accepted = reverify(rejection, by=self.user)

        event = Event.objects.get()
        self.assertEqual((accepted.event_id, accepted.deliveries, accepted.is_duplicate), (event.pk, 1, False))
        self.assertEqual((event.verdict, event.event_id, event.event_type), ("reverified", "e-1", "paid"))
        self.assertEqual(event.body, b'{"type": "paid"}')
        self.assertEqual((event.received_at, event.request_id), (rejection.received_at, rejection.request_id))
        self.assertEqual(event.original_headers["X-Custom"], "here")
        self.assertEqual(event.original_query_string, "a=b&token=s3")
        delivery = Delivery.objects.get()
        self.assertEqual((delivery.route, delivery.status), (route, "pending"))
        self.assertLess(timezone.now() - delivery.due_at, timedelta(minutes=1))
        secret.refresh_from_db()
        self.assertEqual(secret.last_used_at, rejection.received_at)

    def test_notes_the_event_and_who_asked(self) -> None:
        rejection = self.refused()
        self.mend()

        accepted = reverify(rejection, by=self.user)

        rejection.refresh_from_db()
        self.assertEqual(rejection.detail["event"], str(accepted.event_id))
        entry = AuditEntry.objects.changes().get()
        self.assertEqual((entry.user, entry.message), (self.user, f"Reverified: event {accepted.event_id}."))

    def test_leaves_what_still_fails_as_it_is(self) -> None:
        rejection = self.refused()

        with self.assertRaisesRegex(NotReverified, "still fails .signature_mismatch"):
            reverify(rejection, by=self.user)

        self.assertFalse(Event.objects.exists())
        self.assertFalse(AuditEntry.objects.changes().exists())

    def test_judges_timestamps_at_the_original_arrival(self) -> None:
        signed_at = int(timezone.now().timestamp()) - 290  # within the tolerance then, and not any more later
        places = {"template": "{timestamp}.{body}", "timestamp_header": "X-Time"}
        self.endpoint = signed_endpoint(settings=places)
        proof = {"X-Time": str(signed_at), "X-Signature": signature(f"{signed_at}.{{}}".encode(), RIGHT)}
        self.refused(b"{}", secret="", headers=proof)
        self.mend()
        rejection = Rejection.objects.get()

        later = timezone.now() + timedelta(days=1)
        self.assertFalse(reverify(rejection, by=self.user, now=later).is_duplicate)

    def test_counts_what_the_provider_has_sent_again_meanwhile(self) -> None:
        rejection = self.refused()
        self.mend()
        self.assertEqual(self.send(self.endpoint, b'{"type": "paid"}', event_id="e-1", secret=RIGHT).status_code, 200)

        accepted = reverify(rejection, by=self.user)

        event = Event.objects.get()
        self.assertEqual((accepted.is_duplicate, accepted.event_id, event.duplicates), (True, event.pk, 1))

    def test_makes_one_event_of_one_rejection(self) -> None:
        rejection = self.refused()
        self.mend()
        reverify(rejection, by=self.user)
        stale = Rejection.objects.get()
        stale.detail = {}

        with self.assertRaisesRegex(NotReverified, "became the event"):
            reverify(Rejection.objects.get(), by=self.user)
        with self.assertRaisesRegex(NotReverified, "became the event"):
            reverify(stale, by=self.user)

        self.assertEqual(Event.objects.get().duplicates, 0)

    def test_holds_the_deliveries_of_a_paused_endpoint(self) -> None:
        make_route(self.endpoint)
        rejection = self.refused()
        self.mend()
        Endpoint.objects.update(state="paused")
        rejection.refresh_from_db()

        reverify(Rejection.objects.get(), by=self.user)

        self.assertEqual(Delivery.objects.get().status, "held")

    def test_calls_unproven_what_an_endpoint_without_proof_takes(self) -> None:
        rejection = self.refused()
        Endpoint.objects.update(provider="generic_none", settings={})

        reverify(Rejection.objects.get(pk=rejection.pk), by=self.user)

        self.assertEqual(Event.objects.get().verdict, "unverified")

    def test_takes_in_what_was_over_the_rate(self) -> None:
        self.endpoint = signed_endpoint(rate_per_second=0.001)
        self.mend()
        self.assertEqual(self.send(self.endpoint, secret=RIGHT, event_id="first").status_code, 200)
        rejection = self.refused(event_id="second")
        self.assertEqual(rejection.reason, "endpoint_rate_limited")

        self.assertFalse(reverify(rejection, by=self.user).is_duplicate)

    def test_goes_on_after_one_that_fails(self) -> None:
        self.refused(event_id="1"), self.refused(event_id="2", secret="another"), self.refused(event_id="3")
        self.mend()

        outcome = reverify_all(Rejection.objects.order_by("received_at"), by=self.user)

        self.assertEqual((len(outcome.accepted), len(outcome.duplicates), len(outcome.refused)), (2, 0, 1))
        self.assertEqual(sorted(Event.objects.values_list("event_id", flat=True)), ["1", "3"])


class NotReverifiableTests(Refused):
    def why(self, rejection: Rejection) -> str:
        self.mend()
        with self.assertRaises(NotReverified) as failure:
            reverify(Rejection.objects.get(pk=rejection.pk), by=make_user("operator"))
        self.assertFalse(Event.objects.exists())
        return str(failure.exception)

    @override_settings(HUB_REJECTION_BODY_BYTES=4)
    def test_is_a_body_that_was_not_kept(self) -> None:
        self.assertIn("body was not kept", self.why(self.refused()))

    def test_is_a_request_whose_headers_were_not_all_kept(self) -> None:
        many = {f"X-Many-{number}": "x" * 8000 for number in range(9)}

        self.assertIn("headers were not kept", self.why(self.refused(headers=many)))

    def test_is_what_came_from_outside_the_networks(self) -> None:
        self.endpoint = signed_endpoint(allowed_networks=["192.0.2.0/24"])

        self.assertIn("body was not kept", self.why(self.refused()))

    def test_is_a_request_of_an_endpoint_that_is_switched_off(self) -> None:
        rejection = self.refused()
        Endpoint.objects.update(state="disabled")

        self.assertIn("switched off", self.why(rejection))

    def test_is_a_compressed_body(self) -> None:
        self.assertIn("compressed", self.why(self.refused(headers={"Content-Encoding": "gzip"})))

    def test_is_a_type_that_the_endpoint_does_not_take(self) -> None:
        self.endpoint = signed_endpoint(content_types=["application/json"])

        self.assertIn("media type", self.why(self.refused(content_type="text/plain")))

    def test_is_a_forged_event_with_a_token_that_was_used(self) -> None:
        """What tells it is the memory of the process that refused it, which does not last."""
        self.endpoint = make_endpoint(provider="mailgun", secret=RIGHT)
        now = timezone.now()
        preset = providers["mailgun"]
        signed = preset.scheme_for({}).sign(make_request(preset.example("", "e-1", {}).body), RIGHT, now=now)
        rejection = Rejection.objects.create(
            endpoint=self.endpoint,
            reason="token_used",
            received_at=now,
            raw_body=signed.body,
            headers={"Content-Type": "application/json"},
        )

        self.assertIn("one-time token", self.why(rejection))

    def test_is_a_handshake(self) -> None:
        self.endpoint = make_endpoint(provider="meta", secret=RIGHT, settings={"verify_token": "right"})
        response = self.client.get(
            f"/hooks/{self.endpoint.slug}?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1"
        )
        self.assertEqual(response.status_code, 401)

        self.assertIn("events come by POST", obstacle(Rejection.objects.get()))

    def test_is_what_is_no_json_today_either(self) -> None:
        self.mend()
        rejection = self.refused(b"{")
        self.assertEqual(rejection.reason, "json_invalid")

        self.assertIn("json_invalid", self.why(rejection))


class TheApiTests(Refused, ApiTestCase):
    def order(self, pk: Any, client: Any = None) -> Any:
        return (client or self.client).post(f"{API}/rejections/{pk}/reverify/")

    def test_answers_with_the_event(self) -> None:
        make_route(self.endpoint)
        rejection = self.refused()
        self.mend()

        response = self.order(rejection.pk)

        event = Event.objects.get()
        self.assertEqual(response.status_code, 201)
        self.assertEqual(response.json(), {"status": "accepted", "event": str(event.pk), "deliveries": 1})
        self.assertEqual(self.logged(), [f"API: Reverified: event {event.pk}."])
        self.assert_error(self.order(rejection.pk), 409, "conflict")

    def test_says_why_it_cannot(self) -> None:
        rejection = self.refused()

        answer = self.assert_error(self.order(rejection.pk), 409, "conflict")

        self.assertIn("signature_mismatch", answer["detail"])
        self.assertEqual(self.order(uuid4()).status_code, 404)

    def test_is_for_operators(self) -> None:
        rejection = self.refused()
        self.mend()

        self.assertEqual(self.order(rejection.pk, client_of(make_api_user("eve", role="viewer"))).status_code, 403)
        self.assertEqual(self.order(rejection.pk, client_of(make_api_user("olga", role="operator"))).status_code, 201)

    def test_says_in_the_detail_whether_it_can(self) -> None:
        rejection = self.refused()
        address = f"{API}/rejections/{rejection.pk}/"
        self.assertIsNone(self.client.get(address).json()["not_reverifiable_because"])
        self.mend()
        self.order(rejection.pk)

        self.assertIn("became the event", self.client.get(address).json()["not_reverifiable_because"])


class TheAdminTests(Refused):
    def order(self, client: Client, row: Rejection, **fields: str) -> Any:
        return client.post(f"{LIST}{row.pk}/reverify/", fields)

    def test_asks_and_then_makes_the_event(self) -> None:
        row = self.refused()
        self.mend()
        client = logged_in("operator")
        self.assertContains(client.get(f"{LIST}{row.pk}/change/"), f"{LIST}{row.pk}/reverify/")

        question = self.order(client, row)
        self.assertContains(question, "Reverify: 1 of 1 request")
        self.assertFalse(Event.objects.exists())
        answer = self.order(client, row, confirmed="yes")

        self.assertRedirects(answer, f"{LIST}{row.pk}/change/")
        page = client.get(f"{LIST}{row.pk}/change/")
        self.assertContains(page, f"/admin/deliveries/event/{Event.objects.get().pk}/change/")
        self.assertNotContains(page, "/reverify/")
        self.assertEqual(AuditEntry.objects.changes().count(), 1)

    def test_takes_no_order_from_a_viewer_or_by_a_link(self) -> None:
        row = self.refused()
        self.mend()

        self.assertEqual(self.order(logged_in("viewer"), row, confirmed="yes").status_code, 403)
        self.assertEqual(logged_in("operator").get(f"{LIST}{row.pk}/reverify/?confirmed=yes").status_code, 405)
        self.assertNotContains(logged_in("viewer").get(f"{LIST}{row.pk}/change/"), "/reverify/")
        self.assertFalse(Event.objects.exists())

    def test_reverifies_the_selected_and_says_what_stays(self) -> None:
        rows = [self.refused(event_id="1"), self.refused(event_id="2"), self.refused(event_id="3", secret="another")]
        self.mend()
        client = logged_in("operator")
        fields = {"action": "reverify", "_selected_action": [str(row.pk) for row in (rows[0], rows[2])]}

        self.assertContains(client.post(LIST, fields), "Reverify: 2 of 2 requests")
        client.post(LIST, {**fields, "confirmed": "yes"})
        page = client.get(LIST)

        self.assertContains(page, "1 request is an event now.")
        self.assertContains(page, "1 stays refused.")
        self.assertEqual(Event.objects.get().event_id, "1")
