from __future__ import annotations

import json
from collections import Counter
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from django.db import connection
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.test.utils import CaptureQueriesContext

from deliveries.models import Batch, Delivery, DeliveryStatus, Event, EventVariant, Rejection
from deliveries.models.sealing import MASK
from deliveries.receiving import batches
from deliveries.receiving.samples import send_sample
from integrations.providers import check_place, providers
from integrations.routing import compiled
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import SECRET, Sender, signed_endpoint
from tests.deliveries.receiving.test_concurrency import at_once
from tests.factories import make_endpoint, make_route


class ASplitBatch(WithBatches, Sender, TestCase):
    def test_is_an_event_for_each_item(self) -> None:
        make_route(endpoint := splitting())

        answer = self.send(endpoint, {"events": items(1, 2, 3)}).json()

        events = list(Event.objects.order_by("batch_index"))
        self.assertEqual(answer, {"status": "accepted", "event": str(events[0].pk), "events": 3, "deliveries": 3})
        self.assertEqual([event.payload for event in events], items(1, 2, 3))
        self.assertEqual([event.event_id for event in events], ["evt-1", "evt-2", "evt-3"])
        self.assertEqual({event.event_type for event in events}, {"order.paid"})
        self.assertEqual({event.verdict for event in events}, {"verified"})
        self.assertEqual(Delivery.objects.values("event").distinct().count(), 3)

    def test_is_kept_once_as_it_came(self) -> None:
        body = b'{ "events": [ {"id": "1", "b":\t1.50, "a": 2}, {"id": "2"} ] }\n'

        self.send(splitting(), body, headers={"X-Custom": "1"})

        batch = Batch.objects.get()
        self.assertEqual((batch.body, batch.item_count), (body, 2))
        self.assertEqual((batch.headers["X-Custom"], batch.headers["X-Signature"]), ("1", MASK))
        self.assertEqual({event.batch_id for event in Event.objects.all()}, {batch.pk})
        for event in Event.objects.all():
            self.assertEqual(event.as_received.body, body)
            self.assertNotIn(body, bytes(event.raw_body))

    def test_gives_handlers_the_item_as_json(self) -> None:
        endpoint = splitting()
        body = urlencode({"events": '[{"b": 1, "a": "\\u00e4\\ud800"}]'}).encode()

        self.send(endpoint, body, content_type="application/x-www-form-urlencoded")

        inbound = Event.objects.get().inbound()
        self.assertEqual(inbound.body, '{"b":1,"a":"ä\ufffd"}'.encode())
        self.assertEqual(inbound.payload, {"b": 1, "a": "ä\ufffd"})
        self.assertEqual((inbound.content_type, inbound.headers["content-type"]), ("application/json",) * 2)

    def test_goes_by_route_item_by_item(self) -> None:
        endpoint = splitting()
        make_route(endpoint, filter="n > `1`")
        make_route(endpoint, events=["order.refunded"])

        answer = self.send(endpoint, {"events": [*items(1, 2), {**items(3)[0], "type": "order.refunded"}]}).json()

        self.assertEqual((answer["events"], answer["deliveries"]), (3, 3))
        self.assertEqual(Counter(Delivery.objects.values_list("event__event_id", flat=True)), {"evt-2": 1, "evt-3": 2})

    def test_is_held_where_the_endpoint_is_paused(self) -> None:
        make_route(endpoint := splitting(state="paused"))

        self.send(endpoint, items(1, 2))

        self.assertEqual(set(Delivery.objects.values_list("status", flat=True)), {DeliveryStatus.HELD})

    def test_has_the_requests_type_where_an_item_has_none(self) -> None:
        self.send(splitting(), [{"id": "1"}], headers={"X-Event-Type": "orders"})

        self.assertEqual(Event.objects.get().event_type, "orders")

    def test_never_takes_the_requests_id_for_its_items(self) -> None:
        answer = self.send(splitting(), [{"n": 1}, {"n": 2}], event_id="request-1").json()

        self.assertEqual(answer["events"], 2)
        self.assertEqual(set(Event.objects.values_list("event_id", flat=True)), {""})

    def test_may_hold_any_json(self) -> None:
        values: list[Any] = [None, True, 0, "", "text", [], [1], {}, 1.5, "1e400"]

        answer = self.send(splitting(), values).json()

        self.assertEqual(answer["events"], len(values))
        self.assertEqual([event.payload for event in Event.objects.order_by("batch_index")], values)

    def test_is_whole_by_default(self) -> None:
        endpoint = splitting(batch="whole")

        answer = self.send(endpoint, items(1, 2)).json()

        self.assertEqual(set(answer), {"status", "event", "deliveries"})
        self.assertEqual((Event.objects.get().payload, Batch.objects.count()), (items(1, 2), 0))

    def test_without_an_item_is_one_event(self) -> None:
        for body in (b"[]", b'{"events": []}', b'{"another": 1}', b'"text"'):
            with self.subTest(body):
                self.assertNotIn("events", self.send(splitting(), body).json())

    def test_is_one_event_where_the_provider_sends_no_batches(self) -> None:
        self.assertNotIn("events", self.send(signed_endpoint(batch="split"), items(1, 2)).json())

    def test_of_too_many_items_is_malformed(self) -> None:
        with mock.patch.object(batches, "MAX_ITEMS", 2):
            response = self.send(splitting(), items(1, 2, 3))

        self.assertEqual((response.status_code, response.json()), (400, {"error": "malformed_payload"}))
        self.assertEqual(Event.objects.count(), 0)
        self.assertEqual(Rejection.objects.get().reason, "batch_too_long")

    def test_is_encrypted_where_the_provider_sends_credentials(self) -> None:
        self.send(splitting(), {"events": [{"id": "1", "secret": "s3cr3t"}]})

        event = Event.objects.get()
        self.assertNotIn(b"s3cr3t", bytes(event.raw_body) + bytes(event.batch.raw_body))
        self.assertEqual(event.payload, {"id": "1", "secret": "s3cr3t"})
        self.assertEqual(event.shown_payload, {"id": "1", "secret": MASK})

    def test_takes_few_statements(self) -> None:
        endpoint = splitting()
        make_route(endpoint)
        self.send(endpoint, items(0))

        with CaptureQueriesContext(connection) as captured:
            answer = self.send(endpoint, items(*range(1, 101))).json()

        self.assertEqual((answer["events"], answer["deliveries"]), (100, 100))
        verbs = Counter(query["sql"].split()[0] for query in captured)
        # Where a statement may have a thousand values at most, it takes a few for a hundred rows.
        self.assertLessEqual(verbs["INSERT"], 1 + (2 if connection.vendor == "postgresql" else 7))
        self.assertEqual((verbs["SELECT"], verbs["UPDATE"]), (1, 0))

    def test_of_thousands_is_stored(self) -> None:
        make_route(endpoint := splitting())

        first = self.send(endpoint, items(*range(1200))).json()
        again = self.send(endpoint, items(*range(1300))).json()

        self.assertEqual((first["events"], first["deliveries"]), (1200, 1200))
        self.assertEqual((again["events"], again["deliveries"]), (100, 100))
        self.assertEqual(Event.objects.filter(duplicates=1).count(), 1200)


