from __future__ import annotations

import json
from xml.etree import ElementTree

from django.test import SimpleTestCase

from integrations.payloads import decode
from integrations.providers import providers
from tests.integrations.requests import content_type_of, make_request, payload


def decoded(provider: str, name: str) -> object:
    return decode(content_type_of(name), payload(name), json_field=providers[provider].json_field)


class AnswerTests(SimpleTestCase):
    def test_to_twilio_is_an_empty_document_of_instructions(self) -> None:
        answer = providers["twilio"].answer_to(decoded("twilio", "twilio/call.gather.form"), {})

        assert answer is not None
        self.assertEqual((answer.status, answer.content_type.partition(";")[0]), (200, "text/xml"))
        root = ElementTree.fromstring(answer.body)
        self.assertEqual((root.tag, len(root), root.text), ("Response", 0, None))

    def test_to_slack_says_nothing_to_the_user_of_a_command(self) -> None:
        for name in ("slack/slash_command.form", "slack/block_actions.form"):
            answer = providers["slack"].answer_to(decoded("slack", name), {})
            assert answer is not None
            self.assertEqual((answer.status, answer.body), (200, b""))

    def test_to_slack_events_is_the_hubs_own(self) -> None:
        self.assertIsNone(providers["slack"].answer_to(decoded("slack", "slack/app_mention.json"), {}))

    def test_to_discord_defers_an_interaction(self) -> None:
        interaction = decoded("discord", "discord/interaction.json")

        answer = providers["discord"].answer_to(interaction, {"mode": "interactions"})

        assert answer is not None
        self.assertEqual((answer.content_type, json.loads(answer.body)), ("application/json", {"type": 5}))

    def test_to_discord_events_has_no_content(self) -> None:
        answer = providers["discord"].answer_to({"type": 1, "event": {}}, {"mode": "events"})

        assert answer is not None
        self.assertEqual((answer.status, answer.body), (204, b""))

    def test_to_most_others_is_the_hubs_own(self) -> None:
        for key in ("github", "gitlab", "stripe", "shopify", "meta", "standard_webhooks", "generic_hmac"):
            self.assertIsNone(providers[key].answer_to({"type": 2}, {}), key)


class ExampleTests(SimpleTestCase):
    def test_has_the_wanted_id_and_type_where_the_preset_looks_for_them(self) -> None:
        wanted = {
            "github": "pull_request.opened",
            "stripe": "charge.refunded",
            "slack": "reaction_added",
            "shopify": "orders/paid",
            "gitlab": "Merge Request Hook",
            "standard_webhooks": "invoice.paid",
            "svix": "invoice.paid",
            "twilio": "message.delivered",
            "discord": "3",
        }
        for provider, event_type in wanted.items():
            with self.subTest(provider=provider):
                self.assertEqual(self.described(provider, event_type), ("evt_9", event_type))
        self.assertEqual(self.described("meta", "page.feed"), ("", "page.feed"))
        self.assertEqual(self.described("twilio", "call.completed"), ("evt_9", "call.completed"))
        self.assertEqual(self.described("discord", "ENTITLEMENT_CREATE"), ("", "ENTITLEMENT_CREATE"))

    def test_follows_the_operators_own_places(self) -> None:
        for provider in ("generic_hmac", "generic_token", "generic_basic", "generic_bearer", "generic_none"):
            for places in (
                {"event_id": "header:X-Id", "event_type": "header:X-Type"},
                {"event_id": "body:meta.delivery.id", "event_type": "body:kind"},
            ):
                with self.subTest(provider=provider, places=places):
                    self.assertEqual(self.described(provider, "order.paid", places), ("evt_9", "order.paid"))

    def test_is_whole_where_a_place_cannot_be_written(self) -> None:
        places = {"event_id": "body:items[?id].id | [0]"}

        self.assertEqual(self.described("generic_hmac", "order.paid", places)[0], "")

    def described(self, provider: str, event_type: str, settings: dict[str, str] | None = None) -> tuple[str, str]:
        preset = providers[provider]
        sample = preset.example(event_type, "evt_9", settings or {})
        request = make_request(sample.body, headers=sample.headers, content_type=sample.content_type)
        payload = decode(sample.content_type, sample.body, json_field=preset.json_field)
        description = preset.describe(request, payload, settings or {})
        return description.event_id, description.event_type
