"""``/events/{id}/request/``."""

from __future__ import annotations

import base64
import hmac
import json

from django.contrib.auth.models import Permission

from deliveries.models import AuditEntry, Event
from deliveries.models.sealing import MASK
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender
from tests.factories import make_endpoint, make_event

SECRET = "it's a secret to everybody"
BODY = b'{"action":  "published", "text": "\xc3\xa9"}'


def url_of(event: Event) -> str:
    return f"{API}/events/{event.pk}/request/"


class OriginalRequestTests(ApiTestCase):
    def stored(self) -> Event:
        make_endpoint(slug="gh", provider="github", secret=SECRET)
        self.signature = "sha256=" + hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()
        headers = {"X-GitHub-Event": "release", "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": self.signature}
        answer = self.client_class().post(
            "/hooks/gh?token=abc&x=1", BODY, content_type="application/json", headers=headers
        )
        self.assertEqual(answer.status_code, 200, answer.content)
        return Event.objects.get()

    def test_comes_as_it_was_received_with_its_credentials(self) -> None:
        event = self.stored()
        self.assertEqual(event.headers["X-Hub-Signature-256"], MASK)

        response = self.client.get(url_of(event))

        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(response["Cache-Control"], "no-store")
        item = response.json()
        self.assertEqual(
            set(item),
            {"id", "batch", "endpoint", "provider", "received_at", "method", "url", "query_string", "headers", "body"},
        )
        self.assertEqual(base64.b64decode(item["body"]), BODY)
        self.assertEqual(item["headers"]["X-Hub-Signature-256"], self.signature)
        self.assertEqual(item["url"], "http://testserver/hooks/gh?token=abc&x=1")
        self.assertEqual((item["id"], item["batch"], item["method"]), (str(event.pk), None, "POST"))

    def test_leaves_an_entry_in_the_log_each_time(self) -> None:
        event = self.stored()

        self.client.get(url_of(event))
        self.client.get(url_of(event))

        entry = AuditEntry.objects.latest("id")
        self.assertEqual((entry.user, entry.object_id), (self.user, str(event.pk)))
        self.assertEqual(self.logged(), ["API: read the original request, credentials included."] * 2)

    def test_is_refused_to_who_may_not_see_credentials(self) -> None:
        event = self.stored()
        for role in ("viewer", "operator"):
            with self.subTest(role=role):
                client = client_of(make_user(role, role=role))
                self.assert_error(client.get(url_of(event)), 403, "permission_denied")
        blind = make_user("blind")
        blind.user_permissions.add(Permission.objects.get(codename="change_endpoint"))
        self.assert_error(client_of(blind).get(url_of(event)), 403, "permission_denied")
        self.assertEqual(self.logged(), [])

    def test_is_missing_once_the_body_is(self) -> None:
        event = make_event(make_endpoint(), raw_body=None)

        self.assert_error(self.client.get(url_of(event)), 404, "not_found")


class OriginalBatchTests(WithBatches, Sender, ApiTestCase):
    def test_comes_whole_for_each_of_its_events(self) -> None:
        body = json.dumps(items(1, 2), indent=1).encode()
        self.send(splitting(), body)

        answers = [self.client.get(url_of(event)).json() for event in Event.objects.all()]

        self.assertEqual([base64.b64decode(answer["body"]) for answer in answers], [body, body])
        self.assertEqual(len({answer["batch"] for answer in answers} - {None}), 1)
