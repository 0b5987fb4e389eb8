"""Requests of payment and mail services that tell of several things, taken apart."""

from __future__ import annotations

from django.test import SimpleTestCase

from integrations.providers import Description, providers
from integrations.routing import search
from tests.integrations.requests import content_type_of, make_request, payload


class BatchTests(SimpleTestCase):
    def items(self, name: str) -> list[tuple[str, str]]:
        preset = providers[name.partition("/")[0]]
        request = make_request(payload(name), content_type=content_type_of(name))
        whole = preset.decode(request.content_type, request.body)
        found = search(preset.batch, whole)
        assert isinstance(found, list)
        described = [preset.describe_item(request, item, Description("whole", "whole")) for item in found]
        return [(each.event_id, each.event_type) for each in described]

    def test_are_taken_apart_with_an_id_and_a_type_for_each_item(self) -> None:
        self.assertEqual(
            self.items("gocardless/payments.confirmed.json"),
            [("EV00BD05S5VM2T", "payments.confirmed"), ("EV00BD05TB8K63", "mandates.created")],
        )
        self.assertEqual(
            self.items("adyen/batch.json"),
            [("7914073381342284.AUTHORISATION.true", "AUTHORISATION"), ("8815516988841362.CAPTURE.true", "CAPTURE")],
        )
        self.assertEqual(
            self.items("xero/contact.update.json"),
            [("717f2bfc-c6d4-41fd-b238-3f2f0c0cf777.UPDATE.2017-06-21T01:15:39.902", "CONTACT.UPDATE")],
        )
        self.assertEqual(
            self.items("sendgrid/batch.json"), [("ZGVmZXJyZWQ", "deferred"), ("ZGVsaXZlcmVk", "delivered")]
        )
        self.assertEqual(self.items("pusher/channel_occupied.json"), [("", "channel_occupied"), ("", "member_added")])

    def test_of_quickbooks_have_two_forms(self) -> None:
        self.assertEqual(self.items("quickbooks/customer.create.json"), [("", "Customer.Create")])
        self.assertEqual(
            self.items("quickbooks/cloud_event.json"),
            [("88cd52aa-33b6-4351-9aa4-47572edbd068", "qbo.customer.created.v1")],
        )

    def test_have_no_id_of_their_first_item(self) -> None:
        """Another batch may begin with the same item."""
        for name in ("adyen/batch.json", "sendgrid/batch.json"):
            preset = providers[name.partition("/")[0]]
            request = make_request(payload(name))
            described = preset.describe(request, preset.decode(request.content_type, request.body), {})
            with self.subTest(name=name):
                self.assertEqual(described.event_id, "")
