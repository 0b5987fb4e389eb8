from __future__ import annotations

from typing import Any

from django.test import SimpleTestCase

from integrations.payloads import decode
from integrations.providers import Description, check_place, providers
from integrations.verification.templates import FORM
from tests.integrations.requests import make_request, payload


def describe(provider: str, body: Any, headers: dict[str, str] | None = None, **settings: str) -> Description:
    return providers[provider].describe(make_request(headers=headers), body, settings)


class DescriptionTests(SimpleTestCase):
    def test_joins_githubs_header_and_action(self) -> None:
        headers = {"x-github-event": "issues", "x-github-delivery": "1"}

        self.assertEqual(describe("github", {"action": "opened"}, headers), Description("1", "issues.opened"))
        self.assertEqual(describe("github", {"ref": "main"}, headers), Description("1", "issues"))

    def test_reads_githubs_form_with_the_payload_inside(self) -> None:
        body = b"payload=%7B%22action%22%3A%22created%22%7D"
        inner = decode(FORM, body, json_field=providers["github"].json_field)

        self.assertEqual(inner, {"action": "created"})
        self.assertEqual(describe("github", inner, {"X-GitHub-Event": "star"}).event_type, "star.created")

    def test_takes_either_family_of_names(self) -> None:
        for prefix in ("X-Shopify", "shopify"):
            headers = {f"{prefix}-Topic": "orders/paid", f"{prefix}-Webhook-Id": "7"}
            self.assertEqual(describe("shopify", {}, headers), Description("7", "orders/paid"))
        for prefix in ("svix", "webhook"):
            self.assertEqual(describe("svix", {"type": "a"}, {f"{prefix}-id": "8"}), Description("8", "a"))

    def test_never_takes_gitlabs_event_uuid_for_an_id(self) -> None:
        headers = {"X-Gitlab-Event-UUID": "1", "X-Gitlab-Event": "Push Hook"}

        self.assertEqual(describe("gitlab", {}, headers), Description("", "Push Hook"))

    def test_tells_the_callbacks_of_one_call_apart(self) -> None:
        gather = decode(FORM, payload("twilio/call.gather.form"))
        status = {"CallSid": "CA1", "CallStatus": "completed", "SequenceNumber": "3"}
        message = {"MessageSid": "SM1", "MessageStatus": "sent"}

        self.assertEqual(describe("twilio", gather), Description("", "call.in-progress"))
        self.assertEqual(describe("twilio", status), Description("CA1.completed.3", "call.completed"))
        self.assertEqual(describe("twilio", message), Description("SM1.sent", "message.sent"))

    def test_knows_where_the_id_is_part_of_what_is_signed(self) -> None:
        for key in ("stripe", "slack", "standard_webhooks", "svix", "discord"):
            self.assertTrue(providers[key].signs_id({}), key)
        for key in ("github", "gitlab", "shopify", "twilio", "meta", "generic_hmac", "generic_basic"):
            self.assertFalse(providers[key].signs_id({}), key)

        self.assertTrue(providers["gitlab"].signs_id({"mode": "signing_token"}))
        generic = providers["generic_hmac"]
        self.assertTrue(generic.signs_id({"event_id": "body:id"}))
        self.assertFalse(generic.signs_id({"event_id": "header:X-Id"}))
        self.assertTrue(generic.signs_id({"event_id": "header:X-Id", "template": "{id}.{body}"}))
        self.assertTrue(generic.signs_id({"event_id": "header:X-Id", "template": "{header:x-id}{body}"}))
        self.assertFalse(providers["generic_token"].signs_id({"event_id": "body:id"}))

    def test_survives_payloads_of_any_shape(self) -> None:
        for key in providers:
            for body in (
                None,
                [],
                [1],
                "text",
                5,
                {"event": 5, "type": {}},
                {"entry": {}},
                {"CallSid": [1]},
                {"id": []},
            ):
                with self.subTest(provider=key, body=body):
                    self.assertEqual(describe(key, body).event_id, "")

    def test_follows_the_operators_places(self) -> None:
        body = {"order": {"id": 17, "paid": True}}

        found = describe(
            "generic_hmac", body, {"X-Topic": " a "}, event_id="body:order.id", event_type="header:X-Topic"
        )

        self.assertEqual(found, Description("17", "a"))
        self.assertEqual(describe("generic_hmac", body, event_id="body:order.paid").event_id, "")


class PlaceTests(SimpleTestCase):
    def test_is_a_header_or_a_path_in_the_body(self) -> None:
        check_place("header:X-Id")
        check_place("body:data.id")
        for wrong in ("", "X-Id", "header:", "body:", "cookie:a", "body:a..b", "body:["):
            with self.subTest(place=wrong), self.assertRaises(ValueError):
                check_place(wrong)
