"""Under a legal hold nothing goes; who places and ends one has the right to, and is on record."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from deliveries import retention
from deliveries.models import AuditEntry, Event, Rejection
from deliveries.retention import legal_hold
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import API, client_of
from tests.deliveries.retention.aging import NOW, RetentionTestCase, ago


class LegalHoldTests(RetentionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.knows_kept_keys()
        self.ada = make_user("administrator", name="ada")

    def test_of_an_endpoint_keeps_its_events_and_rejections(self) -> None:
        legal_hold.place(self.endpoint, reason="case 14", by=self.ada)
        self.delivered(500)
        Rejection.objects.create(endpoint=self.endpoint, reason="signature_mismatch", received_at=ago(500))

        self.assertEqual(self.prune(), {})
        self.assertEqual(retention.prune_rejections(now=NOW), 0)

        legal_hold.lift(self.endpoint, by=self.ada)
        self.assertEqual(self.prune()["events"], 1)

    def test_of_one_event_keeps_that_one(self) -> None:
        held, other = self.event(500), self.event(500)
        legal_hold.place(held, reason="case 14", by=self.ada)

        self.prune()

        self.assertEqual(Event.objects.get(), held)
        self.assertIsNotNone(Event.objects.get().raw_body)
        self.assertNotEqual(held, other)

    def test_is_in_the_audit_log_with_its_reason(self) -> None:
        legal_hold.place(self.endpoint, reason=" case  14 ", by=self.ada)
        legal_hold.lift(self.endpoint, by=self.ada)

        entries = AuditEntry.objects.order_by("pk").values_list("who", "message")
        self.assertEqual(
            list(entries), [("ada", "Put under a legal hold: case 14"), ("ada", "Ended the legal hold: case 14")]
        )

    def test_needs_a_reason_and_the_right(self) -> None:
        with self.assertRaises(ValueError):
            legal_hold.place(self.endpoint, reason="  ", by=self.ada)
        with self.assertRaises(PermissionDenied):
            legal_hold.place(self.endpoint, reason="case 14", by=make_user("operator"))
        with self.assertRaises(PermissionDenied):
            legal_hold.lift(self.endpoint, by=User.objects.get(username="operator"))
        self.assertFalse(AuditEntry.objects.exists())

    def test_is_placed_and_ended_on_the_pages(self) -> None:
        event = self.event(1)
        client = logged_in("administrator")
        for kind, row in (("integrations/endpoint", self.endpoint), ("deliveries/event", event)):
            with self.subTest(kind=kind):
                url = f"/admin/{kind}/{row.pk}/"
                client.post(f"{url}legal-hold/", {"reason": "case 14"})
                page = client.get(f"{url}change/")
                self.assertContains(page, "Under a legal hold</b>: case 14")
                asked = client.post(f"{url}legal-hold/", {"lift": "yes"})
                self.assertContains(asked, f"End the legal hold on {row}?")
                self.assertContains(asked, "case 14")
                row.refresh_from_db()
                self.assertEqual(row.legal_hold, "case 14")
                client.post(f"{url}legal-hold/", {"lift": "yes", "confirmed": "yes"})
                row.refresh_from_db()
                self.assertEqual(row.legal_hold, "")
                self.assertEqual(client.get(f"{url}legal-hold/").status_code, 405)

    def test_is_not_ended_by_operators_asked_or_not(self) -> None:
        legal_hold.place(self.endpoint, reason="case 14", by=self.ada)
        url = f"/admin/integrations/endpoint/{self.endpoint.pk}/legal-hold/"
        for data in ({"lift": "yes"}, {"lift": "yes", "confirmed": "yes"}):
            self.assertEqual(logged_in("operator").post(url, data).status_code, 403)
        self.endpoint.refresh_from_db()
        self.assertEqual(self.endpoint.legal_hold, "case 14")

    def test_is_placed_and_ended_over_the_api(self) -> None:
        client, event = client_of(self.ada), self.event(1)
        for path in ("endpoints/orders", f"events/{event.pk}"):
            with self.subTest(path=path):
                url = f"{API}/{path}/legal-hold/"
                placed = client.post(url, {"reason": "case 14"})
                self.assertEqual((placed.status_code, placed.json()["legal_hold"]), (200, "case 14"))
                self.assertEqual(client.get(f"{API}/{path}/").json()["legal_hold"], "case 14")
                self.assertEqual(client.delete(url).status_code, 204)
                self.assertEqual(client.get(f"{API}/{path}/").json()["legal_hold"], "")

    def test_is_not_for_operators_over_the_api(self) -> None:
        client = client_of(make_user("operator"))

        self.assertEqual(client.post(f"{API}/endpoints/orders/legal-hold/", {"reason": "x"}).status_code, 403)


class RejectionAgeTests(RetentionTestCase):
    def test_is_an_endpoints_own_where_it_has_one(self) -> None:
        self.endpoint.keep_rejections_days = 3
        self.endpoint.save()
        for days in (2, 4):
            Rejection.objects.create(endpoint=self.endpoint, reason="signature_mismatch", received_at=ago(days))

        self.assertEqual(retention.prune_rejections(now=NOW), 1)
