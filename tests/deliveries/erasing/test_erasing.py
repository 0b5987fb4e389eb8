"""Erase by subject: everything that holds a value goes, and a proof stays that has not got it."""

from __future__ import annotations

import base64
import io
import json
from unittest import mock

from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.test import TestCase
from django.utils import timezone

from deliveries import erasing
from deliveries.erasing import steps
from deliveries.models import (
    Attempt,
    AuditEntry,
    Batch,
    Delivery,
    Erasure,
    Event,
    EventVariant,
    KeptKey,
    NamedCount,
    Rejection,
    Shape,
)
from deliveries.models.erasure import hmac_of
from deliveries.models.rollup import Measure
from deliveries.models.sealing import body_columns
from deliveries.stats.counting import counting
from integrations.models import BatchedItem
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.retention.aging import MARKER, RetentionTestCase, ago
from tests.deliveries.shapes.cases import new_shape, see
from tests.factories import make_delivery


class ErasingTestCase(RetentionTestCase):
    def erase(self, value: str = MARKER, *, path: str = "") -> Erasure:
        made = erasing.work_off(erasing.order(value, path=path, by=None))
        erasing.confirm(made, by=None)
        return erasing.work_off(made)

    def plain(self, **values: object) -> Event:
        """Return an event that does not hold the value."""
        return self.event(1, **{"body": b'{"mail": "bob@example.com"}', "headers": {}, "query_string": "", **values})


