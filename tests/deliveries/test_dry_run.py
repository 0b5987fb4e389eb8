"""A route on past events, with nothing done."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from unittest.mock import patch

import httpx
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.http import HttpResponse
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from deliveries import dry_run as dry_runs
from deliveries import rehearsal
from deliveries.dry_run import dry_run, past_events
from deliveries.models import Attempt, AuditEntry, Delivery, Event, FlowStep, StepResult
from integrations.handlers import Context, GiveUp, Handler, InboundEvent, handlers
from integrations.masking import MASK
from integrations.models import Connection, Endpoint, EndpointGroup, Route, UnnamedHealth
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import client_of
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_delivery, make_endpoint, make_event, make_route


class _Tried(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        Connection.objects.create(
            name="crm", base_url="https://crm.example.com/api", auth="bearer", credentials={"token": "s3cret-t0ken"}
        )
        config = {"connection": "crm", "path": "/orders/{id}"}
        self.route = make_route(self.endpoint, handler="http.request", config=config, filter="id > `5`")
        self.left = make_event(self.endpoint, body=b'{"id": 3}', event_type="order.made")
        self.taken = make_event(self.endpoint, body=b'{"id": 7}', event_type="order.made")

    def tried(self, **values: Any) -> list[dry_runs.Tried]:
        return dry_run(self.route, past_events(self.route, last=10), **values)


class DryRunTests(_Tried):
    def was_sent(self, call: str) -> Delivery:
        now = timezone.now()
        delivery = make_delivery(self.route, event=self.taken)
        Attempt.objects.create(
            delivery=delivery, number=1, trigger="first", started_at=now, finished_at=now, outcome="succeeded",
            response={"call": call, "status": 201},
        )  # fmt: skip
        return delivery

    def test_says_what_would_be_sent_and_writes_nothing(self) -> None:
        with self.assertNumQueries(3):
            taken, left = self.tried()

        self.assertEqual((taken.told.is_taken, left.told.is_taken), (True, False))
        self.assertEqual(taken.told.does["path"], "/orders/7")
        self.assertEqual(taken.told.call, "crm: POST /orders/7")
        self.assertIsNone(left.told.does)
        self.assertFalse(Delivery.objects.exists())

    def test_stands_beside_what_was_sent(self) -> None:
        self.was_sent("crm: POST /orders/7")
        (row, _) = self.tried()
        self.assertEqual((row.then[0].status, row.differs), (201, False))

        Attempt.objects.update(response={"call": "crm: POST /elsewhere", "status": 201})
        self.assertTrue(self.tried()[0].differs)
        Delivery.objects.all().delete()
        self.assertTrue(self.tried()[0].differs)

    def test_runs_no_handler_that_does_not_allow_it_and_says_so(self) -> None:
        self.route.handler, self.route.config = "tests.fail", {}
        with patch.object(dry_runs, "handlers", {}):
            (row, _) = self.tried()
        self.assertIn("may be run for this", row.told.note)
        self.assertIsNone(row.told.does)

    def test_shows_nothing_of_what_is_hidden(self) -> None:
        Endpoint.objects.update(sensitive=True)

        (row, _) = self.tried()

        self.assertIsNone(row.told.is_taken)
        self.assertIn("hidden", row.told.note)

    def test_ends_in_time(self) -> None:
        with patch.object(dry_runs, "SECONDS", -1.0):
            self.assertEqual({row.told.note for row in self.tried()}, {dry_runs.OUT_OF_TIME})

    def test_takes_events_of_a_range_and_not_too_many(self) -> None:
        Event.objects.filter(pk=self.left.pk).update(received_at=self.taken.received_at.replace(year=2020))
        self.assertEqual(past_events(self.route, last=9, after=self.taken.received_at), [self.taken])
        self.assertEqual(past_events(self.route, last=9, before=self.taken.received_at), [self.left])
        with patch.object(dry_runs, "MOST", 1):
            self.assertEqual(past_events(self.route, last=9), [self.taken])

    def test_is_a_command(self) -> None:
        out = StringIO()
        call_command("dry_run", str(self.route.pk), "--format", "json", stdout=out)
        self.assertEqual(json.loads(out.getvalue())[0]["would"]["path"], "/orders/7")
        out = StringIO()
        call_command("dry_run", str(self.route.pk), stdout=out)
        self.assertIn("tried on 2 events, 1 differ; nothing was sent", out.getvalue())
        for wrong in (["0199c1d2-0000-7000-8000-000000000000"], [str(self.route.pk), "--last", "51"]):
            with self.assertRaises(CommandError):
                call_command("dry_run", *wrong)


class RehearsalTests(_Tried):
    """A handler that allows it is run with everything blocked that its context leads to."""

    def setUp(self) -> None:
        super().setUp()
        self.ran: list[str] = []

    def with_handler(self, run: Any, **values: Any) -> Any:
        entry = Handler("own.handler", run, "", {"type": "object"}, **{"dry_run": True, **values})
        self.route.handler, self.route.config = "own.handler", {}
        return patch.dict(handlers._entries, {"own.handler": entry})

    def sent(self, **changes: Any) -> Attempt:
        """Return the attempt that sent what is sent now, but for ``changes``."""
        now = timezone.now()
        call = {"method": "POST", "url": "https://crm.example.com/api/orders/7", "body": '{"id": 7}', "status": 201}
        delivery = make_delivery(self.route, event=self.taken)
        return Attempt.objects.create(
            delivery=delivery, number=1, trigger="first", started_at=now, finished_at=now, outcome="succeeded",
            calls=[{**call, "body_is_whole": True, "body_encoding": "text", "at": "then", **changes}],
        )  # fmt: skip

    def test_shows_the_request_with_the_proof_masked(self) -> None:
        (call,) = self.tried()[0].told.calls or []

        self.assertEqual((call["method"], call["url"]), ("POST", "https://crm.example.com/api/orders/7"))
        self.assertEqual((call["body"], call["headers"]["authorization"]), ({"id": 7}, MASK))
        self.assertNotIn("status", call)
        self.assertNotIn("s3cret", json.dumps(call))

    def test_compares_body_by_body_with_what_was_sent(self) -> None:
        attempt = self.sent()
        self.assertFalse(self.tried()[0].differs)
        attempt.calls = [{**attempt.calls[0], "body": '{"id": 8}'}]
        attempt.save()

        row = self.tried()[0]

        self.assertTrue(row.differs)
        self.assertEqual(row.then[0].calls[0]["body"], {"id": 8})

    @override_settings(EMAIL_HOST="mail.example.com", DEFAULT_FROM_EMAIL="hub@example.com")
    def test_shows_a_mail_a_row_and_a_contact_as_they_would_go_out_beside_what_did(self) -> None:
        mail: dict[str, Any] = {"to": ["ann@example.com"], "subject": "No. {{ payload.id }}", "text": "Hi"}
        row = {"database": "env:HUB_SECRET_WAREHOUSE", "table": "orders", "columns": {"number": "id"}}
        contact: dict[str, Any] = {
            "connection": "crm", "email": "ann@example.com", "properties": {"no": "{{ payload.id }}"}
        }  # fmt: skip
        sent = {"from": "hub@example.com", "cc": [], "bcc": [], "reply_to": [], "html": "", **mail, "subject": "No. 7"}
        upserted = {"idProperty": "email", "id": "ann@example.com", "properties": {"no": "7"}}
        upsert = "https://crm.example.com/api/crm/v3/objects/contacts/batch/upsert"
        for key, config, url, body in (
            ("email.send", mail, "smtp://mail.example.com/", sent),
            ("table.append", row, "postgresql://hub_secret_warehouse/orders", {"number": 7}),
            ("crm.upsert_contact", contact, upsert, {"inputs": [upserted]}),
        ):
            with self.subTest(key):
                Delivery.objects.all().delete()
                self.route.handler, self.route.config = key, config

                (call,) = self.tried()[0].told.calls or []

                self.assertEqual(call["url"], url)
                self.assertEqual({name: call["body"][name] for name in body}, body)
                attempt = self.sent(url=url, method=call["method"], body=json.dumps(call["body"]))
                self.assertFalse(self.tried()[0].differs)
                attempt.calls = [{**attempt.calls[0], "body": json.dumps({**call["body"], "another": 1})}]
                attempt.save()
                self.assertTrue(self.tried()[0].differs)
        self.assertFalse(UnnamedHealth.objects.exists())

    def test_counts_a_call_that_was_tried_again_once(self) -> None:
        attempt = self.sent()
        attempt.calls = [{**attempt.calls[0], "status": 503}, *attempt.calls]
        attempt.save()

        self.assertFalse(self.tried()[0].differs)

    def test_blocks_and_notes_all_that_the_context_leads_to(self) -> None:
        def run(event: InboundEvent, context: Context) -> None:
            context.log("begins")
            answer = context.once("made", lambda: context.http("crm").post("/x", json={"a": 1}).json())
            request = httpx.Request("PUT", "http://127.0.0.1:9/direct?token=abc", content=b"{}")
            context.send(request, seconds=1)
            context.emit("made.one", answer, endpoint="inside")

        with self.with_handler(run, dry_run={"POST x": {"id": "n1"}}):
            told = self.tried()[0].told

        calls = [(call["method"], call["url"]) for call in told.calls or []]
        self.assertEqual(
            calls, [("POST", "https://crm.example.com/api/x"), ("PUT", f"http://127.0.0.1:9/direct?token={MASK}")]
        )
        self.assertEqual(
            told.does, {"emits": [{"endpoint": "inside", "event_type": "made.one", "payload": {"id": "n1"}}]}
        )
        self.assertEqual((StepResult.objects.count(), Event.objects.count(), Delivery.objects.count()), (0, 2, 0))

    def test_runs_coroutines(self) -> None:
        async def run(event: InboundEvent, context: Context) -> None:
            await context.aonce("a", self.noted)

        with self.with_handler(run):
            self.assertEqual((self.tried()[0].told.note, self.ran), ("", ["noted"]))

    async def noted(self) -> None:
        self.ran.append("noted")

    def test_says_why_a_handler_went_no_further(self) -> None:
        def missing(event: InboundEvent, context: Context) -> None:
            raise KeyError(context.http("crm").get("/y").json()["id"])

        def gives_up(event: InboundEvent, context: Context) -> None:
            raise GiveUp("no such customer")

        with self.with_handler(missing):
            told = self.tried()[0].told
        self.assertIn("went no further (KeyError)", told.note)
        self.assertEqual(len(told.calls or []), 1)
        with self.with_handler(gives_up):
            self.assertEqual(self.tried()[0].told.note, "It would give up: no such customer")

    def test_interrupts_a_handler_that_takes_too_long(self) -> None:
        def endless(event: InboundEvent, context: Context) -> None:
            while True:
                pass

        with self.with_handler(endless), patch.object(dry_runs, "SECONDS", 0.2):
            notes = {row.told.note for row in self.tried()}
        self.assertEqual(notes, {rehearsal.TOO_LONG, dry_runs.OUT_OF_TIME})

    def test_masks_credentials_of_the_event_in_what_would_be_sent(self) -> None:
        endpoint = make_endpoint(slug="mail", provider="mailgun")
        proof = {"signature": {"token": "t" * 50, "timestamp": "1", "signature": "f" * 64}, "event-data": {"id": 9}}
        make_event(endpoint, body=json.dumps(proof).encode())
        route = make_route(endpoint, handler="http.forward", config={"url": "https://old.example.com/catch"})

        (row,) = dry_run(route, past_events(route, last=1))

        (call,) = row.told.calls or []
        self.assertEqual(call["body"]["event-data"], {"id": 9})
        self.assertNotIn("f" * 64, json.dumps(call))

    def test_previews_a_flow_with_the_outputs_that_its_steps_had(self) -> None:
        steps = [
            {"name": "find", "handler": "http.request", "config": {"connection": "crm", "method": "GET"}},
            {"name": "tell", "handler": "http.request",
             "config": {"connection": "crm", "path": "/told/{steps.find.body.id}"}},
        ]  # fmt: skip
        self.route.handler, self.route.config = "hub.flow", {"steps": steps}
        self.assertIn("not known", self.tried()[0].told.does[1]["note"])
        delivery, now = make_delivery(self.route, event=self.taken), timezone.now()
        FlowStep.objects.create(
            delivery=delivery, name="find", position=0, handler="http.request", state="succeeded", attempt=1,
            kept={"output": {"status": 200, "body": {"id": 33}}, "emitted": []}, started_at=now, finished_at=now,
        )  # fmt: skip

        self.assertEqual(self.tried()[0].told.does[1]["does"]["path"], "/told/33")


class DryRunPageTests(_Tried):
    def setUp(self) -> None:
        super().setUp()
        self.url = reverse("admin:integrations_route_dry_run", args=[self.route.pk])
        self.client = logged_in("administrator")

    def test_shows_each_event_and_leaves_an_entry(self) -> None:
        page = self.client.get(self.url)
        self.assertContains(page, "Nothing is sent")
        self.assertContains(page, "what is shown is what would go out")
        Route.objects.filter(pk=self.route.pk).update(handler="airbyte.sync")
        self.assertContains(self.client.get(self.url), "The handler is not run")
        Route.objects.filter(pk=self.route.pk).update(handler=self.route.handler)
        self.assertFalse(AuditEntry.objects.filter(message__startswith="Dry run").exists())

        page = self.client.post(self.url, {"last": "10"})

        self.assertContains(page, "/orders/7")
        self.assertContains(page, "no delivery", count=2)
        self.assertEqual(AuditEntry.objects.get(message__startswith="Dry run").message, "Dry run on 2 past events.")
        self.assertContains(self.client.post(self.url, {"last": "51"}), "less than or equal to 50")

    def shadow(self, **fields: Any) -> HttpResponse:
        form = {"name": "n", "handler": "http.request", "timeout_seconds": 30, "priority": 5, "enabled": "on",
                "ordering_failure": "block", "filter": "id > `5`", "config_form": "http.request", "shadow": "yes",
                "config-connection": "crm", "config-path": "/orders/{id}"}  # fmt: skip
        return self.client.post(self.url, {**form, **fields})

    def test_compares_the_form_as_it_stands_with_the_stored_route_and_saves_nothing(self) -> None:
        stored = Route.objects.values().get()

        self.assertEqual(self.shadow().context["different"], 0)
        page = self.shadow(**{"config-path": "/new/{id}"})
        self.assertEqual(page.context["different"], 1)
        self.assertContains(page, "/new/7")
        self.assertContains(page, "/orders/7")
        self.assertEqual(self.shadow(filter="").context["different"], 1)
        self.assertContains(self.shadow(filter="id >"), "filter: Not a JMESPath")
        self.assertEqual(Route.objects.values().get(), stored)

    def test_is_for_those_who_change_routes_that_they_see(self) -> None:
        user = make_user("administrator", name="sam")
        restrict(user, EndpointGroup.objects.create(name="ours"))
        self.client.force_login(user)
        self.assertEqual(self.client.post(self.url, {"last": 1}).status_code, 404)
        self.client = logged_in("viewer")
        self.assertEqual(self.client.post(self.url, {"last": 1}).status_code, 403)


class DryRunApiTests(_Tried):
    def post(self, role: str, **body: Any) -> Any:
        return client_of(make_user(role, name=f"{role}-{len(body)}-{User.objects.count()}")).post(
            f"/api/v1/routes/{self.route.pk}/dry-run/", body, format="json"
        )

    def test_answers_what_the_route_would_do_and_leaves_an_entry(self) -> None:
        answer = self.post("administrator", last=1)

        (row,) = answer.json()["results"]
        self.assertEqual((row["would"]["path"], row["differs"], row["then"]), ("/orders/7", True, []))
        self.assertTrue(AuditEntry.objects.filter(message="Dry run on 1 past events.").exists())
        self.assertEqual(self.post("administrator", last=51).status_code, 400)
        self.assertEqual(self.post("viewer").status_code, 403)
