"""`crm.upsert_contact` by a connection, to a server on loopback that answers as HubSpot documents."""

from __future__ import annotations

import json
from typing import Any

from django.test import SimpleTestCase

from integrations.connectors.answers import AnswerNotSuccessful
from integrations.errors import GiveUp, RetryLater
from integrations.handlers.crm import preview
from tests.integrations.calling.running import run_over
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.handlers.contexts import event_of

CONFIG: dict[str, Any] = {
    "connection": "hubspot",
    "email": "{{ payload.email }}",
    "properties": {"firstname": "{{ payload.name }}", "phone": "{{ payload.phone }}", "lifecyclestage": "lead"},
}
ADA = {"email": " Ada@example.com ", "name": 'Ada "Á" King', "phone": None}


def refusal(message: str) -> dict[str, Any]:
    """Return an error as HubSpot writes one."""
    return {"status": "error", "category": "VALIDATION_ERROR", "message": message, "correlationId": "8a3f"}


class UpsertContactTests(CallingTestCase):
    def upsert(self) -> None:
        run_over(self, "crm.upsert_contact", CONFIG, event=event_of(ADA))

    def test_is_asked_for_by_email_without_empty_properties(self) -> None:
        self.system.answers(200, b'{"status": "COMPLETE", "results": [{"id": "51", "new": true, "properties": {}}]}')
        self.upsert()

        (sent,) = self.system.requests
        self.assertEqual((sent.method, sent.path), ("POST", "/crm/v3/objects/contacts/batch/upsert"))
        self.assertEqual(sent.headers["Authorization"], "Bearer swordfish-token")
        properties = {"firstname": 'Ada "Á" King', "lifecyclestage": "lead"}
        expected = {"idProperty": "email", "id": "Ada@example.com", "properties": properties}
        self.assertEqual(sent.json, {"inputs": [expected]})

    def test_gives_up_on_errors_in_a_multi_status_without_repeating_whom_they_are_about(self) -> None:
        inner = json.dumps(
            [{"isValid": False, "message": 'ada@example.com, Ada "Á" King: no.such@example.org'}], ensure_ascii=False
        )
        errors = [refusal(f"Property values were not valid: {inner}")]
        self.system.answers(
            207, json.dumps({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": errors}).encode()
        )
        with self.assertRaises(GiveUp) as caught:
            self.upsert()

        text = str(caught.exception)
        self.assertIn("(207): VALIDATION_ERROR: Property values were not valid", text)
        self.assertNotRegex(text, "(?i)ada|king|@")

    def test_gives_up_on_what_hubspot_refuses_as_a_whole(self) -> None:
        for status, body in ((400, refusal('Property "phon" does not exist')), (403, {"category": "MISSING_SCOPES"})):
            with self.subTest(status):
                self.system.answers(status, json.dumps(body).encode())
                with self.assertRaisesMessage(GiveUp, f"({status}): {body['category']}: "):
                    self.upsert()

    def test_gives_up_on_a_refusal_that_is_no_json_and_on_a_multi_status_that_names_none(self) -> None:
        for status, body in ((400, b"<html>"), (207, b'{"status": "COMPLETE"}')):
            with self.subTest(status):
                self.system.answers(status, body)
                with self.assertRaisesMessage(GiveUp, f"({status}): no category: no message"):
                    self.upsert()

    def test_is_tried_again_where_hubspot_is_busy_or_locked(self) -> None:
        self.system.answers(423)
        with self.assertRaisesMessage(AnswerNotSuccessful, "423"):
            self.upsert()
        self.system.answers(429, Retry_After="600")
        with self.assertRaisesMessage(RetryLater, "429"):
            self.upsert()


class ContactPreviewTests(SimpleTestCase):
    def test_gives_up_without_an_address_and_does_not_repeat_what_is_none(self) -> None:
        for email, said in (
            (None, "comes out empty"),
            ("swordfish@", "no e-mail address"),
            ("a@b.de, c@d.de", "no e-"),
        ):
            with self.subTest(said), self.assertRaisesMessage(GiveUp, said) as caught:
                preview(event_of({"email": email}), CONFIG)
            self.assertNotIn("@", str(caught.exception))

    def test_needs_no_properties(self) -> None:
        config = {"connection": "hubspot", "email": "ada@example.com"}
        self.assertEqual(preview(event_of({}), config), {"email": "ada@example.com", "properties": {}})