class ErasureTests(ErasingTestCase):
    def test_removes_body_headers_and_what_attempts_said(self) -> None:
        row = self.delivered(1)
        Delivery.objects.update(last_error=f"ValueError: {MARKER}")
        other = self.plain()

        done = self.erase()

        event = Event.objects.get(pk=row.event_id)
        self.assertEqual((event.raw_body, event.headers, event.query_string, event.keeps), (None, {}, "", None))
        self.assertIsNotNone(event.erased_at)
        self.assertIn("at somebody's request", event.why_no_body)
        self.assertEqual((Attempt.objects.get().traceback, Delivery.objects.get().last_error), ("", ""))
        self.assertIsNotNone(Event.objects.get(pk=other.pk).raw_body)
        self.assertEqual((done.state, done.found), ("finished", {"events": [str(row.event_id)]}))

    def test_takes_back_what_waits_for_its_object(self) -> None:
        row, other = self.delivered(1), self.plain()
        for event in (row.event_id, other.pk):
            BatchedItem.objects.add(place="p", key=str(event), folder="f", form="jsonl", line=MARKER, now=ago(1))

        self.erase()

        self.assertEqual(BatchedItem.objects.get().key, str(other.pk))

    def test_forgets_a_shape_that_has_it_among_its_names(self) -> None:
        for event_type, name in (("plain", "mail"), ("named", f"to {MARKER}"), (f"of {MARKER}", "mail")):
            row = new_shape(self.endpoint, event_type=event_type)
            see(row, {"by": {name: 1}})
            row.save()

        self.erase()

        self.assertEqual([row.event_type for row in Shape.objects.all()], ["plain"])

    def test_forgets_what_was_counted_by_a_name_that_has_it(self) -> None:
        for name in ("plain", f"of {MARKER}"):
            counting.add(Measure.ACCEPTED, self.endpoint.pk, at=timezone.now(), names={name: 1})
        counting.flush()

        self.erase()

        self.assertEqual([row.name for row in NamedCount.objects.all()], ["plain"])

    def test_finds_it_wherever_it_is(self) -> None:
        in_header = self.plain(headers={"X-Mail": MARKER})
        in_query = self.plain(query_string="mail=ada%40example.com")
        escaped = self.plain(body=b'{"mail": "ada\\u0040example.com"}')
        in_form = self.plain(body=b"mail=ada%40example.com", content_type="application/x-www-form-urlencoded")
        variant, told, by_id = self.plain(), self.plain(), self.plain(event_id=MARKER, dedupe_key=f"id:{MARKER}")
        EventVariant.objects.create(event=variant, body_sha256=b"x" * 32, received_at=ago(1), raw_body=MARKER.encode())
        delivery = make_delivery(self.route, event=told, status="succeeded", finished_at=ago(1))
        Attempt.objects.create(
            delivery=delivery, number=1, trigger="first", started_at=ago(1), finished_at=ago(1), outcome="succeeded",
            log=[{"message": "saved", "fields": {"mail": MARKER}}],
        )  # fmt: skip
        sent, opaque = self.plain(), self.plain()
        for event, call in (
            (sent, {"body": json.dumps({"note": f'"{MARKER}"'}), "body_encoding": "text", "body_is_whole": True}),
            (opaque, {"body": base64.b64encode(b"\xff" + MARKER.encode()).decode(), "body_encoding": "base64"}),
        ):
            delivery = make_delivery(self.route, event=event, status="succeeded", finished_at=ago(1))
            Attempt.objects.create(
                delivery=delivery, number=1, trigger="first", started_at=ago(1), finished_at=ago(1),
                outcome="succeeded", calls=[call],
            )  # fmt: skip
        Rejection.objects.create(
            endpoint=self.endpoint, reason="signature_mismatch", received_at=ago(1), raw_body=MARKER.encode()
        )
        batch = Batch.objects.create(
            endpoint=self.endpoint, provider="x", item_count=1, received_at=ago(1), raw_body=MARKER.encode()
        )

        done = self.erase()

        expected = {in_header, in_query, escaped, in_form, variant, told, by_id, sent, opaque}
        found = set(done.found["events"])
        self.assertEqual(found, {str(row.pk) for row in expected})
        self.assertFalse(Rejection.objects.exists())
        self.assertFalse(EventVariant.objects.exists())
        self.assertEqual(done.found["batches"], [str(batch.pk)])
        self.assertIsNone(Batch.objects.get().raw_body)
        self.assertEqual({(str(row.log), row.calls) for row in Attempt.objects.all()}, {("[]", None)})

    def test_erases_it_from_what_names_the_event_and_still_knows_its_repetition(self) -> None:
        event = self.plain(event_id=MARKER, dedupe_key=f"id:{MARKER}")

        self.erase()

        event.refresh_from_db()
        self.assertEqual(event.event_id, "")
        self.assertNotIn(MARKER, event.dedupe_key)
        holders = KeptKey.objects.holders(self.endpoint.pk, [f"id:{MARKER}"])
        self.assertEqual(holders[f"id:{MARKER}"].event, event.pk)
        self.endpoint.refresh_from_db()
        self.assertIsNotNone(self.endpoint.keys_kept_since)

    def test_by_a_path_takes_those_in_which_it_finds_the_value(self) -> None:
        there = self.plain(body=b'{"customer": {"id": "cus_123"}}')
        self.plain(body=b'{"note": "cus_123"}')

        done = self.erase("cus_123", path="customer.id")

        self.assertEqual(done.found, {"events": [str(there.pk)]})

    def test_finds_what_is_stored_encrypted(self) -> None:
        self.plain(**body_columns(MARKER.encode(), content_type="text/plain", encrypt_body=True))

        self.assertEqual(self.erase().counts, {"events": 1})

    def test_leaves_and_names_what_is_held_or_runs(self) -> None:
        held = self.event(1, legal_hold="case 14")
        runs = self.delivered(1, status="running", lease_until=timezone.now())

        done = self.erase()

        self.assertEqual(set(done.left), {str(held.pk), str(runs.event_id)})
        self.assertEqual(done.counts, {})
        self.assertEqual(Event.objects.exclude(raw_body=None).count(), 2)

    def test_goes_in_batches_whoever_does_them(self) -> None:
        for _ in range(5):
            self.event(1)
        order = erasing.order(MARKER, by=None)
        with mock.patch.object(steps, "AT_ONCE", 2):
            rounds = 0
            while erasing.step(now=timezone.now()):
                rounds += 1

        order.refresh_from_db()
        self.assertEqual((order.state, order.counts, order.looked_at), ("counted", {"events": 5}, 5))
        self.assertEqual(rounds, 6)

    def test_erases_nothing_before_it_is_confirmed(self) -> None:
        self.event(1)

        erasing.work_off(erasing.order(MARKER, by=None))

        self.assertIsNotNone(Event.objects.get().raw_body)


