"""What is kept of a test event whose proof is the secret itself."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from django.test import TestCase

from deliveries.models import Event, Rejection
from deliveries.receiving import endpoints
from deliveries.receiving.samples import send_sample
from integrations.models import Endpoint
from tests.factories import make_endpoint

SECRET = "s3cret-of-the-provider-9f3a"
BASIC = f"hooks:{SECRET}"
BASIC_ENCODED = "aG9va3M6czNjcmV0LW9mLXRoZS1wcm92aWRlci05ZjNh"
#: Provider, settings and secret, for each place in which a secret is shown.
PLACES: list[tuple[str, dict[str, Any], str]] = [
    ("generic_token", {}, SECRET),
    ("generic_token", {"placement": "bearer"}, SECRET),
    ("generic_token", {"placement": "query"}, SECRET),
    ("generic_bearer", {}, SECRET),
    ("generic_basic", {}, BASIC),
    ("microsoft_graph", {}, SECRET),
    ("flutterwave", {"version": "v3"}, SECRET),
    ("gitlab", {}, SECRET),
    ("mandrill", {}, SECRET),
]


def kept(row: Event | Rejection) -> str:
    """Return all that the row holds, what is encrypted included."""
    columns = {name: value for name, value in vars(row).items() if name != "raw_body"}
    return f"{columns} {dict(row.original_headers)} {row.original_query_string} {row.body!r}"


class ATestEvent(TestCase):
    def endpoint(self, provider: str, settings: dict[str, Any], secret: str, **values: Any) -> Endpoint:
        return make_endpoint(provider=provider, settings=settings, secret=secret, **values)

    def assert_secret_is_nowhere(self, row: Event | Rejection) -> None:
        found = kept(row)
        self.assertNotIn(SECRET, found)
        self.assertNotIn(BASIC_ENCODED, found)

    def test_is_stored_without_a_secret_that_it_shows(self) -> None:
        for provider, settings, secret in PLACES:
            with self.subTest(provider=provider, settings=settings):
                status, answer = send_sample(self.endpoint(provider, settings, secret))

                self.assertIn(status, range(200, 300), answer)
                self.assert_secret_is_nowhere(Event.objects.latest("id"))
                self.assertEqual(Event.objects.latest("id").verdict, "verified")

    def test_shows_the_mask_where_the_secret_was(self) -> None:
        send_sample(self.endpoint("generic_token", {}, SECRET))

        event = Event.objects.get()
        self.assertEqual(event.headers["X-Webhook-Token"], "••••••")
        self.assertEqual(event.original_headers["X-Webhook-Token"], "••••••".encode().decode("latin-1"))

    def test_gives_no_event_id_away_that_is_read_from_the_proof(self) -> None:
        send_sample(self.endpoint("generic_token", {"event_id": "header:X-Webhook-Token"}, SECRET))

        self.assert_secret_is_nowhere(Event.objects.get())

    def test_that_is_refused_is_kept_without_the_secret(self) -> None:
        for provider, settings, secret in PLACES:
            with self.subTest(provider=provider, settings=settings):
                endpoint = self.endpoint(provider, settings, secret, content_types=["text/csv"])

                self.assertEqual(send_sample(endpoint)[0], 415)
                self.assert_secret_is_nowhere(Rejection.objects.latest("id"))

    def test_that_shows_the_secret_as_its_content_type_is_refused_without_it(self) -> None:
        endpoint = self.endpoint("generic_token", {"header": "Content-Type"}, SECRET, content_types=["text/csv"])

        self.assertEqual(send_sample(endpoint)[0], 415)
        self.assert_secret_is_nowhere(Rejection.objects.get())

    def test_that_a_stale_scheme_refuses_is_kept_without_the_secret(self) -> None:
        endpoint = self.endpoint("generic_hmac", {}, SECRET)
        stale = endpoints.live(endpoint)
        Endpoint.objects.update(provider="generic_token")
        endpoint.refresh_from_db()

        with patch.object(endpoints, "at", return_value=stale):
            self.assertEqual(send_sample(endpoint)[0], 401)

        self.assert_secret_is_nowhere(Rejection.objects.get())

    def test_keeps_a_signature_which_gives_nothing_away(self) -> None:
        send_sample(self.endpoint("generic_hmac", {}, SECRET))

        event = Event.objects.get()
        self.assertNotIn("••••••", dict(event.original_headers).values())
        self.assertNotIn("â", "".join(event.original_headers.values()))
