from __future__ import annotations

from datetime import timedelta

from django.test import SimpleTestCase, TestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from deliveries.models import Delivery, Event, EventVariant
from deliveries.receiving.dedupe import dedupe_key
from integrations.models import Endpoint
from tests.deliveries.receiving.cases import Sender, signature, signed_endpoint
from tests.factories import make_endpoint, make_event, make_route


def by_id(event_id: str) -> str:
    return dedupe_key("id", event_id=event_id, payload=None, body_hash=b"\x00" * 32)


class ADedupeKey(SimpleTestCase):
    def key(self, rule: str, payload: object) -> str:
        return dedupe_key(rule, event_id="evt", payload=payload, body_hash=b"\xab" * 32)

    def test_is_the_providers_id(self) -> None:
        self.assertEqual(by_id("evt_1"), "id:evt_1")

    def test_is_the_bodys_hash_without_an_id(self) -> None:
        self.assertEqual(by_id(""), "body:" + "00" * 32)

    def test_is_the_bodys_hash_where_the_operator_says_so(self) -> None:
        self.assertEqual(self.key("body", {}), "body:" + "ab" * 32)

    def test_is_what_the_operators_expression_finds(self) -> None:
        self.assertEqual(self.key("order.id", {"order": {"id": "A-1"}}), "expr:A-1")
        self.assertEqual(self.key("[type, version]", {"type": "x", "version": 3}), 'expr:json:["x",3]')

    def test_is_the_bodys_hash_where_the_expression_does_not_find_all(self) -> None:
        for rule in ("missing", "[type, missing]", "{a: missing}", "empty", "list"):
            with self.subTest(rule):
                payload = {"type": "x", "empty": "", "list": []}
                self.assertEqual(self.key(rule, payload), "body:" + "ab" * 32)

    def test_tells_a_text_from_the_value_that_looks_like_it(self) -> None:
        keys = {self.key("id", value) for value in ()} | {self.key("k", {"k": v}) for v in ("1", 1, "json:1", [1])}

        self.assertEqual(len(keys), 4)

    def test_of_a_long_id_is_its_hash(self) -> None:
        self.assertNotEqual(by_id("9" * 400), by_id("9" * 401))
        self.assertLessEqual(len(by_id("9" * 400)), 120)

    def test_cannot_be_made_to_meet_the_hash_of_a_long_id(self) -> None:
        forged = by_id("9" * 400).removeprefix("id:")

        self.assertNotEqual(by_id(forged), by_id("9" * 400))

    @given(st.lists(st.text(st.characters(codec=None), min_size=1), min_size=2, max_size=2, unique=True))
    def test_differs_for_different_ids_and_can_be_stored(self, ids: list[str]) -> None:
        one, other = map(by_id, ids)

        self.assertNotEqual(one, other)
        for key in (one, other):
            self.assertLessEqual(len(key), 120)
            self.assertNotIn("\x00", key)
            key.encode("utf-8")


class ARepeatedEvent(Sender, TestCase):
    def setUp(self) -> None:
        self.endpoint = signed_endpoint()
        make_route(self.endpoint)

    def age(self, **delta: float) -> None:
        """Let all that is stored have come in earlier."""
        for event in Event.objects.all():
            Event.objects.filter(pk=event.pk).update(received_at=event.received_at - timedelta(**delta))

    def test_is_counted_on_the_first_and_delivered_once(self) -> None:
        for _ in range(3):
            self.send(self.endpoint, event_id="1")

        self.assertEqual((Event.objects.get().duplicates, Delivery.objects.count()), (2, 1))
        self.assertEqual(Event.objects.get().flags, [])

    def test_is_another_event_on_another_endpoint(self) -> None:
        self.send(self.endpoint, event_id="1")
        self.send(signed_endpoint(), event_id="1")

        self.assertEqual(Event.objects.count(), 2)

    def test_by_its_id_is_a_duplicate_for_ever(self) -> None:
        self.send(self.endpoint, event_id="1")
        self.age(days=3650)

        self.assertEqual(self.send(self.endpoint, event_id="1").json()["status"], "duplicate")

    def test_by_its_body_is_a_duplicate_for_a_day(self) -> None:
        first = self.send(self.endpoint, b"[1]").json()["event"]
        self.age(hours=23, minutes=59)

        again = self.send(self.endpoint, b"[1]").json()

        self.assertEqual(again, {"status": "duplicate", "event": first})

    def test_by_its_body_is_a_new_event_after_a_day_and_then_the_first_of_its_kind(self) -> None:
        first = self.send(self.endpoint, b"[1]").json()["event"]
        self.age(hours=24, seconds=1)

        second = self.send(self.endpoint, b"[1]").json()
        third = self.send(self.endpoint, b"[1]").json()

        self.assertEqual(second["status"], "accepted")
        self.assertEqual(third, {"status": "duplicate", "event": second["event"]})
        self.assertNotEqual(second["event"], first)
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (2, 2))

    @override_settings(HUB_BODY_DEDUPE_SECONDS=60)
    def test_by_its_body_is_a_duplicate_for_as_long_as_the_setting_says(self) -> None:
        self.send(self.endpoint, b"[1]")
        self.age(seconds=61)

        self.assertEqual(self.send(self.endpoint, b"[1]").json()["status"], "accepted")

    def test_by_its_body_is_a_duplicate_for_as_long_as_the_endpoint_says(self) -> None:
        endpoint = signed_endpoint(dedupe_seconds=10)
        self.send(endpoint, b"[1]")
        self.age(seconds=9)
        self.assertEqual(self.send(endpoint, b"[1]").json()["status"], "duplicate")
        self.age(seconds=2)

        self.assertEqual(self.send(endpoint, b"[1]").json()["status"], "accepted")

    def test_by_its_body_is_never_a_duplicate_where_the_endpoint_gives_it_no_time(self) -> None:
        endpoint = signed_endpoint(dedupe_seconds=0)

        answers = [self.send(endpoint, b"[1]").json()["status"] for _ in range(3)]

        self.assertEqual(answers, ["accepted"] * 3)

    def test_is_known_by_its_body_where_the_operator_says_so(self) -> None:
        endpoint = signed_endpoint(dedupe="body")

        self.send(endpoint, event_id="1")

        self.assertEqual(self.send(endpoint, event_id="2").json()["status"], "duplicate")

    def test_is_known_by_the_operators_expression(self) -> None:
        endpoint = signed_endpoint(dedupe="[type, order]")

        self.send(endpoint, {"type": "paid", "order": 1, "sent": 1}, event_id="1")
        again = self.send(endpoint, {"type": "paid", "order": 1, "sent": 2}, event_id="2")
        other = self.send(endpoint, {"type": "sent", "order": 1}, event_id="3")

        self.assertEqual((again.json()["status"], other.json()["status"]), ("duplicate", "accepted"))

    def test_is_found_by_an_id_of_four_hundred_digits(self) -> None:
        self.send(self.endpoint, event_id="7" * 400)

        self.assertEqual(self.send(self.endpoint, event_id="7" * 400).json()["status"], "duplicate")
        self.assertEqual(self.send(self.endpoint, b"[]", event_id="7" * 399 + "8").json()["status"], "accepted")