class ARepeatedBatch(WithBatches, Sender, TestCase):
    def test_is_a_duplicate_if_all_of_it_was_seen(self) -> None:
        make_route(endpoint := splitting())
        first = self.send(endpoint, items(1, 2)).json()

        again = self.send(endpoint, items(1, 2)).json()

        self.assertEqual(again, {"status": "duplicate", "event": first["event"]})
        self.assertEqual(set(Event.objects.values_list("duplicates", flat=True)), {1})
        self.assertEqual((Delivery.objects.count(), Batch.objects.count()), (2, 1))

    def test_is_accepted_for_the_rest_if_part_of_it_was_seen(self) -> None:
        make_route(endpoint := splitting())
        self.send(endpoint, items(2, 4))

        answer = self.send(endpoint, items(4, 3, 2, 1)).json()

        self.assertEqual((answer["status"], answer["events"], answer["deliveries"]), ("accepted", 2, 2))
        self.assertEqual(answer["event"], str(Event.objects.get(event_id="evt-3").pk))
        self.assertEqual(dict(Event.objects.values_list("event_id", "duplicates"))["evt-4"], 1)
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (4, 4))

    def test_counts_an_item_that_it_holds_twice(self) -> None:
        make_route(endpoint := splitting())

        answer = self.send(endpoint, items(1, 1, 1)).json()

        self.assertEqual((answer["events"], answer["deliveries"]), (1, 1))
        self.assertEqual(Event.objects.get().duplicates, 2)

    def test_is_known_by_what_items_without_an_id_say(self) -> None:
        endpoint = splitting()
        self.send(endpoint, b'[{"a": 1, "b": 2}, {"a": 2}]')

        again = self.send(endpoint, b'[{"b": 2, "a": 1}, {"a": 3}]').json()

        self.assertEqual(again["events"], 1)
        self.assertEqual(Event.objects.count(), 3)

    def test_of_another_time_has_other_items_if_they_have_no_id(self) -> None:
        endpoint = splitting()
        first = {"sent_at": 1, "events": [{"n": 1}, {"id": "1"}]}
        self.send(endpoint, first)

        self.assertEqual(self.send(endpoint, first).json()["status"], "duplicate")
        self.assertEqual(self.send(endpoint, {**first, "sent_at": 2}).json()["events"], 1)
        self.assertEqual(Event.objects.get(event_id="1").flags, [])

    def test_counts_anew_once_the_time_of_items_without_an_id_is_over(self) -> None:
        make_route(endpoint := splitting(dedupe_seconds=60))
        self.send(endpoint, [{"n": 1}, {"n": 2}])
        old = Event.objects.order_by("pk").first()
        Event.objects.filter(pk=old.pk).update(received_at=old.received_at.replace(year=2020))

        answer = self.send(endpoint, [{"n": 1}, {"n": 2}]).json()

        self.assertEqual((answer["status"], answer["events"]), ("accepted", 1))
        self.assertEqual(Event.objects.get(pk=answer["event"]).payload, {"n": 1})

    def test_counts_always_where_bodies_are_never_duplicates(self) -> None:
        endpoint = splitting(dedupe_seconds=0)

        self.assertEqual(self.send(endpoint, [{"n": 1}, {"n": 1}]).json()["events"], 2)

    def test_goes_by_the_endpoints_own_expression(self) -> None:
        endpoint = splitting(dedupe="n")

        answer = self.send(endpoint, [{"id": "1", "n": 7}, {"id": "2", "n": 7}, {"id": "3", "n": 8}]).json()

        self.assertEqual(answer["events"], 2)

    def test_flags_what_has_the_same_id_and_says_something_else(self) -> None:
        endpoint = splitting()
        self.send(endpoint, items(1, 2))

        for total in range(7):
            self.send(endpoint, items(1, 2, 3, total=total))

        flagged = Event.objects.filter(event_id__in=["evt-1", "evt-2"])
        self.assertEqual([event.flags for event in flagged], [["conflicting_body"]] * 2)
        self.assertEqual(EventVariant.objects.filter(event__event_id="evt-1").count(), 5)
        variant = EventVariant.objects.filter(event__event_id="evt-2").order_by("pk").first()
        self.assertEqual(json.loads(variant.body), items(2, total=0)[0])