class ProofTests(ErasingTestCase):
    def test_names_who_when_and_what_and_has_not_got_the_value(self) -> None:
        event = self.event(1)

        done = self.erase()

        columns = json.dumps([getattr(done, field.attname) for field in done._meta.concrete_fields], default=str)
        self.assertNotIn(MARKER, columns)
        self.assertEqual(done.value_hmac, hmac_of(MARKER))
        self.assertEqual((done.created_by, done.confirmed_by), ("command line", "command line"))
        self.assertEqual(done.found, {"events": [str(event.pk)]})
        self.assertIsNotNone(done.finished_at)
        self.assertEqual(AuditEntry.objects.filter(object_type="erasure").count(), 2)

    def test_keeps_no_value_of_a_cancelled_order(self) -> None:
        made = erasing.order(MARKER, by=None)

        self.assertTrue(erasing.cancel(made, by=None))

        self.assertEqual(Erasure.objects.get().sought, "")
        self.assertFalse(erasing.step(now=timezone.now()))


class OrderTests(TestCase):
    def test_needs_the_right(self) -> None:
        for role in ("viewer", "operator"):
            with self.assertRaises(PermissionDenied):
                erasing.order(MARKER, by=make_user(role))
        self.assertEqual(erasing.order(MARKER, by=make_user("administrator")).created_by, "administrator")

    def test_refuses_what_would_be_found_everywhere(self) -> None:
        with self.assertRaises(erasing.NotErased):
            erasing.order("a ", by=None)
        with self.assertRaises(erasing.NotErased):
            erasing.order(MARKER, path="customer.[", by=None)


class CommandTests(ErasingTestCase):
    def said(self, *options: str) -> str:
        out = io.StringIO()
        call_command("erase", *options, stdout=out)
        return out.getvalue()

    def test_counts_first_and_then_erases(self) -> None:
        self.event(1)

        told = self.said("--value", MARKER, "--dry-run")
        kept = Event.objects.get().raw_body is not None
        done = json.loads(self.said("--value", MARKER, "--json"))

        self.assertTrue(told.startswith("would erase 1 events"))
        self.assertTrue(kept)
        self.assertEqual((done["events"], Event.objects.get().raw_body), (1, None))

    def test_says_what_cannot_be_looked_for(self) -> None:
        with self.assertRaises(CommandError):
            self.said("--value", "a")


class PageTests(ErasingTestCase):
    def test_counts_asks_and_then_erases_with_a_proof(self) -> None:
        event, client, url = self.event(1), logged_in("administrator"), "/admin/deliveries/erasure/"

        client.post(f"{url}order/", {"value": MARKER})
        row = erasing.work_off(Erasure.objects.get())
        counted = client.get(url)
        asked = client.post(f"{url}{row.pk}/order/confirm/")
        still = Event.objects.get().raw_body
        client.post(f"{url}{row.pk}/order/confirm/", {"confirmed": "yes"})
        erasing.work_off(row)
        proof = client.get(f"{url}{row.pk}/change/")

        self.assertContains(counted, "1 event;")
        self.assertContains(counted, "order/confirm/")
        self.assertContains(asked, "Erase everything that holds the value for good?")
        self.assertContains(asked, "Counted: 1 event.")
        self.assertNotContains(asked, MARKER)
        self.assertIsNotNone(still)
        self.assertContains(proof, hmac_of(MARKER))
        self.assertContains(proof, str(event.pk))
        self.assertNotContains(proof, MARKER)
        self.assertIsNone(Event.objects.get().raw_body)

    def test_is_cancelled_there_and_says_what_is_too_short(self) -> None:
        client, url = logged_in("administrator"), "/admin/deliveries/erasure/"
        client.post(f"{url}order/", {"value": MARKER})

        said = client.post(f"{url}{Erasure.objects.get().pk}/order/cancel/", follow=True)
        short = client.post(f"{url}order/", {"value": "a"}, follow=True)

        self.assertEqual(Erasure.objects.get().state, "cancelled")
        self.assertContains(said, "Cancelled: nothing was erased.")
        self.assertContains(short, "at least 3 characters")

    def test_is_shut_to_operators(self) -> None:
        client = logged_in("operator")

        self.assertEqual(client.get("/admin/deliveries/erasure/").status_code, 403)
        self.assertEqual(client.post("/admin/deliveries/erasure/order/", {"value": MARKER}).status_code, 403)
        self.assertFalse(Erasure.objects.exists())