class AnotherBodyUnderTheSameKey(Sender, TestCase):
    def send_bodies(self, endpoint: Endpoint, *bodies: bytes) -> Event:
        for body in bodies:
            self.send(endpoint, body, event_id="1")
        return Event.objects.get()

    def test_is_flagged_and_kept_on_the_first(self) -> None:
        event = self.send_bodies(signed_endpoint(), b"[1]", b"[2]")

        self.assertEqual((event.flags, event.duplicates, event.body), (["conflicting_body"], 1, b"[1]"))
        self.assertEqual(EventVariant.objects.get(event=event).body, b"[2]")

    def test_is_kept_once_for_each_body_and_at_most_five_times(self) -> None:
        bodies = [b"[1]", *(b"[%d]" % number for number in (2, 2, 3, 4, 5, 6, 7, 8, 3))]

        event = self.send_bodies(signed_endpoint(), *bodies)

        self.assertEqual({variant.body for variant in event.variants.all()}, {b"[%d]" % n for n in range(2, 7)})
        self.assertEqual((event.flags, event.duplicates), (["conflicting_body"], 9))

    def test_is_sealed_as_an_event_is(self) -> None:
        self.send_bodies(signed_endpoint(sensitive=True), b"[1]", b'"confidential"')

        variant = EventVariant.objects.get()
        self.assertNotIn(b"confidential", bytes(variant.raw_body))
        self.assertNotIn(signature(b'"confidential"'), str(variant.headers))
        self.assertEqual(variant.original_headers["X-Signature"], signature(b'"confidential"'))


class AKnownBodyUnderAnotherId(Sender, TestCase):
    def test_is_flagged_where_the_signature_does_not_cover_the_id(self) -> None:
        endpoint = signed_endpoint()

        self.send(endpoint, b"[1]", event_id="1")
        self.send(endpoint, b"[1]", event_id="2")
        self.send(endpoint, b"[2]", event_id="3")

        flags = dict(Event.objects.values_list("event_id", "flags"))
        self.assertEqual(flags, {"1": [], "2": ["possible_replay"], "3": []})

    def test_is_flagged_where_the_id_is_left_out(self) -> None:
        endpoint = signed_endpoint()

        self.send(endpoint, b"[1]", event_id="1")
        self.send(endpoint, b"[1]", event_id="")
        self.send(endpoint, b"[2]", event_id="")

        flags = sorted((bytes(event.body), event.event_id, event.flags) for event in Event.objects.all())
        self.assertEqual(flags, [(b"[1]", "", ["possible_replay"]), (b"[1]", "1", []), (b"[2]", "", [])])

    def test_is_not_flagged_where_the_other_is_of_another_endpoint_or_the_hubs_own(self) -> None:
        one, two = signed_endpoint(), signed_endpoint()
        make_event(two, body=b"[2]", verdict="internal")

        self.send(one, b"[1]", event_id="1")
        self.send(two, b"[1]", event_id="2")
        self.send(two, b"[2]", event_id="3")

        self.assertEqual(list(Event.objects.exclude(flags=[])), [])

    def test_is_not_flagged_where_nothing_is_proven_at_all(self) -> None:
        endpoint = make_endpoint(provider="generic_none", settings={"event_id": "header:X-Event-Id"})

        self.send(endpoint, event_id="1", secret="")
        self.send(endpoint, event_id="2", secret="")

        self.assertEqual(set(map(str, Event.objects.values_list("flags", flat=True))), {"[]"})

    def test_is_not_flagged_where_the_hub_itself_made_the_other(self) -> None:
        endpoint = signed_endpoint()
        make_event(endpoint, body=b"[1]", verdict="internal")

        self.send(endpoint, b"[1]", event_id="1")

        self.assertEqual(Event.objects.get(event_id="1").flags, [])

    def test_is_not_flagged_where_the_signature_covers_the_id(self) -> None:
        from deliveries.receiving.samples import send_sample

        endpoint = make_endpoint(provider="standard_webhooks", secret="whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        payload = {"type": "same"}

        send_sample(endpoint, payload=payload)
        send_sample(endpoint, payload=payload)

        self.assertEqual(list(Event.objects.values_list("flags", flat=True)), [[], []])
