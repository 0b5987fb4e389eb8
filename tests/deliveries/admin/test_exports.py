"""Lists are written into files, as they are filtered, by whoever may."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, SimpleTestCase, TestCase
from django.test.utils import CaptureQueriesContext

from deliveries import audit, exporting
from deliveries.models import AuditEntry, Rejection
from tests.deliveries.admin.people import logged_in, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
EVENTS, DELIVERIES = "/admin/deliveries/event/export/", "/admin/deliveries/delivery/export/"
AUDIT = "/admin/deliveries/auditentry/export/"
REJECTIONS = "/admin/deliveries/rejection/export/"


class AFileTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        self.client = logged_in("operator")

    def events(self, count: int, **values: Any) -> None:
        for number in range(count):
            at = NOW + timedelta(seconds=number // 3)  # several at one moment
            make_event(self.endpoint, event_id=f"evt-{number:03}", received_at=at, **values)

    def file(self, address: str, form: str, **posted: str) -> str:
        answer = self.client.post(address, {"format": form, **posted})
        self.assertEqual(answer.status_code, 200)
        self.assertTrue(answer.streaming)
        self.assertIn("attachment", answer["Content-Disposition"])
        return b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]

    def cells(self, address: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.file(address, "csv"))))

    def lines(self, address: str, form: str = "jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file(address, form).splitlines()]

    def test_has_every_row_once_the_newest_first(self) -> None:
        self.events(20)
        with patch.object(exporting, "BATCH", 4):
            found = [row["event_id"] for row in self.lines(EVENTS)]
        with patch.object(exporting, "PAYLOAD_BATCH", 4):
            with_payloads = [row["event_id"] for row in self.lines(EVENTS, "jsonl_payloads")]

        self.assertEqual(sorted(found), [f"evt-{number:03}" for number in range(20)])
        self.assertEqual(with_payloads, found)
        self.assertEqual([text[:-1] for text in found[:2]], ["evt-01"] * 2)

    def test_has_what_the_filters_of_the_list_match(self) -> None:
        self.events(2, event_type="order.paid")
        self.events(1, event_type="order.lost", dedupe_key="another")

        self.assertEqual(len(self.cells(f"{EVENTS}?event_type=order.paid")), 2)
        self.assertEqual(len(self.cells(f"{EVENTS}?q=evt-001")), 1)

    def test_of_deliveries_and_of_refusals_has_their_columns(self) -> None:
        route = make_route(self.endpoint, name="to the shop")
        make_delivery(route, status="dead", finished_at=NOW, now=NOW, last_error="HttpError: 500")
        Rejection.objects.create(endpoint=self.endpoint, reason="no_signature", received_at=NOW, raw_body=b"secret")

        delivery, refusal = self.cells(DELIVERIES)[0], self.lines(REJECTIONS)[0]
        self.assertEqual((delivery["route"], delivery["last_error"]), ("to the shop", "HttpError: 500"))
        self.assertEqual(delivery["created_at"], "2026-03-04T09:30:00Z")
        self.assertEqual((refusal["endpoint"], refusal["reason"]), ("shop", "no_signature"))
        self.assertNotIn("secret", json.dumps(refusal))

    def test_has_payloads_only_where_they_may_be_shown(self) -> None:
        hidden = make_endpoint(slug="clinic", sensitive=True)
        make_event(self.endpoint, event_id="open", body=b'{"n": 1}', content_type="application/json")
        make_event(hidden, event_id="hidden", body=b'{"n": 2}', content_type="application/json")

        payloads = {row["event_id"]: row["payload"] for row in self.lines(EVENTS, "jsonl_payloads")}
        self.assertEqual(payloads, {"open": {"n": 1}, "hidden": None})
        self.assertNotIn("payload", self.lines(EVENTS)[0])

    def test_says_where_it_is_cut(self) -> None:
        self.events(9)
        for most, batch in ((4, 4), (6, 4), (8, 3)):
            with patch.object(exporting, "MOST_ROWS", most), patch.object(exporting, "BATCH", batch):
                *rows, last = self.lines(EVENTS)
                *_, line = self.file(EVENTS, "csv").splitlines()
            self.assertEqual(len(rows), most)
            self.assertIn(f"Cut after {most} rows", last["cut"])
            self.assertIn(f"Cut after {most} rows", line)
        with patch.object(exporting, "MOST_ROWS", 9):
            self.assertEqual(len(self.lines(EVENTS)), 9)

    def test_asks_the_database_batch_by_batch_outside_of_any_transaction(self) -> None:
        self.events(9)
        with patch.object(exporting, "BATCH", 3):
            answer = self.client.post(EVENTS, {"format": "csv"})
            begun = iter(answer.streaming_content)  # type: ignore[arg-type]
            next(begun)
            with CaptureQueriesContext(connection) as queries:
                next(begun)
            self.assertEqual(len(queries), 1)
            self.assertNotIn("SAVEPOINT", queries[0]["sql"])
            self.assertEqual(len(list(begun)), 2)

    def test_of_the_audit_log_has_what_was_before_and_after(self) -> None:
        self.client = logged_in("administrator")
        audit.record(
            audit.Action.CHANGED,
            self.endpoint,
            by=None,
            who="=cmd()",
            message="Changed.",
            change=({"state": "active"}, {"state": "paused"}),
        )

        line, *_ = (row for row in self.lines(AUDIT) if row["message"] == "Changed.")
        self.assertEqual((line["before"], line["after"]), ({"state": "active"}, {"state": "paused"}))
        self.assertEqual((line["object_type"], line["endpoint"]), ("endpoint", str(self.endpoint.pk)))
        cell, *_ = (row for row in self.cells(f"{AUDIT}?action=changed") if row["message"] == "Changed.")
        self.assertEqual((cell["who"], cell["after"]), ("'=cmd()", '{"state": "paused"}'))
        self.assertTrue(AuditEntry.objects.filter(message__startswith="Exported audit log as csv: action=").exists())

    def test_of_the_audit_log_is_for_those_with_the_right_of_its_own(self) -> None:
        operator = make_user("operator", name="reader")
        operator.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
        client = Client()
        client.force_login(operator)

        self.assertEqual(client.post(AUDIT, {"format": "csv"}).status_code, 403)
        self.assertNotContains(client.get("/admin/deliveries/auditentry/"), 'id="export"')
        operator.user_permissions.add(Permission.objects.get(codename="export_auditentry"))
        self.assertEqual(client.post(AUDIT, {"format": "csv"}).status_code, 200)

    def test_is_on_record_without_what_was_looked_for(self) -> None:
        self.file(f"{EVENTS}?verdict=verified&q=cus_123", "csv")
        entry = AuditEntry.objects.get(message__startswith="Exported events as csv")

        self.assertIn("verdict=verified", entry.message)
        self.assertNotIn("cus_123", entry.message)
        self.assertEqual(entry.who, "operator")

    def test_is_not_for_who_may_only_look_nor_for_a_link(self) -> None:
        self.assertEqual(self.client.get(EVENTS).status_code, 405)
        self.assertEqual(logged_in("viewer").post(EVENTS, {"format": "csv"}).status_code, 403)
        self.assertNotContains(logged_in("viewer").get("/admin/deliveries/event/"), 'id="export"')
        self.assertEqual(self.client.post(EVENTS, {"format": "xlsx"}).status_code, 404)
        self.assertEqual(self.client.post(DELIVERIES, {"format": "jsonl_payloads"}).status_code, 404)
        self.assertEqual(self.client.post(f"{EVENTS}?nonsense=1", {"format": "csv"}).status_code, 302)
        self.assertFalse(AuditEntry.objects.filter(message__startswith="Exported").exists())

    def test_is_ordered_above_the_list_at_its_filters(self) -> None:
        page = self.client.get("/admin/deliveries/delivery/?status=dead&when=last_night")

        self.assertContains(page, f'action="{DELIVERIES}?status=dead&amp;when=last_night"')


class ACellTests(SimpleTestCase):
    def test_is_no_formula(self) -> None:
        for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "=HYPERLINK(1)"):
            self.assertEqual(exporting.harmless(text), f"'{text}")

    def test_is_as_it_was_otherwise(self) -> None:
        for text in ("evt_1", "a=b", "1-2", "x@y.example", ""):
            self.assertEqual(exporting.harmless(text), text)
        self.assertEqual(exporting.harmless(None), "")
        self.assertEqual(exporting.harmless(["a", "b"]), "a b")
