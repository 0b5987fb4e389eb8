"""What sensitive endpoints receive: hidden everywhere, revealed by permission, and each time on record."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import TestCase
from django.utils import timezone

from deliveries.models import AuditEntry, Event, EventVariant, Rejection
from deliveries.models.sealing import sealed_columns
from integrations.models import Endpoint
from tests.deliveries.admin.endpoint_form import fields_of
from tests.deliveries.admin.people import logged_in
from tests.deliveries.admin.people import make_user as make_person
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint, make_event

BODY = b'{"iban": "DE02120300000000202051"}'
IBAN = "DE02120300000000202051"


def sealed() -> dict[str, object]:
    return sealed_columns(
        headers={}, query_string="", body=BODY, content_type="application/json", secret_headers=(),
        secret_parameters=(), encrypt_body=True,
    )  # fmt: skip


def messages() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(message__startswith="revealed").values_list("who", "message"))


class SensitivePageTests(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(sensitive=True)
        self.event = make_event(self.endpoint, **sealed())
        self.page = f"/admin/deliveries/event/{self.event.pk}"

    def test_hides_the_payload_from_everybody(self) -> None:
        for role in ("viewer", "operator", "administrator", "superuser"):
            self.assertNotContains(logged_in(role).get(f"{self.page}/change/"), IBAN)
        self.assertEqual(messages(), [])

    def test_shows_it_once_to_an_administrator_who_asks(self) -> None:
        client = logged_in("administrator")

        answer = client.post(f"{self.page}/reveal/", {"reason": "ticket 4711"})

        self.assertContains(answer, IBAN)
        self.assertIn("no-store", answer["Cache-Control"])
        self.assertNotContains(client.get(f"{self.page}/change/"), IBAN)
        self.assertEqual(messages(), [("administrator", "revealed the body: ticket 4711.")])
        self.assertEqual(AuditEntry.objects.get(message__startswith="revealed").object_id, str(self.event.pk))

    def test_reveals_nothing_to_who_may_not_and_nothing_by_a_link(self) -> None:
        self.assertEqual(logged_in("operator").post(f"{self.page}/reveal/").status_code, 403)
        self.assertEqual(logged_in("administrator").get(f"{self.page}/reveal/").status_code, 405)
        self.assertNotContains(logged_in("operator").get(f"{self.page}/change/"), "/reveal/")
        self.assertEqual(messages(), [])

    def test_reveals_to_whom_the_right_was_given(self) -> None:
        auditor = make_person("viewer", name="auditor")
        auditor.user_permissions.add(Permission.objects.get(codename="reveal_event"))

        self.assertContains(logged_in("auditor").post(f"{self.page}/reveal/"), IBAN)
        self.assertEqual(messages(), [("auditor", "revealed the body.")])

    def test_gives_the_raw_bytes_by_an_order_only(self) -> None:
        variant = EventVariant.objects.create(
            event=self.event, body_sha256=b"x" * 32, received_at=timezone.now(), **sealed()
        )
        client = logged_in("administrator")
        for address in (f"{self.page}/body/", f"{self.page}/variants/{variant.pk}/body/"):
            self.assertEqual(client.get(address).status_code, 405)
            self.assertEqual(client.post(address).content, BODY)
        self.assertEqual(messages(), [("administrator", "revealed the raw body.")] * 2)

    def test_hides_what_was_refused_too(self) -> None:
        row = Rejection.objects.create(
            endpoint=self.endpoint, reason="signature_mismatch", received_at=timezone.now(), **sealed()
        )
        page, client = f"/admin/deliveries/rejection/{row.pk}", logged_in("administrator")

        self.assertNotContains(client.get(f"{page}/change/"), IBAN)
        self.assertEqual(client.get(f"{page}/body/").status_code, 405)
        self.assertContains(client.post(f"{page}/reveal/"), IBAN)
        self.assertEqual(messages(), [("administrator", "revealed the body.")])

    def test_stays_hidden_while_nobody_who_may_reveal_it_takes_the_mark_away(self) -> None:
        editor = make_person("viewer", name="editor")
        editor.user_permissions.add(Permission.objects.get(codename="change_endpoint"))

        answer = logged_in("editor").post(
            f"/admin/integrations/endpoint/{self.endpoint.pk}/change/", fields_of(self.endpoint)
        )

        self.assertContains(answer, "only who may reveal it can take the mark away")
        self.assertTrue(Endpoint.objects.get().sensitive)


class SensitiveApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.event: Event = make_event(make_endpoint(slug="bank", sensitive=True), **sealed())
        self.url = f"{API}/events/{self.event.pk}/"

    def test_hides_the_payload_in_the_list_and_by_itself(self) -> None:
        (listed,) = self.client.get(f"{API}/events/").json()["results"]
        for shown in (listed, self.client.get(self.url).json()):
            self.assertEqual((shown["payload"], shown["payload_omitted"]), (None, True))

    def test_reveals_it_to_who_may_and_notes_it(self) -> None:
        answer = self.client.post(f"{self.url}reveal/", {"reason": "audit of May"})

        self.assertEqual(answer.json(), {"event": str(self.event.pk), "payload": {"iban": IBAN}})
        self.assertEqual([message for _, message in messages()], ["revealed the payload: audit of May."])

    def test_refuses_who_may_not(self) -> None:
        operator = client_of(make_user("olga", role="operator"))
        for send in (operator.post, client_of(make_user("vera", role="viewer")).post):
            self.assert_error(send(f"{self.url}reveal/"), 403, "permission_denied")
        self.assertEqual(messages(), [])

    def test_gives_bytes_and_the_original_to_who_may_reveal_only(self) -> None:
        editor = make_user("emil", role="viewer")
        editor.user_permissions.add(Permission.objects.get(codename="change_endpoint"))
        for part in ("body/", "request/"):
            self.assert_error(client_of(editor).get(f"{self.url}{part}"), 403, "permission_denied")
            self.assertEqual(messages(), [])
        self.assertEqual(self.client.get(f"{self.url}body/").content, BODY)
        self.assertEqual(self.client.get(f"{self.url}request/").status_code, 200)
        self.assertEqual(
            sorted(message for _, message in messages()),
            ["revealed the original request.", "revealed the raw body."],
        )

    def test_keeps_the_mark_from_who_may_not_reveal(self) -> None:
        editor = User.objects.get(pk=make_user("emil", role="viewer").pk)
        editor.user_permissions.add(Permission.objects.get(codename="change_endpoint"))

        answer = client_of(editor).patch(f"{API}/endpoints/bank/", {"sensitive": False})

        self.assertEqual(answer.status_code, 400)
        self.assertTrue(Endpoint.objects.get(slug="bank").sensitive)

    def test_does_not_reveal_an_event_of_another_group(self) -> None:
        self.assertEqual(client_of(make_user("nil", role="")).post(f"{self.url}reveal/").status_code, 403)
