from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet
from django.test import TestCase
from django.utils import timezone

from deliveries import display
from deliveries.models import Event, EventVariant, Rejection
from deliveries.models.sealing import sealed_columns
from tests.deliveries.admin.people import logged_in
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender
from tests.factories import make_delivery, make_endpoint, make_event, make_route


def page_of(event: Any, role: str = "viewer") -> Any:
    return logged_in(role).get(f"/admin/deliveries/event/{event.pk}/change/")


class BatchedEventTests(WithBatches, Sender, TestCase):
    def test_shows_its_item_and_gives_the_whole_request(self) -> None:
        body = json.dumps(items(1, 2), indent=3).encode()
        self.send(splitting(), body)
        event = Event.objects.get(batch_index=1)

        page = page_of(event, "administrator")
        download = logged_in("administrator").get(f"/admin/deliveries/event/{event.pk}/body/")

        self.assertContains(page, "Item 2 of 2 in one request")
        self.assertContains(page, "evt-2")
        self.assertNotContains(page, "evt-1")
        self.assertEqual(download.content, body)
        self.assertEqual(logged_in("operator").get(f"/admin/deliveries/event/{event.pk}/body/").status_code, 403)


class FollowUpTests(TestCase):
    def test_lead_to_each_other(self) -> None:
        cause = make_event(make_endpoint())
        event = make_event(make_endpoint(), derived_from=cause)

        self.assertContains(page_of(event), f"/admin/deliveries/event/{cause.pk}/change/")
        self.assertContains(page_of(cause), f"/admin/deliveries/event/{event.pk}/change/")


class BodyTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint()

    def test_is_escaped(self) -> None:
        bodies = (
            (b'{"x": "<script>alert(1)</script>"}', "application/json"),
            (b"<script>alert(1)</script>", "text/html"),
        )
        for body, content_type in bodies:
            event = make_event(self.endpoint, body=body, content_type=content_type, event_type="<script>alert(1)")
            self.assertNotContains(page_of(event), "<script>alert(1)")

    def test_is_indented_in_the_order_it_came(self) -> None:
        page = page_of(make_event(self.endpoint, body=b'{"zebra": 1, "apple": {"b": null}}')).content.decode()

        self.assertLess(page.index("zebra"), page.index("apple"))

    def test_that_is_no_text_is_shown_in_hexadecimal(self) -> None:
        event = make_event(self.endpoint, body=bytes(range(200, 256)), content_type="image/png")

        self.assertContains(page_of(event), "c8c9 cacb")

    def test_with_a_lone_surrogate_can_be_sent(self) -> None:
        self.assertEqual(page_of(make_event(self.endpoint, body=b'{"x": "\\ud800"}')).status_code, 200)
        self.assertIn(b"\\ud800", display.code({"x": "\ud800"}).encode())

    def test_that_is_large_is_cut_and_whole_in_the_download(self) -> None:
        body = json.dumps({"rows": ["x" * 100] * 8000}).encode()
        event = make_event(self.endpoint, body=body)
        page = page_of(event)
        download = logged_in("viewer").get(f"/admin/deliveries/event/{event.pk}/body/")

        self.assertContains(page, "Only the first 50,000 characters are shown.")
        self.assertLess(len(page.content), 200_000)
        self.assertEqual(download.content, body)

    def test_cut_within_a_character_is_still_text(self) -> None:
        shown = display.body(make_event(self.endpoint, body=b"a" + "é".encode() * 150_000, content_type="text/plain"))

        self.assertTrue(shown.html.startswith("aéé"))

    def test_that_was_not_kept_says_so(self) -> None:
        row = Rejection.objects.create(
            endpoint=self.endpoint, reason="too_large", received_at=timezone.now(), raw_body=None, body_bytes=2_000_000
        )

        page = logged_in("viewer").get(f"/admin/deliveries/rejection/{row.pk}/change/")

        self.assertContains(page, "The body (1.9 MiB) was not kept.")
        refused = logged_in("viewer").get("/admin/deliveries/rejection/")
        self.assertContains(
            refused, "went over the endpoint&#x27;s limit", msg_prefix="the list says what a reason means"
        )

    def test_that_is_empty_says_so(self) -> None:
        self.assertContains(page_of(make_event(self.endpoint, body=b"")), "The body is empty.")


class EncryptedBodyTests(TestCase):
    def setUp(self) -> None:
        columns = sealed_columns(
            headers={"Authorization": "Bearer top-secret-token", "Accept": "*/*"},
            query_string="",
            body=b"opaque-credential-1234",
            content_type="text/plain",
            secret_headers={"authorization"},
            secret_parameters=(),
            encrypt_body=True,
        )
        self.event = make_event(make_endpoint(), **columns)
        self.variant = EventVariant.objects.create(
            event=self.event, body_sha256=b"x" * 32, received_at=timezone.now(), **columns
        )

    def test_is_not_shown_where_nothing_can_be_masked(self) -> None:
        for role in ("viewer", "administrator"):
            page = page_of(self.event, role)
            self.assertNotContains(page, "opaque-credential-1234")
            self.assertNotContains(page, "top-secret-token")
            self.assertContains(page, "••••••")

    def test_leaves_the_pages_readable_when_its_key_is_lost(self) -> None:
        delivery = make_delivery(make_route(self.event.endpoint), event=self.event)
        with self.settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()]):
            self.assertContains(page_of(self.event), "stored encrypted")
            page = logged_in("viewer").get(f"/admin/deliveries/delivery/{delivery.pk}/change/")
            self.assertEqual(page.status_code, 200)

    def test_is_downloaded_by_administrators_only(self) -> None:
        addresses = (
            f"/admin/deliveries/event/{self.event.pk}/body/",
            f"/admin/deliveries/event/{self.event.pk}/variants/{self.variant.pk}/body/",
        )
        for address in addresses:
            self.assertEqual(logged_in("viewer").get(address).status_code, 403)
            self.assertEqual(logged_in("operator").get(address).status_code, 403)
            self.assertEqual(logged_in("administrator").get(address).content, b"opaque-credential-1234")