class BatchesAtTheSameMoment(WithBatches, TransactionTestCase):
    def test_make_each_event_once(self) -> None:
        make_route(endpoint := splitting())
        numbers = list(range(40))

        def send(sender: Sender, number: int) -> dict[str, Any]:
            turned = numbers[number * 5 :] + numbers[: number * 5]
            return sender.send(endpoint, items(*(turned if number % 2 else turned[::-1]))).json()

        answers = at_once(8, send)

        self.assertEqual({answer["status"] for answer in answers} - {"accepted", "duplicate"}, set(), answers)
        self.assertEqual(sum(answer.get("events", 0) for answer in answers), 40)
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (40, 40))
        self.assertEqual(set(Event.objects.values_list("duplicates", flat=True)), {7})
        self.assertEqual(Batch.objects.count(), sum(answer["status"] == "accepted" for answer in answers))

    def test_that_share_a_part_store_the_rest(self) -> None:
        make_route(endpoint := splitting())

        answers = at_once(6, lambda sender, number: sender.send(endpoint, items(0, 1, 2, 100 + number)).json())

        self.assertEqual({answer["status"] for answer in answers}, {"accepted"}, answers)
        self.assertEqual(sum(answer["events"] for answer in answers), 9)
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (9, 9))

    def test_that_find_bodies_expired_store_them_once(self) -> None:
        endpoint = splitting(dedupe_seconds=3600)
        bodies = [{"n": number} for number in range(10)]
        at_once(1, lambda sender, _: sender.send(endpoint, bodies))
        for event in Event.objects.all():
            Event.objects.filter(pk=event.pk).update(received_at=event.received_at.replace(year=2020))

        answers = at_once(
            6, lambda sender, number: sender.send(endpoint, bodies if number % 2 else bodies[::-1]).json()
        )

        self.assertEqual(sum(answer.get("events", 0) for answer in answers), 10, answers)
        self.assertEqual(Event.objects.count(), 20)


