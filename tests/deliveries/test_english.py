"""What programs read is English, whatever language the hub speaks to people: answers, logs, what commands print."""

from __future__ import annotations

import io

import pytest
import structlog
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries import edited_replay, self_check
from deliveries.execution import runner
from deliveries.models import Event, Rejection, Schedule
from deliveries.schedules.firing import Scheduler
from integrations.models import Endpoint
from tests.compiled_messages import LANGUAGE, MadeUpLanguage
from tests.deliveries.api.cases import API, client_of, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route


@pytest.mark.any_database
class EnglishTests(MadeUpLanguage, TestCase):
    def setUp(self) -> None:
        self.enterContext(override_settings(LOCALE_PATHS=[self.folder], LANGUAGE_CODE=LANGUAGE))
        self.client = client_of(make_user("ada", role="administrator"))
        self.endpoint = make_endpoint(slug="orders", provider="github")
        self.event = make_event(self.endpoint, body=b'{"a": 1}', content_type="application/json")

    def test_is_not_what_pages_say(self) -> None:
        """Otherwise the others here prove nothing."""
        with self.assertRaisesMessage(edited_replay.WrongPayload, "⟦The payload has not been changed"):
            edited_replay.prepared(self.event, {"a": 1})

    def test_is_what_the_api_answers_to_an_order(self) -> None:
        answer = self.client.post(f"{API}/events/{self.event.pk}/replay/", {"payload": {"a": 1}}, format="json")

        self.assertEqual(answer.status_code, 400, answer.content)
        self.assertIn("The payload has not been changed; a replay runs it again as it is.", answer.content.decode())
        self.assertNotIn("⟦", answer.content.decode())

    def test_is_what_the_api_explains(self) -> None:
        row = Rejection.objects.create(
            endpoint=self.endpoint, reason="too_large", received_at=timezone.now(), headers={}, raw_body=None
        )

        item = self.client.get(f"{API}/rejections/{row.pk}/").json()

        self.assertEqual(
            (item["explanation"], item["not_reverifiable_because"]),
            (
                "The body, sent without an announced length, went over the endpoint's limit.",
                "Its body was not kept (not read, or larger than HUB_REJECTION_BODY_BYTES).",
            ),
        )

    def test_is_what_the_api_says_of_a_form(self) -> None:
        answer = self.client.post(
            f"{API}/endpoints/", {"slug": "a", "name": "A", "provider": "github", "content_types": ["x"]}, format="json"
        ).json()

        self.assertEqual(answer["fields"]["content_types"], ["'x' is not a media type such as application/json."])

    def test_is_what_a_command_prints(self) -> None:
        with self.assertRaisesMessage(CommandError, "Look for at least 3 characters."):
            call_command("erase", "--value", "a", stdout=io.StringIO())

    @override_settings(HUB_SELF_CHECK_SECONDS=60)
    def test_is_what_the_log_says(self) -> None:
        self_check.ensure_endpoint().secrets.all().delete()

        with structlog.testing.capture_logs() as lines:
            self_check.send(timezone.now())

        self.assertEqual([line["reason"] for line in lines], ["The endpoint has no live secret."])

    def test_is_what_the_log_says_of_a_schedule(self) -> None:
        endpoint = make_endpoint(slug="signed", provider="github", secret="swordfish")
        Schedule.objects.create(name="nightly", endpoint=endpoint, interval_seconds=60, next_at=timezone.now())
        lost = override_settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()])

        with lost, self.assertLogs("deliveries.schedules.firing") as logged:
            Scheduler().step(timezone.now())

        [record] = logged.records
        assert record.exc_info
        self.assertEqual(str(record.exc_info[1]), "The endpoint cannot be used now.")

    def test_is_what_an_attempt_keeps(self) -> None:
        Event.objects.update(raw_body=None, body_removed_at=timezone.now())
        delivery = make_delivery(make_route(Endpoint.objects.get()), event=Event.objects.get())

        with self.assertRaisesMessage(runner.BodyRemoved, "Its body was removed on "):
            runner._fetch_body(delivery.event)