class DownloadTests(TestCase):
    def test_is_an_attachment_that_no_browser_renders(self) -> None:
        event = make_event(make_endpoint(), body=b"<script>alert(1)</script>", content_type="text/html")

        answer = logged_in("viewer").get(f"/admin/deliveries/event/{event.pk}/body/")

        self.assertEqual(answer["Content-Type"], "application/octet-stream")
        self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
        self.assertIn("sandbox", answer["Content-Security-Policy"])
        self.assertTrue(answer["Content-Disposition"].startswith("attachment;"))

    def test_needs_the_right_to_view(self) -> None:
        event = make_event(make_endpoint())

        self.assertEqual(logged_in("nobody").get(f"/admin/deliveries/event/{event.pk}/body/").status_code, 403)


class RefusedBodyTests(TestCase):
    def setUp(self) -> None:
        secret = b'{"password": "meant for somebody else"}'
        columns = sealed_columns(
            headers={}, query_string="", body=secret, content_type="application/json", secret_headers=(),
            secret_parameters=(), encrypt_body=True,
        )  # fmt: skip
        endpoint, now = make_endpoint(), timezone.now()
        encrypted = Rejection.objects.create(endpoint=endpoint, reason="signature_mismatch", received_at=now, **columns)
        plain = Rejection.objects.create(
            endpoint=endpoint, reason="signature_mismatch", received_at=now, raw_body=secret, body_bytes=len(secret)
        )
        self.pages = [f"/admin/deliveries/rejection/{row.pk}" for row in (encrypted, plain)]

    def test_is_for_those_who_may_see_credentials(self) -> None:
        client = logged_in("administrator")
        for page in self.pages:
            self.assertContains(client.get(f"{page}/change/"), "meant for somebody else")
            self.assertContains(client.get(f"{page}/body/"), "meant for somebody else")

    def test_is_for_nobody_else(self) -> None:
        for role in ("viewer", "operator"):
            client = logged_in(role)
            for page in self.pages:
                shown = client.get(f"{page}/change/")
                self.assertContains(shown, "meant for others")
                self.assertNotContains(shown, "meant for somebody else")
                self.assertNotContains(shown, f"{page}/body/")
                self.assertEqual(client.get(f"{page}/body/").status_code, 403)

    def test_leaves_the_page_readable_when_its_key_is_lost(self) -> None:
        with self.settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()]):
            self.assertContains(logged_in("administrator").get(f"{self.pages[0]}/change/"), "stored encrypted")


class LengthTests(TestCase):
    def test_is_in_the_unit_that_fits(self) -> None:
        spans = {
            timedelta(milliseconds=12): "12 ms",
            timedelta(seconds=3.42): "3.4 s",
            timedelta(seconds=320): "5 min 20 s",
            timedelta(minutes=190): "3 h 10 min",
            timedelta(hours=52): "2 d 4 h",
            None: "–",
        }
        self.assertEqual({span: display.length(span) for span in spans}, spans)


class PayloadTests(TestCase):
    def payload_of(self, event: Event, role: str = "viewer") -> Any:
        return logged_in(role).get(f"/admin/deliveries/event/{event.pk}/payload/")

    def test_comes_whole_however_large_and_is_rendered_by_no_browser(self) -> None:
        body = json.dumps({"items": ["x" * 100] * 6000}).encode()
        event = make_event(make_endpoint(), body=body, content_type="application/json")

        answer = self.payload_of(event)

        self.assertGreater(len(body), display.DECODED_BYTES)
        self.assertEqual(answer.json(), json.loads(body))
        self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
        self.assertIn("no-store", answer["Cache-Control"])
        self.assertContains(page_of(event), f'data-tree="/admin/deliveries/event/{event.pk}/payload/"')

    def test_of_a_sensitive_endpoint_is_nowhere_to_be_fetched(self) -> None:
        event = make_event(make_endpoint(sensitive=True), body=b'{"iban": "DE00"}', content_type="application/json")

        for role in ("viewer", "administrator", "superuser"):
            self.assertEqual(self.payload_of(event, role).status_code, 404)
        self.assertNotContains(page_of(event, "superuser"), "data-tree=")

        revealed = logged_in("superuser").post(f"/admin/deliveries/event/{event.pk}/reveal/")
        self.assertContains(revealed, 'data-tree=""')

    def test_that_is_no_json_has_no_tree(self) -> None:
        event = make_event(make_endpoint(), body=b"<a/>", content_type="text/xml")

        self.assertEqual(self.payload_of(event).status_code, 404)
        self.assertNotContains(page_of(event), "data-tree=")

    def test_is_for_those_only_who_may_see_events(self) -> None:
        event = make_event(make_endpoint(), body=b"{}", content_type="application/json")

        self.assertEqual(self.payload_of(event, "nobody").status_code, 403)