class ABatchOfAProvider(TestCase):
    """With the real presets: what they say of their items, and samples signed as they sign."""

    def split(self, provider: str, payload: Any, *, secret: str = SECRET) -> list[tuple[str, str]]:
        endpoint = make_endpoint(provider=provider, batch="split")
        if providers[provider].scheme_for({}).symmetric:
            endpoint.secrets.create(value=secret, label="test")
        answers = [send_sample(endpoint, payload=payload) for _ in range(2)]
        self.assertEqual({status for status, _ in answers}, {200}, answers)
        self.assertTrue(all(event.duplicates == 1 for event in endpoint.events.all()))
        return list(endpoint.events.order_by("batch_index").values_list("event_id", "event_type"))

    def test_of_sendgrid_has_an_id_and_a_type_for_each(self) -> None:
        payload = [{"sg_event_id": "a", "event": "open"}, {"sg_event_id": "b", "event": "click"}]

        self.assertEqual(self.split("sendgrid", payload), [("a", "open"), ("b", "click")])

    def test_of_adyen_has_its_items_without_their_wrapping(self) -> None:
        found = [
            {"pspReference": reference, "eventCode": "CAPTURE", "success": "true", "merchantAccountCode": "shop"}
            for reference in ("7914073381342284", "7914073381342285")
        ]
        payload = {"live": "false", "notificationItems": [{"NotificationRequestItem": item} for item in found]}

        self.assertEqual(
            self.split("adyen", payload, secret="44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"),
            [(f"{item['pspReference']}.CAPTURE.true", "CAPTURE") for item in found],
        )
        self.assertEqual([event.payload["eventCode"] for event in Event.objects.all()], ["CAPTURE"] * 2)
        for event in Event.objects.all():
            self.assertEqual(event.shown_payload["additionalData"], {"hmacSignature": MASK})

    def test_of_mandrill_is_the_json_in_its_form(self) -> None:
        payload = [{"_id": "m1", "event": "send", "ts": 1}, {"_id": "m1", "event": "open", "ts": 2}]

        self.assertEqual(self.split("mandrill", payload), [("m1.send.1", "send"), ("m1.open.2", "open")])

    def test_of_hubspot_has_an_id_and_a_type_for_each(self) -> None:
        payload = [
            {"eventId": number, "subscriptionId": 7, "occurredAt": 9, "subscriptionType": "contact.creation"}
            for number in (1, 2)
        ]

        self.assertEqual(self.split("hubspot", payload), [("1.7.9", "contact.creation"), ("2.7.9", "contact.creation")])

    def test_of_meta_is_an_event_for_each_entry(self) -> None:
        payload = {
            "object": "page",
            "entry": [{"id": "1", "changes": [{"field": "feed"}]}, {"id": "2", "messaging": [{"message": {}}]}],
        }

        self.assertEqual(self.split("meta", payload), [("", "feed"), ("", "messaging")])


class EveryPresetWithBatches(SimpleTestCase):
    def test_names_places_that_can_be_read_in_an_item(self) -> None:
        presets = [providers[key] for key in providers if providers[key].batch]
        self.assertGreater(len(presets), 3)
        for preset in presets:
            with self.subTest(preset.name):
                compiled(preset.batch)
                for place in (*preset.item_event_id, *preset.item_event_type):
                    check_place(place)
                    self.assertTrue(place.startswith("body:"), place)
                if preset.batch_stamp:
                    compiled(preset.batch_stamp)
