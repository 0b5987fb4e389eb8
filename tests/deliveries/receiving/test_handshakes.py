"""Handshakes over HTTP: what is answered, with which secret, and that nothing of it becomes an event."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from deliveries.models import Event
from integrations.models import Secret
from tests.factories import make_endpoint
from tests.integrations.requests import payload

OLD, NEW = "the old secret", "the new secret"


def hexed(key: str, content: bytes) -> str:
    return hmac.new(key.encode(), content, "sha256").hexdigest()


class ComputedHandshakeTests(TestCase):
    def zoom(self, slug: str, secret: str, body: bytes) -> tuple[int, bytes]:
        now = str(int(timezone.now().timestamp()))
        headers = {
            "x-zm-request-timestamp": now,
            "x-zm-signature": f"v0={hexed(secret, b'v0:' + now.encode() + b':' + body)}",
        }
        answer = self.client.post(f"/hooks/{slug}", body, content_type="application/json", headers=headers)
        return answer.status_code, answer.content

    def test_answers_zoom_with_the_secret_that_zoom_used(self) -> None:
        endpoint = make_endpoint(provider="zoom", secret=OLD)
        Secret.objects.create(endpoint=endpoint, value=NEW)
        for secret in (OLD, NEW):
            status, content = self.zoom(endpoint.slug, secret, payload("zoom/url_validation.json"))
            expected = {
                "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
                "encryptedToken": hexed(secret, b"qgg8vlvZRS6UYooatFL8Aw"),
            }
            self.assertEqual((status, json.loads(content)), (200, expected))
        self.assertEqual(Event.objects.count(), 0)

    def test_signs_nothing_for_a_stranger(self) -> None:
        endpoint = make_endpoint(provider="zoom", secret=OLD)

        status, content = self.zoom(endpoint.slug, "a stranger's", payload("zoom/url_validation.json"))

        self.assertEqual((status, content), (401, b'{"error":"invalid_signature"}'))

    def test_answers_x_with_the_newest_secret(self) -> None:
        endpoint = make_endpoint(provider="x_twitter", secret=OLD)
        Secret.objects.create(endpoint=endpoint, value=NEW)

        answer = self.client.get(f"/hooks/{endpoint.slug}?crc_token=abc")

        digest = base64.b64encode(hmac.new(NEW.encode(), b"abc", "sha256").digest()).decode()
        self.assertEqual((answer.status_code, answer.json()), (200, {"response_token": f"sha256={digest}"}))

    def test_answers_x_with_no_secret_that_has_ended(self) -> None:
        endpoint = make_endpoint(provider="x_twitter")
        Secret.objects.create(endpoint=endpoint, value=OLD, expires_at=timezone.now() - timedelta(seconds=1))

        self.assertEqual(self.client.get(f"/hooks/{endpoint.slug}?crc_token=abc").status_code, 401)

    def test_signs_no_event_for_a_stranger(self) -> None:
        endpoint = make_endpoint(provider="x_twitter", secret=OLD)

        self.assertEqual(self.client.get(f"/hooks/{endpoint.slug}?crc_token=%7B%7D").status_code, 401)


class BareHandshakeTests(TestCase):
    def test_answers_head_with_nothing(self) -> None:
        for provider in ("trello", "intercom"):
            endpoint = make_endpoint(provider=provider, secret=OLD)
            answer = self.client.head(f"/hooks/{endpoint.slug}")
            self.assertEqual((answer.status_code, answer.content), (200, b""))
            self.assertEqual(self.client.get(f"/hooks/{endpoint.slug}").status_code, 405)

    def test_answers_lines_empty_list(self) -> None:
        endpoint = make_endpoint(provider="line", secret=OLD)
        body = b'{"destination":"x","events":[]}'
        proof = base64.b64encode(hmac.new(OLD.encode(), body, "sha256").digest()).decode()
        for header, status in ((proof, 200), ("x" + proof[1:], 401)):
            answer = self.client.post(
                f"/hooks/{endpoint.slug}", body, content_type="application/json", headers={"X-Line-Signature": header}
            )
            self.assertEqual(answer.status_code, status)
        self.assertEqual(Event.objects.count(), 0)


class ChallengeTests(TestCase):
    def test_goes_back_to_okta_in_json(self) -> None:
        endpoint = make_endpoint(provider="okta", secret=OLD)

        answer = self.client.get(f"/hooks/{endpoint.slug}", headers={"X-Okta-Verification-Challenge": "abc-1"})

        self.assertEqual((answer.status_code, answer.json()), (200, {"verification": "abc-1"}))
        self.assertEqual(self.client.get(f"/hooks/{endpoint.slug}").status_code, 405)

    def test_goes_back_to_twitch_as_text(self) -> None:
        endpoint = make_endpoint(provider="twitch", secret=OLD)
        body, now = payload("twitch/challenge.json"), timezone.now().isoformat().replace("+00:00", "Z")
        headers = {
            "Twitch-Eventsub-Message-Id": "1",
            "Twitch-Eventsub-Message-Timestamp": now,
            "Twitch-Eventsub-Message-Type": "webhook_callback_verification",
            "Twitch-Eventsub-Message-Signature": f"sha256={hexed(OLD, b'1' + now.encode() + body)}",
        }

        answer = self.client.post(f"/hooks/{endpoint.slug}", body, content_type="application/json", headers=headers)

        self.assertEqual((answer.status_code, answer.content), (200, b"pogchamp-kappa-360noscope-vohiyo"))
        self.assertEqual(answer["Content-Type"].partition(";")[0], "text/plain")
        self.assertEqual(Event.objects.count(), 0)
